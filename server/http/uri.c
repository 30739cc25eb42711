#include "http/uri.h"

#include "http/urlencoded.h"

/* What may stand in a URI, and what clients are known to leave as it is (RFC 3986 asks that it be
 * encoded): all that is visible in ASCII. A fragment is never sent (RFC 9110 7.1). */
bool uri_is_target(struct str target)
{
    for (size_t i = 0; i < target.n; i++)
        if (target.p[i] <= ' ' || target.p[i] > '~' || target.p[i] == '#')
            return false;
    return target.n > 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* How many bytes at the front belong to an address in brackets, or to a name; a comma is allowed in
 * a name by RFC 3986, and means two values to who joins fields. */
static size_t host_length(struct str text)
{
    size_t n = 0;
    if (text.n && text.p[0] == '[') {
        for (n = 1; n < text.n && (is_alphanumeric(text.p[n]) || is_one_of(text.p[n], ":.")); n++)
            ;
        return n > 1 && n < text.n && text.p[n] == ']' ? n + 1 : 0;
    }
    while (n < text.n && (is_alphanumeric(text.p[n]) || is_one_of(text.p[n], "-._~%!$&'()*+;=")))
        n++;
    return n;
}

bool uri_is_host(struct str text)
{
    size_t host = host_length(text);
    if (host == text.n)
        return true;
    if (host == 0 || text.p[host] != ':' || text.n - host > 6)
        return false;
    for (size_t i = host + 1; i < text.n; i++)
        if (!is_digit(text.p[i]))
            return false;
    return true;
}

/* How a reader divides a path: the characters that end a segment, and those that end its name but
 * not the segment; and whether escaped ones do. */
struct reading {
    const char *slashes, *ends;
    bool escaped;
};

/* Takes the character at the front of a path off it, decoded; *escaped says whether it was not. */
static char shift(struct str *path, bool *escaped)
{
    int byte = urlencoded_byte(*path);
    *escaped = byte >= 0;
    char c = *escaped ? (char)byte : path->p[0];
    size_t n = *escaped ? 3 : 1;
    *path = (struct str){path->p + n, path->n - n};
    return c;
}

static bool finds_dots(const struct reading *reading, struct str path)
{
    size_t dots = 0;
    bool escaped, named = false; /* the name of the segment has ended, or is not of dots alone */
    while (path.n) {
        char c = shift(&path, &escaped);
        bool divides = !escaped || reading->escaped;
        bool slash = divides && is_one_of(c, reading->slashes);
        bool ends = slash || (divides && is_one_of(c, reading->ends));
        if (c == '\0' || (ends && !named && (dots == 1 || dots == 2)))
            return true;
        dots = slash ? 0 : dots + (c == '.');
        named = !slash && (named || c != '.');
    }
    return !named && (dots == 1 || dots == 2);
}

/* Most paths have no character that could matter. */
static bool is_plain(struct str path)
{
    return path.n == 0 || !(memchr(path.p, '.', path.n) || memchr(path.p, '%', path.n) ||
                              memchr(path.p, '\0', path.n));
}

bool uri_has_dots(struct str path)
{
    static const struct reading ours = {"/", "", false};
    return !is_plain(path) && finds_dots(&ours, path);
}

bool uri_may_have_dots(struct str path)
{
    static const struct reading widest = {"/\\", ";", true};
    return !is_plain(path) && finds_dots(&widest, path);
}
