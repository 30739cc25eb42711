/* What the files of the json module share. */
#ifndef LUA_MODULES_JSON_JSON_PRIVATE_H
#define LUA_MODULES_JSON_JSON_PRIVATE_H

#include "core/list.h"

#include <yajl/yajl_common.h>

struct lua_State;

enum { JSON_DEPTH = 100 }; /* levels of arrays and objects */

/* json.null. [-0, +1] */
void json_push_null(struct lua_State *L);
bool json_is_null(struct lua_State *L, int index);

/* The metatable that marks arrays. [-0, +1], may longjmp */
void json_push_mark(struct lua_State *L);

/* The function decode. [-0, +1], may longjmp */
void json_push_decode(struct lua_State *L);

/*
 * The memory that yajl and the encoder use: all blocks of a pool go at once. yajl does not look
 * whether its allocator gave NULL, so this one raises a Lua error instead, and what yajl holds at
 * that time must go by json_pool_free alone, never by yajl's own free.
 */
struct json_pool {
    struct lua_State *L; /* whom to raise in; set on each way in from Lua */
    struct list blocks;
};

/* Pushes a userdata of that size: it begins with an empty pool, which its finalizer frees, and the
 * rest is zero. [-0, +1], may longjmp */
void *json_pool_push(struct lua_State *L, size_t size);
/* Frees all blocks. */
void json_pool_free(struct json_pool *p);
/* As realloc. may longjmp; the old block is then as it was */
void *json_pool_resize(struct json_pool *p, void *data, size_t size);
/* As free. */
void json_pool_drop(void *data);
/* The pool as yajl wants it. */
yajl_alloc_funcs json_pool_funcs(struct json_pool *p);

#endif
