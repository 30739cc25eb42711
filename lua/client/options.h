/* The options of a call of another server, as a script gives them: docs/api.md. */
#ifndef LUA_CLIENT_OPTIONS_H
#define LUA_CLIENT_OPTIONS_H

#include "http/connector.h"

#include <lua.h>

struct http_call;

struct http_options {
    struct connector_order order;
    struct http_call *call; /* its fields are set */
    double timeout;         /* 0 for none */
};

/* Reads the table at the index, or nil, and sets the call's fields. The strings in o->order live as
 * long as the table is not changed. Raises for invalid options. [-0, +0, may longjmp] */
void http_options_read(lua_State *L, int index, struct http_options *o);

#endif
