/* The connector that a handler makes calls with (http/connector.h): it reads the URL, and the pool
 * does the rest. */
#ifndef PROXY_POOL_CONNECTOR_H
#define PROXY_POOL_CONNECTOR_H

#include "http/connector.h"

struct pool;

struct pool_connector {
    struct connector base;
    struct pool *pool; /* borrowed; NULL as long as there is none, and then calls are refused */
};

void pool_connector_init(struct pool_connector *k);

#endif
