#include "lua/modules/json/json_private.h"
#include "core/mem.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

struct block {
    struct list node;
    _Alignas(max_align_t) char data[];
};

static struct block *block_of(void *data)
{
    return container_of(data, struct block, data);
}

/* Puts a block into the pool and returns its data; raises if there is no memory. may longjmp */
static void *keep(struct json_pool *p, struct block *b)
{
    if (!b)
        luaL_error(p->L, "not enough memory");
    list_init(&b->node);
    list_append(&p->blocks, &b->node);
    return b->data;
}

static void *pool_malloc(void *pool, size_t size)
{
    return keep(pool, mem_malloc(sizeof(struct block) + size));
}

void *json_pool_resize(struct json_pool *p, void *data, size_t size)
{
    if (!data)
        return pool_malloc(p, size);
    struct block *old = block_of(data);
    list_remove(&old->node);
    struct block *b = mem_realloc(old, sizeof *b + size);
    if (!b)
        list_append(&p->blocks, &old->node);
    return keep(p, b);
}

static void *pool_realloc(void *pool, void *data, size_t size)
{
    return json_pool_resize(pool, data, size);
}

void json_pool_drop(void *data)
{
    if (!data)
        return;
    struct block *b = block_of(data);
    list_remove(&b->node);
    mem_free(b);
}

static void pool_drop(void *pool, void *data)
{
    (void)pool;
    json_pool_drop(data);
}

yajl_alloc_funcs json_pool_funcs(struct json_pool *p)
{
    return (yajl_alloc_funcs){pool_malloc, pool_realloc, pool_drop, p};
}

void json_pool_free(struct json_pool *p)
{
    struct list *node;
    while ((node = list_shift(&p->blocks)))
        mem_free(container_of(node, struct block, node));
}

static int l_gc(lua_State *L)
{
    json_pool_free(lua_touserdata(L, 1));
    return 0;
}

void *json_pool_push(lua_State *L, size_t size)
{
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    struct json_pool *p = memset(lua_newuserdatauv(L, size, 0), 0, size);
    list_init(&p->blocks);
    lua_insert(L, -2);
    lua_setmetatable(L, -2);
    return p;
}
