/* What a client of HTTP/1.x says and hears, as lines. */
#include "wire.h"

#include <string.h>

void wire_say(struct wire *w, const char *lines)
{
    for (const char *c = lines; *c; c++)
        wire_raw(w, *c == '\n' ? "\r\n" : c, *c == '\n' ? 2 : 1);
}

/* Copies a line, without its end; a date of now is "now". */
static void add_line(struct text *out, const char *line, size_t n)
{
    char date[64] = "";
    if (n > 6 && n < sizeof date && memcmp(line, "date: ", 6) == 0)
        memcpy(date, line + 6, n - 6);
    if (frames_is_now(date))
        text_print(out, "date: now");
    else
        text_add_escaped(out, line, n);
}

static struct text heard(const struct wire *w)
{
    struct text out = {0};
    const char *at = text_of(&w->down), *end = at + w->down.n;
    while (at < end) {
        const char *crlf = memmem(at, (size_t)(end - at), "\r\n", 2);
        add_line(&out, at, (size_t)((crlf ? crlf : end) - at));
        if (crlf)
            text_add(&out, "\n", 1);
        at = crlf ? crlf + 2 : end;
    }
    return out;
}

void wire_expect_text(struct wire *w, const char *lines)
{
    wire_settle(w);
    text_clear(&w->taken);
    w->taken = heard(w);
    text_clear(&w->down);
    wire_compare("bytes", lines, &w->taken);
}

void wire_expect_last(struct wire *w, const char *lines)
{
    wire_expect_text(w, lines);
    assert_null(w->session);
}
