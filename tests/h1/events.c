/*
 * What the parser of HTTP/1.x finds, as text, for tests/e2e/test_http1_reading.py. Each case on
 * stdin is four bytes of length, most significant first, one of flags, and the bytes of a
 * connection up to its end. Bytes are written in hexadecimal; the last line of each case is
 * "clean", or "refused" and why.
 */
#include "h1/parser.h"

#include "http/uri.h"

#include <stdio.h>
#include <stdlib.h>

/* Flags. */
enum { RESPONSES = 1, TO_HEAD = 2 };

enum { MAX_BYTES = 2048, MAX_FIELDS = 16 };

static void print_bytes(struct str s)
{
    putchar(' ');
    for (size_t i = 0; i < s.n; i++)
        printf("%02x", (unsigned char)s.p[i]);
}

static void print_start(const struct h1_parser *p)
{
    printf("\nstart 1.%d", p->start.minor);
    if (p->role == H1_CLIENT) {
        printf(" %d", p->start.status);
        print_bytes(p->start.reason);
    } else {
        print_bytes(p->start.method);
        print_bytes(p->start.target);
    }
}

static void print_field(const char *what, const struct h1_parser *p)
{
    printf("\n%s", what);
    print_bytes(p->name);
    print_bytes(p->value);
}

/* Pieces of content that follow each other are on one line. */
static void print(const struct h1_parser *p, enum h1_event event)
{
    if (event == H1_ON_START)
        print_start(p);
    else if (event == H1_ON_FIELD)
        print_field("field", p);
    else if (event == H1_ON_HEAD)
        printf("\ncontent");
    else if (event == H1_ON_CONTENT)
        print_bytes(p->value);
    else if (event == H1_ON_TRAILER)
        print_field("trailer", p);
    else if (event == H1_ON_END)
        printf("\nend");
}

/* A target is looked at by who reads the head. */
static bool is_bad_target(const struct h1_parser *p, enum h1_event event)
{
    return event == H1_ON_START && p->role == H1_SERVER && !uri_is_target(p->start.target);
}

static void read_case(struct str data, int flags)
{
    struct h1_parser p;
    enum h1_event event = H1_ON_MORE;
    const char *fault = NULL;
    h1_parser_init(&p, flags & RESPONSES ? H1_CLIENT : H1_SERVER, MAX_BYTES, MAX_FIELDS);
    do {
        event = h1_parser_next(&p, &data);
        if (event == H1_ON_START)
            p.no_content = flags & TO_HEAD;
        if (is_bad_target(&p, event))
            fault = "a malformed target";
        else
            print(&p, event);
    } while (!fault && event != H1_ON_FAULT && event != H1_ON_MORE);
    if (event == H1_ON_MORE) {
        event = h1_parser_close(&p);
        print(&p, event);
    }
    if (event == H1_ON_FAULT)
        fault = h1_fault_text(p.fault);
    printf(fault ? "\nrefused %s\n" : "\nclean\n", fault);
    h1_parser_fini(&p);
}

int main(void)
{
    unsigned char head[5];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        char *data = malloc(n ? n : 1);
        if (!data || fread(data, 1, n, stdin) != n)
            return 1;
        read_case((struct str){data, n}, head[4]);
        free(data);
    }
    return 0;
}
