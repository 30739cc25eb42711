/*
 * Mistakes that look like success, reported under --dev: each once for a script and generation, as
 * a warning that names it. Nothing here runs without --dev.
 *
 *     return value lost    a handler returned what other frameworks take for the response
 *     response empty       it wrote nothing, and set neither status nor header
 *     global assigned      by a request, where there was none before: all requests share it
 */
#ifndef LUA_SCRIPTS_MISTAKES_H
#define LUA_SCRIPTS_MISTAKES_H

#include <lua.h>

struct ctx;

/* Makes assignments of new globals be reported. [-0, +0, may longjmp] */
void mistakes_open(lua_State *L);
/* The handler has returned; its ctx table is at the index, and what it returned are the values
 * above. [-0, +0, may longjmp] */
void mistakes_look_at_return(lua_State *L, struct ctx *c, int table);

#endif
