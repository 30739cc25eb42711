#include "proxy/origin.h"

#include "proxy/authority.h"

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
    if (!authority_is_plain(rest))
        return refuse(url, "has a byte that a URL can't have, a fragment or a user", why);
    const char *slash = memchr(rest.p, '/', rest.n);
    struct str authority = {rest.p, slash ? (size_t)(slash - rest.p) : rest.n};
    if (memchr(authority.p, '?', authority.n))
        return refuse(url, "has a query without a path: put a slash in front of it", why);
    if (!authority_split(authority, &host, &port) || host.n >= ORIGIN_HOST)
        return refuse(url, "has no host", why);
    if (port.p && !authority_is_port(port))
        return refuse(url, "has no port between 1 and 65535 behind its colon", why);
    if (slash)
        *target = (struct str){slash, rest.n - authority.n};
    if (host.n > 1 && host.p[host.n - 1] == '.') /* not part of the name */
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
