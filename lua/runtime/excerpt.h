/*
 * The lines of a script around one that is marked with an arrow:
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

/* The lines around the place that an error's text names, such as "s/a.lua:7: unexpected symbol". If
 * it names no readable file, returns false and out is empty. */
bool excerpt_of_text(const char *text, char out[EXCERPT_SIZE]);
/* The lines around the current one of a coroutine, in its innermost function that is from a
 * file. */
bool excerpt_of_stack(lua_State *co, char out[EXCERPT_SIZE]);

#endif
