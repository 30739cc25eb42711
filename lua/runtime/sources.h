/*
 * The files that the scripts of a vm come from: each script, each module that require finds and
 * where it looked before, what loadfile and dofile read, and what a script names with mt.watch. A
 * change of one of them is a reason to load anew.
 */
#ifndef LUA_RUNTIME_SOURCES_H
#define LUA_RUNTIME_SOURCES_H

#include <lua.h>

struct vm;

/* Makes require, loadfile and dofile note what they read, and require refuse what is no text.
 * [-0, +0, may longjmp] */
void sources_open(lua_State *L);
/* Notes a file, which need not exist. [-0, +0, may longjmp] */
void sources_note(lua_State *L, const char *path);
/* Visits the path of each, in no order. */
void sources_visit(struct vm *vm, void (*visit)(void *data, const char *file), void *data);

#endif
