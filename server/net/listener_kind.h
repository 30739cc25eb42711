/*
 * The kinds of listeners: what becomes of a socket that one has accepted, by the scheme of its
 * address. Another kind is one more line in the table of listener_kind.c.
 */
#ifndef NET_LISTENER_KIND_H
#define NET_LISTENER_KIND_H

#include "core/rc.h"
#include "core/str.h"

#include <stdbool.h>
#include <sys/socket.h>

struct listener;

struct listener_kind {
    struct str scheme; /* "https" */
    const char *form;  /* how its address reads, for messages */
    bool tls;          /* it takes a certificate */
    /* Takes over an accepted socket, with the peer's address. RC_LIMIT past the loop's limits of
     * connections, RC_NOMEM; then the socket is closed. */
    enum rc (*accepted)(struct listener *ls, int fd, const struct sockaddr *sa, socklen_t len);
};

extern const struct listener_kind listener_https, listener_http;

/* The kind whose scheme, with "://" after it, begins the URL; NULL if none. */
const struct listener_kind *listener_kind_of(struct str url);
/* The forms of all, with "or" between them. */
enum { LISTENER_FORMS = 256 };
void listener_kind_forms(char out[LISTENER_FORMS]);

#endif
