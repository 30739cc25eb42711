/*
 * The strings that a script writes in one call: by ctx:write, and to its request as a client. The
 * arguments stay on the stack while the call waits for room; writing then continues where it
 * stopped.
 */
#ifndef LUA_CTX_ARGUMENTS_H
#define LUA_CTX_ARGUMENTS_H

#include "core/rc.h"

#include <lua.h>
#include <stddef.h>

/* What is left of the arguments. */
struct arguments_left {
    int next;      /* the first argument that is not completely written */
    size_t offset; /* the next byte in it */
};

/* Takes as much of n bytes as there is room for, and says how much that is. */
typedef enum rc arguments_sink(void *of, const char *data, size_t n, size_t *taken);

/* Writes as much of the arguments, strings or numbers up to the top, as there is room for. RC_AGAIN
 * if some are left; else the sink's result. Inline, so that the sink is inline too. [-0, +0, may
 * longjmp] */
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
