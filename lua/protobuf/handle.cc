#include "lua/protobuf/handle.h"

namespace codec
{

static const char type_mark = 0;
static const char schema_name[] = "moontrail.protobuf.schema";

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

void handle_open(lua_State *L)
{
    luaL_newmetatable(L, schema_name);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
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

const type_handle *handle_check_type(lua_State *L)
{
    auto t = (const type_handle *)lua_touserdata(L, 1);
    if (!t || lua_rawlen(L, 1) != sizeof *t || t->mark != &type_mark)
        luaL_typeerror(L, 1, "message type");
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
