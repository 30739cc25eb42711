/*
 * The files that the scripts of a vm come from: each script, each module that require finds and
 * where it looked before, what loadfile and dofile read, and what a script names with mt.watch. If
 * one of them changes, the scripts are loaded anew.
 */
#ifndef LUA_RUNTIME_SOURCES_H
#define LUA_RUNTIME_SOURCES_H

#include <lua.h>

struct vm;

/* Makes require, loadfile and dofile note the files that they read, and require refuse precompiled
 * chunks. [-0, +0, may longjmp] */
void sources_open(lua_State *L);
/* Notes a file, which need not exist. [-0, +0, may longjmp] */
void sources_note(lua_State *L, const char *path);
/* Visits the path of each file, in no order. */
void sources_visit(struct vm *vm, void (*visit)(void *data, const char *file), void *data);

#endif
