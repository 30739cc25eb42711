/*
 * The lines of a script around one that is told of, which stands behind an arrow:
 *
 *         6 | return function(ctx)
 *     ->  7 |     ctx:text("x" end
 *         8 | end
 *
 * For who develops: the file is read, as it is now.
 */
#ifndef LUA_RUNTIME_EXCERPT_H
#define LUA_RUNTIME_EXCERPT_H

#include <lua.h>
#include <stdbool.h>

enum { EXCERPT_SIZE = 1024 };

/* Of the place that an error's text names, as "s/a.lua:7: unexpected symbol". False where it names
 * none that can be read; out is empty then. */
bool excerpt_of_text(const char *text, char out[EXCERPT_SIZE]);
/* Of the line that a coroutine is at in the innermost function that a file has. */
bool excerpt_of_stack(lua_State *co, char out[EXCERPT_SIZE]);

#endif
