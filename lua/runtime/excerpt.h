/*
 * The lines of a script around the one to show, which has an arrow in front:
 *
 *         6 | return function(ctx)
 *     ->  7 |     ctx:text("x" end
 *         8 | end
 *
 * For --dev only: it reads the file as it is on disk.
 */
#ifndef LUA_RUNTIME_EXCERPT_H
#define LUA_RUNTIME_EXCERPT_H

#include <lua.h>
#include <stdbool.h>

enum { EXCERPT_SIZE = 1024 };

/* Around the place that an error's text names, such as "s/a.lua:7: unexpected symbol". False if it
 * names no file that can be read; out is empty then. */
bool excerpt_of_text(const char *text, char out[EXCERPT_SIZE]);
/* Of the line that a coroutine is at in the innermost function that a file has. */
bool excerpt_of_stack(lua_State *co, char out[EXCERPT_SIZE]);

#endif
