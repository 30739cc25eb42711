/*
 * Upstreams by a name, for handlers that ask for them: ctx:proxy("upstream:NAME"). They take turns,
 * and are left out, as those of a route.
 */
#ifndef PROXY_POOLS_H
#define PROXY_POOLS_H

#include "proxy/upstreams.h"

#include <stdio.h>

struct named_upstreams;

struct pools {
    struct named_upstreams *first;
};

/* Adds "NAME=URL", which is borrowed. RC_INVALID, RC_LIMIT, why then is one line; RC_NOMEM. */
enum rc pools_add(struct pools *p, const char *text, char why[ORIGIN_WHY]) MUST_CHECK;
void pools_fini(struct pools *p);
/* NULL for a name that there is not. */
struct upstreams *pools_find(const struct pools *p, struct str name);
/* Prints a line for each upstream. */
void pools_print(const struct pools *p, FILE *out);

#endif
