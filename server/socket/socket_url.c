#include "socket/socket_url.h"

#include "proxy/authority.h"

#include <stdio.h>
#include <strings.h>
#include <sys/un.h>

static enum rc refuse(struct str url, const char *problem, char why[SOCKET_WHY])
{
    int n = url.n < 100 ? (int)url.n : 100;
    snprintf(why, SOCKET_WHY, "\"%.*s\" %s", n, url.p, problem);
    return RC_INVALID;
}

/* RFC 3986 3.1: a scheme's case does not matter. */
static bool take_prefix(struct str *rest, struct str prefix)
{
    if (rest->n < prefix.n || strncasecmp(rest->p, prefix.p, prefix.n))
        return false;
    *rest = (struct str){rest->p + prefix.n, rest->n - prefix.n};
    return true;
}

static void copy(char *out, size_t size, struct str text)
{
    snprintf(out, size, "%.*s", (int)text.n, text.p);
}

static enum rc parse_path(
    struct str url, struct str path, struct socket_url *out, char why[SOCKET_WHY])
{
    enum { PATH = sizeof((struct sockaddr_un *)0)->sun_path };
    if (path.n == 0 || path.n >= PATH || memchr(path.p, '\0', path.n))
        return refuse(url, "has no socket's path of up to 107 bytes", why);
    out->scheme = SOCKET_UNIX;
    copy(out->host, sizeof out->host, path);
    return RC_OK;
}

enum rc socket_url_parse(struct str url, struct socket_url *out, char why[SOCKET_WHY])
{
    struct str rest = url, host, port;
    *out = (struct socket_url){.scheme = SOCKET_TCP};
    if (take_prefix(&rest, STR("unix:")))
        return parse_path(url, rest, out, why);
    if (take_prefix(&rest, STR("tls://")))
        out->scheme = SOCKET_TLS;
    else if (!take_prefix(&rest, STR("tcp://")))
        return refuse(url, "begins with none of tcp://, tls://, unix:", why);
    if (!authority_is_plain(rest) || memchr(rest.p, '/', rest.n) || memchr(rest.p, '?', rest.n))
        return refuse(url, "has more in it than HOST:PORT", why);
    if (!authority_split(rest, &host, &port) || host.n >= SOCKET_HOST)
        return refuse(url, "has no host", why);
    if (!port.p || !authority_is_port(port))
        return refuse(url, "has no port between 1 and 65535", why);
    if (host.n > 1 && host.p[host.n - 1] == '.') /* not part of the name */
        host.n--;
    copy(out->host, sizeof out->host, host);
    copy(out->port, sizeof out->port, port);
    return RC_OK;
}
