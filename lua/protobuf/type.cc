#include "lua/protobuf/type.h"

#include "lua/protobuf/decode.h"
#include "lua/protobuf/encode.h"
#include "lua/protobuf/json_parse.h"
#include "lua/protobuf/json_print.h"

namespace codec
{

static const char methods_key = 0; /* in the registry: the methods of types */

/* encode(table) */
static int l_encode(lua_State *L)
{
    const type_handle *t = handle_check_type(L, 1);
    lua_settop(L, 2);
    encode_push(L, *t->m, 2);
    return 1;
}

/* Where a position counted from 1, or from the end when negative, lies among n bytes and one. */
static size_t to_offset(lua_Integer position, size_t n)
{
    if (position > 0)
        return position <= (lua_Integer)n ? (size_t)position : n + 1;
    return position < -(lua_Integer)n ? 0 : (size_t)((lua_Integer)n + position + 1);
}

/* The part of the n bytes that the positions at the index and behind it mean. */
static input to_part(lua_State *L, int index, const uint8_t *bytes, size_t n)
{
    size_t first = to_offset(luaL_optinteger(L, index, 1), n);
    size_t last = to_offset(luaL_optinteger(L, index + 1, -1), n);
    first = first < 1 ? 1 : first;
    last = last > n ? n : last;
    return last < first ? input{bytes, bytes} : input{bytes + first - 1, bytes + last};
}

/* Pushes the constants of the type at the index; gives where they lie. */
static int push_constants(lua_State *L, int type)
{
    lua_getiuservalue(L, type, TYPE_CONSTANTS);
    return lua_gettop(L);
}

/* Decodes the bytes at the index, of which two arguments more may mean a part. */
static int decode_at(lua_State *L, const type_handle *t, int type, int bytes_at, int fail)
{
    size_t n;
    luaL_checktype(L, bytes_at, LUA_TSTRING);
    auto bytes = (const uint8_t *)lua_tolstring(L, bytes_at, &n);
    input in = {bytes, bytes + n};
    if (lua_gettop(L) > bytes_at)
        in = to_part(L, bytes_at + 1, bytes, n);
    decode_push(L, *t->m, push_constants(L, type), in, fail);
    return 1;
}

/* decode(bytes [, first [, last]]) */
static int l_decode(lua_State *L)
{
    return decode_at(L, handle_check_type(L, 1), 1, 2, 0);
}

/* What decoder gives, a function of the same arguments; its upvalues are the type and fail. */
static int l_decode_or_fail(lua_State *L)
{
    int type = lua_upvalueindex(1), fail = lua_upvalueindex(2);
    return decode_at(L, handle_check_type(L, type), type, 1, fail);
}

/* decoder(fail) */
static int l_decoder(lua_State *L)
{
    handle_check_type(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_pushcclosure(L, l_decode_or_fail, 2);
    return 1;
}

/* to_json(table or bytes [, options]) */
static int l_to_json(lua_State *L)
{
    const type_handle *t = handle_check_type(L, 1);
    json_options options = json_options_take(L, 3);
    lua_settop(L, 2);
    int constants = push_constants(L, 1);
    if (lua_type(L, 2) == LUA_TSTRING) {
        size_t n;
        auto bytes = (const uint8_t *)lua_tolstring(L, 2, &n);
        decode_push(L, *t->m, constants, {bytes, bytes + n}, 0);
    } else {
        lua_pushvalue(L, 2);
    }
    json_print_push(L, t->owner->s, *t->m, constants, lua_gettop(L), options);
    return 1;
}

/* from_json(text [, options]) */
static int l_from_json(lua_State *L)
{
    const type_handle *t = handle_check_type(L, 1);
    size_t n;
    luaL_checktype(L, 2, LUA_TSTRING);
    const char *text = lua_tolstring(L, 2, &n);
    json_options options = json_options_take(L, 3);
    lua_settop(L, 2);
    int constants = push_constants(L, 1);
    json_parse_push(L, t->owner->s, *t->m, constants, text, n, options);
    return 1;
}

static int l_describe_type(lua_State *L)
{
    lua_pushfstring(
        L, "message type %s", handle_check_type(L, 1)->m->descriptor->full_name().c_str());
    return 1;
}

/* Pushes the metatable of a type: its methods, and its name among them. */
static void push_type_metatable(lua_State *L, const message *m)
{
    lua_createtable(L, 0, 3);
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &methods_key);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
    lua_pushstring(L, m->descriptor->full_name().c_str());
    lua_setfield(L, -2, "name");
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_describe_type);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "moontrail.protobuf.message");
    lua_setfield(L, -2, "__name");
}

void type_push(lua_State *L, const schema_handle *owner, const message *m)
{
    lua_getiuservalue(L, 1, SCHEMA_TYPES);
    if (lua_rawgetp(L, -1, m) == LUA_TNIL) {
        lua_pop(L, 1);
        handle_push_type(L, owner, m);
        lua_getiuservalue(L, 1, SCHEMA_CONSTANTS);
        lua_setiuservalue(L, -2, TYPE_CONSTANTS);
        lua_pushvalue(L, 1);
        lua_setiuservalue(L, -2, TYPE_SCHEMA);
        push_type_metatable(L, m);
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, m);
    }
    lua_remove(L, -2);
}

/* What all types share. */

static const luaL_Reg type_methods[] = {{"decode", l_decode}, {"decoder", l_decoder},
    {"from_json", l_from_json}, {"encode", l_encode}, {"to_json", l_to_json}, {nullptr, nullptr}};

/* Each method of types has an upvalue: the buffer that encoding keeps. */
void type_open(lua_State *L)
{
    luaL_newlibtable(L, type_methods);
    lua_pushnil(L);
    luaL_setfuncs(L, type_methods, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &methods_key);
}

} // namespace codec
