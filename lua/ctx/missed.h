/*
 * Names of ctx that do not exist. To ask for one is no error, since scripts keep fields of their
 * own there; but the last one asked for is noted, and where an error follows from it, its text says
 * what was meant:
 *
 *     attempt to call a nil value (method 'txt'): nearest: text
 */
#ifndef LUA_CTX_MISSED_H
#define LUA_CTX_MISSED_H

#include <lua.h>

/* Has the table on top, of the names that there are, note what it does not have. [-0, +0, may
 * longjmp] */
void missed_watch(lua_State *L);
/* Pushes the text of the error at the index, as error_text_push, with what was meant. [-0, +1, may
 * longjmp for want of memory] */
void missed_push_text(lua_State *L, int index);

#endif
