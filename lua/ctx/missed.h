/*
 * Names of ctx that do not exist. Looking one up is no error, since scripts keep fields of their
 * own there; but the last one is noted, and if an error follows from it, the error's text says what
 * was meant:
 *
 *     attempt to call a nil value (method 'txt'): nearest: text
 */
#ifndef LUA_CTX_MISSED_H
#define LUA_CTX_MISSED_H

#include <lua.h>

/* Makes the table on top, which has the names that exist, note a look-up of any other. [-0, +0, may
 * longjmp] */
void missed_watch(lua_State *L);
/* Pushes the text of the error at the index, as error_text_push, with what was meant. [-0, +1, may
 * longjmp for want of memory] */
void missed_push_text(lua_State *L, int index);

#endif
