/* What the log says of the values that scripts raise: any value may be an error, and one that
 * cannot be described must not hide that there was one. */
#ifndef LUA_RUNTIME_ERROR_TEXT_H
#define LUA_RUNTIME_ERROR_TEXT_H

#include <lua.h>
#include <stdbool.h>

/*
 * Pushes a text for the error at index: a string as it is; what __tostring gives; for a table
 * without one its message and code, where it has them. Calls __tostring, whose own failure becomes
 * part of the text. False where there is none of these, and the text says what type of value it is.
 * [-0, +1, may longjmp for want of memory]
 */
bool error_text_push(lua_State *L, int index);

/* Calls log with the light userdata and the error on top of the stack, which stays there. Where
 * that fails, logs the event without the error's text. [-0, +0] */
void error_text_report(lua_State *L, lua_CFunction log, void *about, const char *event);

#endif
