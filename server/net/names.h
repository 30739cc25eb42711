/*
 * The names that a worker looks up for its scripts: one resolver, which is made when the first of
 * them is. Modules that dial by libraries of their own get their addresses here.
 */
#ifndef NET_NAMES_H
#define NET_NAMES_H

#include "net/resolver.h"

struct names {
    struct ev_loop *ev; /* borrowed */
    struct resolver *resolver;
};

void names_init(struct names *n, struct ev_loop *ev);
/* As resolver_free; no effect if no name was looked up. */
void names_fini(struct names *n);
/* As lookup_start. RC_SYSTEM: there can be no resolver; RC_NOMEM. */
enum rc names_look_up(
    struct names *n, struct lookup *l, const char *host, const char *port) MUST_CHECK;

#endif
