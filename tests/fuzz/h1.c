/*
 * libFuzzer: what a client may send to a session of HTTP/1.x, and what either side may send to the
 * parser, which is to find the same in it however it is cut.
 */
#include "h1/parser.h"
#include "h1/server.h"
#include "http/limits.h"
#include "support/cost.h"
#include "support/support.h"

#include <stdlib.h>

/* What the parser found, as a sum; content counts by its bytes, which may come in other pieces. */
static uint64_t mix(uint64_t sum, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        sum = (sum ^ (uint8_t)text.p[i]) * 0x100000001b3;
    return sum;
}

static uint64_t mix_event(uint64_t sum, const struct h1_parser *p, enum h1_event event)
{
    if (event != H1_ON_CONTENT)
        sum = (sum ^ ((uint64_t)event << 8)) * 0x100000001b3 + (uint64_t)p->fault;
    if (event == H1_ON_FIELD || event == H1_ON_TRAILER)
        sum = mix(sum ^ 1, p->name);
    if (event == H1_ON_FIELD || event == H1_ON_TRAILER || event == H1_ON_CONTENT)
        sum = mix(sum, p->value);
    return sum;
}

static uint64_t parse(enum h1_role role, struct str all, size_t cut)
{
    uint64_t sum = 0;
    struct h1_parser p;
    h1_parser_init(&p, role, 4096, 16);
    while (all.n) {
        struct str piece = {all.p, cut < all.n ? cut : all.n};
        all = (struct str){all.p + piece.n, all.n - piece.n};
        enum h1_event event;
        while ((event = h1_parser_next(&p, &piece)) != H1_ON_MORE) {
            sum = mix_event(sum, &p, event);
            if (event == H1_ON_FAULT)
                break;
        }
        if (event == H1_ON_FAULT)
            break;
    }
    h1_parser_fini(&p);
    return sum;
}

/* Whatever the cut: a line that comes byte by byte is not read again with each. */
static uint64_t parse_counted(enum h1_role role, struct str all, size_t cut)
{
    enum { FIXED = 2000, EACH = 100 };
    cost_begin();
    cost_resume();
    uint64_t sum = parse(role, all, cut);
    cost_pause();
    cost_check(FIXED, EACH, all.n);
    return sum;
}

static void compare_cuts(struct str all)
{
    for (int role = H1_SERVER; role <= H1_CLIENT; role++) {
        uint64_t whole = parse_counted((enum h1_role)role, all, all.n);
        if (parse_counted((enum h1_role)role, all, 1) != whole ||
            parse_counted((enum h1_role)role, all, 7) != whole)
            abort();
    }
}

static void run(const uint8_t *data, size_t size)
{
    struct fuzz f;
    compare_cuts((struct str){(const char *)data, size});
    if (size) /* behind the length of the session's first piece */
        compare_cuts((struct str){(const char *)data + 1, size - 1});
    fuzz_begin(&f);
    if (h1_server_new(&f.host, &http_limits_default, &f.session))
        abort();
    fuzz_feed(&f, data, size);
    fuzz_end(&f, COST_HTTP_1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cost_repeat(run, data, size, 0);
    return 0;
}
