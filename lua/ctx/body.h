/*
 * The body of an incoming message, for Lua. Its bytes wait in a queue; reading them calls consume.
 * If there are too few, the reader waits, and asks again with the stack as it was.
 */
#ifndef LUA_CTX_BODY_H
#define LUA_CTX_BODY_H

#include "core/bytes.h"
#include "http/field.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct body_source {
    const struct bytes *queue;
    bool ended;                          /* nothing follows what is queued */
    void (*consume)(void *of, size_t n); /* n bytes were read, and are to go */
    void *of;
};

/* Pushes the next piece of at most max bytes, or nil at the end; false if it is still to come.
 * [-0, +1, may longjmp] */
bool body_push_piece(lua_State *L, const struct body_source *s, size_t max);
/* Pushes as many bytes as the integer at the index says, or what there is up to the body's end, and
 * nil where that is nothing; false where more is to come. Behind the index is room for the pieces
 * so far, nil at first, and then the top. [-0, +0|1, may longjmp] */
bool body_push_exactly(lua_State *L, const struct body_source *s, int index);

/* A body that is read as a whole: the bytes that it may have, and those that are read. */
struct body_whole {
    size_t limit, size;
};
enum body_step { BODY_WAITS, BODY_IS_READ, BODY_IS_TOO_LARGE };

/* Begins to read one, and pushes a table for its pieces. [-0, +1, may longjmp] */
void body_start_whole(lua_State *L, struct body_whole *w, size_t limit);
/* Whether the fields of the message tell that more is to come than may; taken counts the bytes that
 * were read of it in any way. */
bool body_will_be_too_large(
    const struct body_whole *w, const struct fields *fields, uint64_t taken);
/* Goes on with the table at the index, which is the top; pushes the body once it is read.
 * [-0, +0|1, may longjmp] */
enum body_step body_push_whole(
    lua_State *L, struct body_whole *w, const struct body_source *s, int index);

#endif
