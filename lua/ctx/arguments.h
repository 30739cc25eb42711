/*
 * What a script writes in one call, string by string: by ctx:write, and as a client of its request.
 * The arguments stay on the stack while the call waits for room, and are gone on with from where
 * they were.
 */
#ifndef LUA_CTX_ARGUMENTS_H
#define LUA_CTX_ARGUMENTS_H

#include "core/rc.h"

#include <lua.h>
#include <stddef.h>

/* What is left of them. */
struct arguments_left {
    int next;      /* the first argument that is not written whole */
    size_t offset; /* the byte in it that comes next */
};

/* Takes what there is room for of n bytes, and says how much that is. */
typedef enum rc arguments_sink(void *of, const char *data, size_t n, size_t *taken);

/* Writes what there is room for of the arguments, strings or numbers, up to the top. RC_AGAIN where
 * some are left; else what the sink gives. Inline, so that the sink is inline too.
 * [-0, +0, may longjmp] */
static inline enum rc arguments_write(
    lua_State *L, struct arguments_left *left, arguments_sink *sink, void *of)
{
    int count = lua_gettop(L);
    for (; left->next <= count; left->next++, left->offset = 0) {
        size_t len, taken;
        const char *piece = lua_tolstring(L, left->next, &len);
        enum rc rc = sink(of, piece + left->offset, len - left->offset, &taken);
        if (rc)
            return rc;
        left->offset += taken;
        if (left->offset < len)
            return RC_AGAIN;
    }
    return RC_OK;
}

#endif
