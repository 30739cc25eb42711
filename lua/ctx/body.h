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
    bool ended;                          /* nothing follows the queued bytes */
    void (*consume)(void *of, size_t n); /* n bytes were read, and are to be removed */
    void *of;
};

/* Pushes the next piece of at most max bytes, or nil at the end; false if it is still to come.
 * [-0, +1, may longjmp] */
bool body_push_piece(lua_State *L, const struct body_source *s, size_t max);
/* Pushes as many bytes as the integer at the index says; at the body's end what is left of it, or
 * nil if that is nothing. False if more is to come. At index + 1, the top, is the place for the
 * pieces so far; nil at first. [-0, +0|1, may longjmp] */
bool body_push_exactly(lua_State *L, const struct body_source *s, int index);

/* A body that is read as a whole: how many bytes it may have, and how many have been read. */
struct body_whole {
    size_t limit, size;
};
enum body_step { BODY_WAITS, BODY_IS_READ, BODY_IS_TOO_LARGE };

/* Begins to read a whole body, and pushes a table for its pieces. [-0, +1, may longjmp] */
void body_start_whole(lua_State *L, struct body_whole *w, size_t limit);
/* Whether the fields of the message announce more than the limit. taken counts the bytes of it that
 * were read in any way. */
bool body_will_be_too_large(
    const struct body_whole *w, const struct fields *fields, uint64_t taken);
/* Continues with the table at the index, which is the top. Pushes the body once it is complete.
 * [-0, +0|1, may longjmp] */
enum body_step body_push_whole(
    lua_State *L, struct body_whole *w, const struct body_source *s, int index);

#endif
