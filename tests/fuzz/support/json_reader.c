#include "json_reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 100 };

struct reader {
    const char *p, *end;
};

static bool value(struct reader *r, int level);

static char peek(const struct reader *r)
{
    return r->p < r->end ? *r->p : '\0';
}

static bool take(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return false;
    r->p += n;
    return true;
}

static void white_space(struct reader *r)
{
    while (take(r, ' ') || take(r, '\t') || take(r, '\n') || take(r, '\r'))
        continue;
}

/* A hexadecimal unit of four digits; -1 where there is none. */
static int unit(struct reader *r)
{
    static const char digits[] = "0123456789abcdef";
    int all = 0;
    for (int i = 0; i < 4; i++) {
        char c = peek(r);
        const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (!at)
            return -1;
        all = all * 16 + (int)(at - digits);
        r->p++;
    }
    return all;
}

static bool escape(struct reader *r)
{
    if (!take(r, 'u')) {
        bool known = peek(r) && strchr("\"\\/bfnrt", peek(r));
        r->p += known;
        return known;
    }
    int first = unit(r);
    if (first < 0xd800 || first > 0xdfff)
        return first >= 0;
    if (first > 0xdbff || !take_word(r, "\\u"))
        return false;
    int second = unit(r);
    return second >= 0xdc00 && second <= 0xdfff;
}

/* The bytes of one character that is not ASCII (RFC 3629 4). */
static bool character(struct reader *r)
{
    unsigned char lead = (unsigned char)*r->p++;
    int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || r->end - r->p < more)
        return false;
    unsigned code = lead & (0x3fu >> more);
    for (int i = 0; i < more; i++) {
        unsigned char next = (unsigned char)*r->p++;
        if ((next & 0xc0) != 0x80)
            return false;
        code = code << 6 | (next & 0x3f);
    }
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    return code >= least[more] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

static bool string(struct reader *r)
{
    if (!take(r, '"'))
        return false;
    while (r->p < r->end) {
        if (take(r, '"'))
            return true;
        unsigned char c = (unsigned char)*r->p;
        bool good = c >= 0x20;
        if (take(r, '\\'))
            good = escape(r);
        else if (c >= 0x80)
            good = character(r);
        else
            r->p++;
        if (!good)
            return false;
    }
    return false;
}

static bool digits(struct reader *r)
{
    const char *start = r->p;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->p++;
    return r->p > start;
}

/* Nothing behind it can be part of it, for strtod neither. */
static bool number(struct reader *r)
{
    const char *start = r->p;
    take(r, '-');
    if (!take(r, '0') && !digits(r))
        return false;
    if (take(r, '.') && !digits(r))
        return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            take(r, '-');
        if (!digits(r))
            return false;
    }
    char *copy = strndup(start, (size_t)(r->p - start));
    bool finite = copy && isfinite(strtod(copy, NULL));
    free(copy);
    return finite;
}

/* What stands between the brackets of an array, or of an object, whose members have names. */
static bool members(struct reader *r, char close, bool named, int level)
{
    r->p++;
    white_space(r);
    if (take(r, close))
        return level < LEVELS;
    do {
        white_space(r);
        if (named && !string(r))
            return false;
        white_space(r);
        if (named && !take(r, ':'))
            return false;
        if (!value(r, level + 1))
            return false;
    } while (take(r, ','));
    return level < LEVELS && take(r, close);
}

/* A value, and the white space around it. */
static bool value(struct reader *r, int level)
{
    bool good;
    white_space(r);
    if (level > LEVELS)
        return false;
    if (peek(r) == '{')
        good = members(r, '}', true, level);
    else if (peek(r) == '[')
        good = members(r, ']', false, level);
    else if (peek(r) == '"')
        good = string(r);
    else
        good = take_word(r, "null") || take_word(r, "true") || take_word(r, "false") || number(r);
    white_space(r);
    return good;
}

bool json_reader_accepts(const char *text, size_t n)
{
    struct reader r = {text, text + n};
    return value(&r, 0) && r.p == r.end;
}
