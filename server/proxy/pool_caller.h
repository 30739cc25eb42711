/* The caller that a handler makes calls with (http/caller.h): it reads the URL, and the pool does
 * the rest. */
#ifndef PROXY_POOL_CALLER_H
#define PROXY_POOL_CALLER_H

#include "http/caller.h"

struct pool;

struct pool_caller {
    struct caller base;
    struct pool *pool; /* borrowed; NULL as long as there is none, and then calls are refused */
};

void pool_caller_init(struct pool_caller *k);

#endif
