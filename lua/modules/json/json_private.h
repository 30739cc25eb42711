/* What the files of the module json share. */
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
 * The memory of yajl and of the encoder: all blocks of a pool are freed at once. yajl does not
 * check whether its allocator returned NULL, so this one raises a Lua error instead. After an error
 * yajl's memory must be freed by json_pool_free only, never by yajl's own functions.
 */
struct json_pool {
    struct lua_State *L; /* where errors are raised; set on each entry from Lua */
    struct list blocks;
};

/* Pushes a userdata of the size. It begins with an empty pool, which its finalizer frees; the rest
 * is zero. [-0, +1], may longjmp */
void *json_pool_push(struct lua_State *L, size_t size);
/* Frees all blocks. */
void json_pool_free(struct json_pool *p);
/* As realloc, but may longjmp: the old block is then unchanged. */
void *json_pool_resize(struct json_pool *p, void *data, size_t size);
/* As free. */
void json_pool_drop(void *data);
/* The pool as an allocator for yajl. */
yajl_alloc_funcs json_pool_funcs(struct json_pool *p);

#endif
