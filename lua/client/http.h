/*
 * mt.http: calls of other servers from a script. request, get and post return the response after
 * its head has come; open returns the call at once, and the script then writes its request. A body
 * that does not fit into the call's queue is written by a task of its own, which goes on while the
 * response is read.
 */
#ifndef LUA_CLIENT_HTTP_H
#define LUA_CLIENT_HTTP_H

#include <lua.h>

/* Pushes the table of functions. [-0, +1, may longjmp] */
void http_open(lua_State *L);

#endif
