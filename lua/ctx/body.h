/*
 * The body of an incoming message, for Lua. Its bytes wait in a queue; reading them calls consume.
 * If there are too few, the reader waits, and asks again with the stack as it was.
 */
#ifndef LUA_CTX_BODY_H
#define LUA_CTX_BODY_H

#include "core/bytes.h"

#include <lua.h>
#include <stdbool.h>

struct body_source {
    const struct bytes *queue;
    bool ended;                          /* nothing follows what is queued */
    void (*consume)(void *of, size_t n); /* n bytes were read, and are to go */
    void *of;
};

/* Pushes the next piece of at most max bytes, or nil at the end; false if it is still to come. [-0,
 * +1, may longjmp] */
bool body_push_piece(lua_State *L, const struct body_source *s, size_t max);
/* Pushes as many bytes as the integer at the index says, or what there is up to the body's end, and
 * nil where that is nothing; false where more is to come. Behind the index is room for the pieces
 * so far, nil at first, and then the top. [-0, +0|1, may longjmp] */
bool body_push_exactly(lua_State *L, const struct body_source *s, int index);

/* Adds the string on top to the table of pieces at the index. Short ones are joined at once, so
 * that a body that trickles in takes no more memory than one that comes at once. [-1, +0, may
 * longjmp] */
void body_keep_piece(lua_State *L, int index);
/* Pushes all that a table of pieces has, as one string. [-0, +1, may longjmp] */
void body_push_joined(lua_State *L, int index);

#endif
