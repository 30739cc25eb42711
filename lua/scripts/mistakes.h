/*
 * Mistakes that look like success. Under --dev each is reported once for a script and generation,
 * as a warning. Nothing here runs without --dev.
 *
 *     return value lost    a handler returned what other frameworks take for the response
 *     response empty       it wrote nothing, and set neither status nor header
 *     global assigned      by a request, where there was none before: all requests share it
 */
#ifndef LUA_SCRIPTS_MISTAKES_H
#define LUA_SCRIPTS_MISTAKES_H

#include <lua.h>
#include <stdbool.h>

struct ctx;

/* Has assignments of new globals reported. [-0, +0, may longjmp] */
void mistakes_open(lua_State *L);
/* To be called after the handler has returned. Its ctx table is at the index, and its results are
 * above. Returns whether one of them is lost. [-0, +0, may longjmp] */
bool mistakes_look_at_values(lua_State *L, struct ctx *c, int table);
/* To be called after all that might write has returned. */
void mistakes_look_at_response(struct ctx *c);

#endif
