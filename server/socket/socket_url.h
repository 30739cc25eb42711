/* Whom a socket is to be connected with, as a URL says it. */
#ifndef SOCKET_URL_H
#define SOCKET_URL_H

#include "core/rc.h"
#include "core/str.h"

enum socket_scheme { SOCKET_TCP, SOCKET_TLS, SOCKET_UNIX };

enum {
    SOCKET_HOST = 256, /* room for a name, an address, or a path */
    SOCKET_WHY = 256,  /* room for any message in *why below */
};

struct socket_url {
    enum socket_scheme scheme;
    char host[SOCKET_HOST]; /* a name or an address, without brackets and a final dot; a path for
                               SOCKET_UNIX */
    char port[8];           /* in digits; "" for SOCKET_UNIX */
};

/* Reads "tcp://HOST:PORT", "tls://HOST:PORT" or "unix:FILE". RC_INVALID; why then says what is
 * wrong with it. */
enum rc socket_url_parse(struct str url, struct socket_url *out, char why[SOCKET_WHY]) MUST_CHECK;

#endif
