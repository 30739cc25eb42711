#include "http/urlencoded.h"

/* Takes the text before the first divider, and the divider, off the front. */
static struct str cut(struct str *left, char divider)
{
    const char *end = left->n ? memchr(left->p, divider, left->n) : NULL;
    struct str piece = {left->p, end ? (size_t)(end - left->p) : left->n};
    size_t n = piece.n + (end ? 1 : 0);
    if (n)
        *left = (struct str){left->p + n, left->n - n};
    return piece;
}

bool urlencoded_next(struct str *left, struct str *name, struct str *value)
{
    while (left->n) {
        *value = cut(left, '&');
        if (value->n) {
            *name = cut(value, '=');
            return true;
        }
    }
    return false;
}

bool urlencoded_has_escapes(struct str s)
{
    return s.n && (memchr(s.p, '%', s.n) || memchr(s.p, '+', s.n));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int urlencoded_byte(struct str s)
{
    if (s.n < 3 || s.p[0] != '%' || hex_digit(s.p[1]) < 0 || hex_digit(s.p[2]) < 0)
        return -1;
    return hex_digit(s.p[1]) << 4 | hex_digit(s.p[2]);
}

size_t urlencoded_decode(struct str s, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int byte = urlencoded_byte((struct str){s.p + i, s.n - i});
        if (byte >= 0)
            i += 2;
        else
            byte = s.p[i] == '+' ? ' ' : s.p[i];
        out[n++] = (char)byte;
    }
    return n;
}
