#include "http/uri.h"

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
