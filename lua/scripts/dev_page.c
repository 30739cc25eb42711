#include "lua/scripts/dev_page.h"

#include "http/code.h"
#include "http/exchange.h"
#include "lua/modules/escape.h"
#include "lua/runtime/excerpt.h"

#include <stdio.h>

enum { PAGE_MAX = 32768 }; /* longer ones are cut */

struct page {
    bool html;
    size_t len;
    char text[PAGE_MAX];
};

static void put_raw(struct page *p, const char *text, size_t n)
{
    size_t room = PAGE_MAX - p->len;
    n = n < room ? n : room;
    memcpy(p->text + p->len, text, n);
    p->len += n;
}

static void put_tag(struct page *p, const char *tag)
{
    if (p->html)
        put_raw(p, tag, strlen(tag));
}

static void put(struct page *p, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *escaped = p->html ? escape_entity(text[i]) : NULL;
        put_raw(p, escaped ? escaped : text + i, escaped ? strlen(escaped) : 1);
    }
}

static void put_title(struct page *p, int status)
{
    char number[16], text[STATUS_TEXT_SIZE];
    struct str name = status_text(status, text);
    snprintf(number, sizeof number, "%d ", status);
    put(p, number, strlen(number));
    put(p, name.p, name.n - 1); /* without the newline */
}

static void put_head(struct page *p, int status)
{
    put_tag(p, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>");
    if (p->html)
        put_title(p, status);
    put_tag(p, "</title><style>:root{color-scheme:light dark}"
               "body{font-family:sans-serif;margin:2em}pre{overflow:auto}</style><h1>");
    put_title(p, status);
    put_tag(p, "</h1>");
    put(p, "\n", 1);
}

static void put_block(struct page *p, const char *text, size_t n)
{
    put(p, "\n", 1);
    put_tag(p, "<pre>");
    put(p, text, n);
    put_tag(p, "</pre>");
}

static void put_fault(struct page *p, const char *fault)
{
    static const char title[] = "The scripts on disk do not load: ";
    char source[EXCERPT_SIZE];
    put(p, "\n", 1);
    put_tag(p, "<p>");
    put(p, title, sizeof title - 1);
    put(p, fault, strlen(fault));
    put_tag(p, "</p>");
    put(p, "\n", 1);
    if (excerpt_of_text(fault, source))
        put_block(p, source, strlen(source));
}

static bool field_is(const struct exchange *x, struct str name, const char *part)
{
    const struct field *f = fields_find(&x->request.fields, name);
    return f && memmem(f->value.p, f->value.n, part, strlen(part));
}

bool dev_page_is_wanted(const struct exchange *x)
{
    return field_is(x, STR("sec-fetch-dest"), "document") ||
           field_is(x, STR("accept"), "text/html");
}

struct dev_page dev_page_make(
    const struct exchange *x, int status, struct str text, const char *fault)
{
    static struct page page;
    page.html = dev_page_is_wanted(x);
    page.len = 0;
    put_head(&page, status);
    if (text.n)
        put_block(&page, text.p, text.n);
    if (fault[0])
        put_fault(&page, fault);
    return (struct dev_page){page.html, {page.text, page.len}};
}
