#include "proxy/origin.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct kind {
    struct str prefix;
    enum origin_scheme scheme;
    const char *port;
} kinds[] = {
    {{"http://", 7}, ORIGIN_HTTP, "80"},
    {{"https://", 8}, ORIGIN_HTTPS, "443"},
    {{"h2c://", 6}, ORIGIN_H2C, "80"},
    {{"unix:", 5}, ORIGIN_UNIX, ""},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static enum rc refuse(struct str url, const char *problem, char why[ORIGIN_WHY])
{
    int n = url.n < 100 ? (int)url.n : 100;
    snprintf(why, ORIGIN_WHY, "upstream \"%.*s\" %s", n, url.p, problem);
    return RC_INVALID;
}

/* RFC 3986 3.1: a scheme's case does not matter. */
static bool starts_with(struct str text, struct str prefix)
{
    return text.n >= prefix.n && strncasecmp(text.p, prefix.p, prefix.n) == 0;
}

static const struct kind *kind_of(struct str url)
{
    for (int i = 0; i < KINDS; i++)
        if (starts_with(url, kinds[i].prefix))
            return &kinds[i];
    return NULL;
}

/* Whether the text is free of bytes that could end a line, or a part of the URL, early. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}#@", c))
            return false;
    }
    return true;
}

static bool is_port(struct str text)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text.p[i] - '0');
    }
    return text.n >= 1 && text.n <= 5 && port >= 1 && port <= 65535;
}

/* Divides "HOST[:PORT]", where HOST may be an IPv6 address in brackets. */
static bool split(struct str authority, struct str *host, struct str *port)
{
    const char *end = authority.p + authority.n, *mark;
    *host = authority;
    if (authority.n && authority.p[0] == '[') {
        mark = memchr(authority.p, ']', authority.n);
        if (!mark)
            return false;
        *host = (struct str){authority.p + 1, (size_t)(mark - authority.p) - 1};
        mark++;
    } else {
        mark = memchr(authority.p, ':', authority.n);
        mark = mark ? mark : end;
        host->n = (size_t)(mark - authority.p);
    }
    if (mark < end && *mark != ':')
        return false;
    *port = mark < end ? (struct str){mark + 1, (size_t)(end - mark) - 1} : (struct str){NULL, 0};
    return host->n > 0 && host->n < ORIGIN_HOST;
}

static enum rc parse_path(struct str url, struct str path, struct origin *out, char why[ORIGIN_WHY])
{
    enum { SOCKET_PATH = 108 }; /* room in sockaddr_un, with its NUL */
    if (path.n == 0 || path.n >= SOCKET_PATH || memchr(path.p, '\0', path.n))
        return refuse(url, "has no socket's path of up to 107 bytes", why);
    snprintf(out->host, sizeof out->host, "%.*s", (int)path.n, path.p);
    snprintf(out->authority, sizeof out->authority, "localhost");
    return RC_OK;
}

enum rc origin_parse(struct str url, struct origin *out, struct str *target, char why[ORIGIN_WHY])
{
    const struct kind *kind = kind_of(url);
    struct str host, port;
    if (!kind)
        return refuse(url, "begins with none of http://, https://, h2c://, unix:", why);
    *out = (struct origin){.scheme = kind->scheme};
    *target = STR("");
    struct str rest = {url.p + kind->prefix.n, url.n - kind->prefix.n};
    if (kind->scheme == ORIGIN_UNIX)
        return parse_path(url, rest, out, why);
    if (!is_plain(rest))
        return refuse(url, "has a byte that a URL can't have, a fragment or a user", why);
    const char *slash = memchr(rest.p, '/', rest.n);
    struct str authority = {rest.p, slash ? (size_t)(slash - rest.p) : rest.n};
    if (memchr(authority.p, '?', authority.n))
        return refuse(url, "has a query without a path: put a slash in front of it", why);
    if (!split(authority, &host, &port))
        return refuse(url, "has no host", why);
    if (port.p && !is_port(port))
        return refuse(url, "has no port between 1 and 65535 behind its colon", why);
    if (slash)
        *target = (struct str){slash, rest.n - authority.n};
    if (host.n > 1 && host.p[host.n - 1] == '.') /* which ends a full name, and is no part of it */
        host.n--;
    snprintf(out->host, sizeof out->host, "%.*s", (int)host.n, host.p);
    snprintf(out->port, sizeof out->port, "%.*s", port.p ? (int)port.n : 3,
        port.p ? port.p : kind->port);
    snprintf(out->authority, sizeof out->authority, "%.*s", (int)authority.n, authority.p);
    return RC_OK;
}

enum rc origin_parse_base(
    struct str url, struct origin *out, struct str *base, char why[ORIGIN_WHY])
{
    enum rc rc = origin_parse(url, out, base, why);
    if (!rc && base->n && memchr(base->p, '?', base->n))
        return refuse(url, "has a query, which belongs to requests", why);
    return rc;
}

bool origin_same(const struct origin *a, const struct origin *b)
{
    return a->scheme == b->scheme && strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

struct str origin_http_scheme(const struct origin *o)
{
    return o->scheme == ORIGIN_HTTPS ? STR("https") : STR("http");
}
