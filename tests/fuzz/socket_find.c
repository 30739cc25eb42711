/*
 * libFuzzer: lines and marks in bytes that come in pieces. The input's first byte is the length of
 * the mark, which follows it; the second that of the pieces in which the rest arrives. What is
 * found is to be what a search of all that has come finds, and no byte is looked at again and
 * again.
 */
#include "socket/find.h"

#include "core/check.h"

#include <stdint.h>

/* The slow way. */
static size_t first(struct str content, struct str mark)
{
    for (size_t i = 0; i + mark.n <= content.n; i++)
        if (memcmp(content.p + i, mark.p, mark.n) == 0)
            return i;
    return SIZE_MAX;
}

static void check_mark(struct str content, struct str mark, size_t piece)
{
    struct find f = {0};
    size_t before, wanted;
    for (size_t n = 0; n <= content.n; n += piece) {
        struct str some = {content.p, n};
        wanted = first(some, mark);
        bool found = find_mark(&f, some, mark, &before);
        check(found == (wanted != SIZE_MAX));
        if (found) {
            check(before == wanted);
            return;
        }
        check(f.looked <= n && f.looked + mark.n > n);
    }
}

static void check_line(struct str content, size_t piece)
{
    struct find f = {0};
    size_t line, taken;
    for (size_t n = 0; n <= content.n; n += piece) {
        struct str some = {content.p, n};
        size_t end = first(some, STR("\n"));
        bool found = find_line(&f, some, &line, &taken);
        check(found == (end != SIZE_MAX));
        if (found) {
            bool has_cr = end > 0 && content.p[end - 1] == '\r';
            check(taken == end + 1 && line == end - has_cr);
            return;
        }
        check(f.looked == n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    struct str rest = {(const char *)data + 2, size - 2};
    struct str mark = {rest.p, data[0] < rest.n ? data[0] : rest.n};
    size_t piece = 1 + data[1] % 16;
    rest.p += mark.n;
    rest.n -= mark.n;
    if (mark.n)
        check_mark(rest, mark, piece);
    check_line(rest, piece);
    return 0;
}
