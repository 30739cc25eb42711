#include "lua/protobuf/handle.h"

#include "lua/protobuf/constants.h"

#include <memory>
#include <new>

namespace codec
{

static const char type_mark = 0;
static const char shared_key = 0; /* in the registry: tables of constants, by folders */
enum { STORE = 0 /* key of the store in a table of constants */ };

static const char schema_name[] = "moontrail.protobuf.schema";
static const char store_name[] = "moontrail.protobuf.store";

using store_handle = std::shared_ptr<store>;

static void check_open(lua_State *L, const schema_handle *h)
{
    handle_check(L, h->s ? nullptr : "protobuf: the Lua state is closing");
}

static int l_close(lua_State *L)
{
    auto h = (schema_handle *)luaL_checkudata(L, 1, schema_name);
    schema_free(h->s);
    h->s = nullptr;
    return 0;
}

static int l_release(lua_State *L)
{
    ((store_handle *)luaL_checkudata(L, 1, store_name))->reset();
    return 0;
}

/* Pushes what keeps a store for as long as Lua refers to it. */
static void push_store(lua_State *L, const store_handle &held)
{
    new (lua_newuserdatauv(L, sizeof(store_handle), 0)) store_handle(held);
    luaL_setmetatable(L, store_name);
}

/* The tables of constants by the folders of their stores, as long as anything refers to them. Each
 * keeps its store, under STORE: a table may be in use when the last of its schemas is gone. */
static void open_shared(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &shared_key);
}

store *handle_push_shared(lua_State *L, const schema *s)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &shared_key);
    lua_pushlstring(L, s->folders.data(), s->folders.size());
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_isnil(L, -1))
        return nullptr;
    lua_rawgeti(L, -1, STORE);
    auto found = (const store_handle *)lua_touserdata(L, -1);
    lua_pop(L, 1);
    return found->get();
}

/* Stores the table on the top as that of the schema's folders. */
static void share(lua_State *L, const schema *s)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &shared_key);
    lua_pushlstring(L, s->folders.data(), s->folders.size());
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void handle_give_constants(lua_State *L, schema *s, bool shared)
{
    store *held = s->held.get();
    bool whole = held->whole;
    held->whole = false;
    if (held->prepared.constants_pushed == 0) {
        lua_pop(L, 1);
        lua_createtable(L, (int)held->prepared.constants.size(), 1);
        push_store(L, s->held);
        lua_rawseti(L, -2, STORE);
    }
    constants_fill(L, held->prepared);
    if (shared && whole)
        share(L, s);
    lua_setiuservalue(L, -2, SCHEMA_CONSTANTS);
    held->whole = whole;
}

void handle_open(lua_State *L)
{
    open_shared(L);
    luaL_newmetatable(L, schema_name);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    luaL_newmetatable(L, store_name);
    lua_pushcfunction(L, l_release);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 2);
}

schema_handle *handle_push_schema(lua_State *L)
{
    auto h = (schema_handle *)lua_newuserdatauv(L, sizeof(schema_handle), 2);
    h->s = nullptr;
    luaL_setmetatable(L, schema_name);
    lua_newtable(L);
    lua_setiuservalue(L, -2, SCHEMA_TYPES);
    h->s = schema_new();
    handle_check(L, h->s ? nullptr : "not enough memory");
    return h;
}

schema_handle *handle_check_schema(lua_State *L)
{
    auto h = (schema_handle *)luaL_checkudata(L, 1, schema_name);
    check_open(L, h);
    return h;
}

const type_handle *handle_check_type(lua_State *L, int index)
{
    auto t = (const type_handle *)lua_touserdata(L, index);
    if (!t || lua_rawlen(L, index) != sizeof *t || t->mark != &type_mark)
        luaL_typeerror(L, index, "message type");
    check_open(L, t->owner);
    return t;
}

type_handle *handle_push_type(lua_State *L, const schema_handle *owner, const message *m)
{
    auto t = (type_handle *)lua_newuserdatauv(L, sizeof(type_handle), 2);
    *t = {&type_mark, owner, m};
    return t;
}

void handle_check(lua_State *L, const char *problem)
{
    if (!problem)
        return;
    lua_pushstring(L, problem);
    lua_error(L);
}

void handle_push_result(lua_State *L, schema *s)
{
    lua_pushlstring(L, s->result.data(), s->result.size());
    s->result.clear();
    s->result.shrink_to_fit();
}

} // namespace codec
