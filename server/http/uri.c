#include "http/uri.h"

#include "http/field.h"
#include "http/urlencoded.h"

#include <stdint.h>

/* The characters of a URI, and those that clients leave unencoded although RFC 3986 asks for it:
 * all visible ASCII. A fragment is never sent (RFC 9110 7.1). */
bool uri_is_target(struct str target)
{
    static const bool allowed[256] = {['!' ... '"'] = true, ['$' ... '~'] = true};
    for (size_t i = 0; i < target.n; i++)
        if (!allowed[(unsigned char)target.p[i]])
            return false;
    return target.n > 0;
}

/* The characters of a name, and those between brackets. RFC 3986 allows a comma in a name, but code
 * that joins fields would take it for two values. */
enum { IN_NAME = 1, IN_BRACKETS = 2, DIGIT = 4 };

#define BOTH (IN_NAME | IN_BRACKETS)

static const unsigned char host_chars[256] = {
    ['!'] = IN_NAME,
    ['$' ... '+'] = IN_NAME,
    ['-'] = IN_NAME,
    ['.'] = BOTH,
    ['0' ... '9'] = BOTH | DIGIT,
    [':'] = IN_BRACKETS,
    [';'] = IN_NAME,
    ['='] = IN_NAME,
    ['A' ... 'Z'] = BOTH,
    ['_'] = IN_NAME,
    ['a' ... 'z'] = BOTH,
    ['~'] = IN_NAME,
};

static size_t span(struct str text, size_t from, int kind)
{
    while (from < text.n && host_chars[(unsigned char)text.p[from]] & kind)
        from++;
    return from;
}

/* The length of the address in brackets, or of the name, at the front. */
static size_t host_length(struct str text)
{
    if (text.n == 0 || text.p[0] != '[')
        return span(text, 0, IN_NAME);
    size_t n = span(text, 1, IN_BRACKETS);
    return n > 1 && n < text.n && text.p[n] == ']' ? n + 1 : 0;
}

/* A port may be empty (RFC 3986 3.2.3). */
static bool is_port(struct str text)
{
    uint32_t port = 0;
    if (text.n > 5 || span(text, 0, DIGIT) < text.n)
        return false;
    for (size_t i = 0; i < text.n; i++)
        port = port * 10 + (uint32_t)(text.p[i] - '0');
    return port <= 65535;
}

static bool reads_as_host(struct str text)
{
    size_t n = host_length(text);
    if (n == 0 || n == text.n)
        return n > 0;
    return text.p[n] == ':' && is_port((struct str){text.p + n + 1, text.n - n - 1});
}

/* The same few hosts come again and again, so the last good one is remembered. */
bool uri_is_host(struct str text)
{
    static struct {
        char text[64];
        size_t n;
    } last;
    if (text.n && text.n == last.n && memcmp(text.p, last.text, text.n) == 0)
        return true;
    if (!reads_as_host(text))
        return false;
    if (text.n <= sizeof last.text) {
        memcpy(last.text, text.p, text.n);
        last.n = text.n;
    }
    return true;
}

/* Removes a port that is the default of the scheme, or empty. */
static struct str without_port(struct str host, struct str scheme)
{
    struct str port = str_eq(scheme, STR("https")) ? STR(":443") : STR(":80");
    if (host.n > port.n && memcmp(host.p + host.n - port.n, port.p, port.n) == 0)
        host.n -= port.n;
    else if (host.n && host.p[host.n - 1] == ':')
        host.n--;
    return host;
}

bool uri_same_host(struct str a, struct str b, struct str scheme)
{
    return str_eq(a, b) || field_same_name(without_port(a, scheme), without_port(b, scheme));
}

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

/* How a reader divides a path: the characters that end a segment; those that end only its name,
 * such as ";"; and whether escaped ones do so too. */
struct reading {
    const char *slashes, *ends;
    bool escaped;
};

/* Takes one character off the front of a path, decoded; *escaped says whether it was escaped. */
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
    bool escaped, named = false; /* the segment has other characters than dots, or its end */
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

/* Most paths have nothing that matters here: no dot at the front of a segment, no escape. Most
 * characters are not below the slash, and all that matter are. */
static bool is_plain(struct str path)
{
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c >= '/')
            continue;
        bool leads = i == 0 || path.p[i - 1] == '/' || path.p[i - 1] == '\\';
        if (c == '%' || c == '\0' || (c == '.' && leads))
            return false;
    }
    return true;
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
