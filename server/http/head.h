/*
 * What the head of a request may say, by whatever version of HTTP it came: method and target,
 * scheme, authority and Host, and what the client expects. A session takes apart what its version
 * writes in its own way; what may stand there, and what it means, is decided here, once for all.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "core/str.h"

#include <stdbool.h>

struct exchange;
struct request;

enum head_fault {
    HEAD_NO_FAULT,
    HEAD_CONNECT,
    HEAD_BAD_TARGET,
    HEAD_NO_HOST,
    HEAD_TWO_HOSTS,
    HEAD_BAD_HOST,
    HEAD_OTHER_HOST,  /* than :authority */
    HEAD_EXPECTATION, /* that is not known */
};

/* For the log. */
const char *head_fault_text(enum head_fault fault);
/* The status that the client gets. */
int head_fault_status(enum head_fault fault);

/* Sets path and query, which borrow from the target: one that begins with a slash, or "*" for
 * OPTIONS. The method is set already, and so is what an extended CONNECT asks for (RFC 8441). */
enum head_fault head_set_target(struct request *r, struct str target);
/*
 * The head is complete: the fields, and the authority if the client names it apart from them (p is
 * NULL if it does not). Checks them, and sets
 *
 *     authority   in place of Host or from it; Host then is the same
 *     scheme      to that of the connection, whatever the client says
 *     the body    to what the head says of it: none says that nothing follows
 *
 * In this the versions differ: HTTP/1.0 needs no Host, and knows no expectations; in HTTP/1.1 the
 * authority of an absolute target replaces Host (RFC 9112 3.2.2); in HTTP/2 the two must agree (RFC
 * 9113 8.3.1).
 */
enum head_fault head_settle(struct exchange *x, bool none);

#endif
