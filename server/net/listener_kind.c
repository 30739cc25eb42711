#include "net/listener_kind.h"

#include "net/conn.h"
#include "net/listener.h"

#include <stdio.h>
#include <strings.h>

static enum rc accept_https(struct listener *ls, int fd, const struct sockaddr *sa, socklen_t len)
{
    return conn_open(ls->loop, fd, ls->tls, sa, len);
}

static enum rc accept_http(struct listener *ls, int fd, const struct sockaddr *sa, socklen_t len)
{
    return conn_open(ls->loop, fd, NULL, sa, len);
}

const struct listener_kind listener_https = {
    .scheme = {"https", 5}, .form = "https://HOST:PORT", .tls = true, .accepted = accept_https};
const struct listener_kind listener_http = {
    .scheme = {"http", 4}, .form = "http://HOST:PORT", .accepted = accept_http};

static const struct listener_kind *const kinds[] = {&listener_https, &listener_http};
enum { KINDS = sizeof kinds / sizeof *kinds };

const struct listener_kind *listener_kind_of(struct str url)
{
    for (size_t i = 0; i < KINDS; i++) {
        struct str scheme = kinds[i]->scheme;
        /* RFC 3986 3.1: the scheme's case does not matter. */
        if (url.n > scheme.n && strncasecmp(url.p, scheme.p, scheme.n) == 0 &&
            str_starts((struct str){url.p + scheme.n, url.n - scheme.n}, STR("://")))
            return kinds[i];
    }
    return NULL;
}

void listener_kind_forms(char out[LISTENER_FORMS])
{
    size_t len = 0;
    for (size_t i = 0; i < KINDS && len < LISTENER_FORMS; i++)
        len += (size_t)snprintf(
            out + len, LISTENER_FORMS - len, "%s%s", i ? " or " : "", kinds[i]->form);
}
