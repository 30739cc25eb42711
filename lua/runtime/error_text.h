/* Text for the values that scripts raise. Any value may be an error, and one that cannot be
 * described must not hide that there was an error. */
#ifndef LUA_RUNTIME_ERROR_TEXT_H
#define LUA_RUNTIME_ERROR_TEXT_H

#include <lua.h>
#include <stdbool.h>

/*
 * Pushes a text for the error at index: a string unchanged; the result of __tostring; for a table
 * without that its message and code, if it has them. Calls __tostring, whose own failure becomes
 * part of the text. False if there is none of these: the text then tells the type of the value.
 * [-0, +1, may longjmp for want of memory]
 */
bool error_text_push(lua_State *L, int index);

/* Calls log with the light userdata and the error on top of the stack, which stays there. If log
 * raises, logs the event without the error's text. [-0, +0] */
void error_text_report(lua_State *L, lua_CFunction log, void *about, const char *event);

#endif
