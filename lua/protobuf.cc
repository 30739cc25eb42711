/*
 * The module moontrail.protobuf: schemas and message types as userdata.
 *
 * Lua errors jump over C++ frames without running destructors. So the functions here, and all that
 * call Lua, have no locals with destructors; what owns memory hangs on userdata that were created
 * before it; and what can throw runs below schema_try, calling no Lua.
 */
#include "lua/protobuf_decode.h"
#include "lua/protobuf_encode.h"
#include "lua/protobuf_json.h"
#include "lua/protobuf_schema.h"

#include <climits>
#include <cstring>
#include <google/protobuf/stubs/logging.h>

using namespace codec;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

/* The schema's userdata. Its user values are the constants and the types made, by message. */
struct schema_handle {
    schema *s; /* NULL once the Lua state closes */
};
enum { SCHEMA_CONSTANTS = 1, SCHEMA_TYPES = 2 };

/* A message type's userdata. Its user values are the constants and the schema. */
struct type_handle {
    const void *mark; /* &type_mark: tells it from other userdata of that size */
    const schema_handle *owner;
    const message *m;
};
enum { TYPE_CONSTANTS = 1, TYPE_SCHEMA = 2 };

static const char type_mark = 0;
static const char schema_name[] = "moontrail.protobuf.schema";
static const char methods_key = 0; /* in the registry: the methods of types */

static void check_open(lua_State *L, const schema_handle *h)
{
    if (!h->s)
        luaL_error(L, "protobuf: the Lua state is closing");
}

/* Raises what a function of the schema returned. */
static void check(lua_State *L, const char *problem)
{
    if (problem)
        luaL_error(L, "%s", problem);
}

/* Pushes the result and drops it. */
static int push_result(lua_State *L, schema *s)
{
    lua_pushlstring(L, s->result.data(), s->result.size());
    s->result.clear();
    s->result.shrink_to_fit();
    return 1;
}

/* Message types. */

static const type_handle *check_type(lua_State *L)
{
    auto t = (const type_handle *)lua_touserdata(L, 1);
    if (!t || lua_rawlen(L, 1) != sizeof *t || t->mark != &type_mark)
        luaL_typeerror(L, 1, "message type");
    check_open(L, t->owner);
    return t;
}

/* encode(table) */
static int l_encode(lua_State *L)
{
    const type_handle *t = check_type(L);
    lua_settop(L, 2);
    push_encoded(L, *t->m, 2);
    return 1;
}

/* Where a position counted from 1, or from the end when negative, lies among n bytes and one. */
static size_t to_offset(lua_Integer position, size_t n)
{
    if (position > 0)
        return position <= (lua_Integer)n ? (size_t)position : n + 1;
    return position < -(lua_Integer)n ? 0 : (size_t)((lua_Integer)n + position + 1);
}

/* decode(bytes [, first [, last]]) */
static int l_decode(lua_State *L)
{
    const type_handle *t = check_type(L);
    size_t n;
    luaL_checktype(L, 2, LUA_TSTRING);
    auto bytes = (const uint8_t *)lua_tolstring(L, 2, &n);
    size_t first = to_offset(luaL_optinteger(L, 3, 1), n);
    size_t last = to_offset(luaL_optinteger(L, 4, -1), n);
    first = first < 1 ? 1 : first;
    last = last > n ? n : last;
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, TYPE_CONSTANTS);
    if (last < first)
        push_decoded(L, *t->m, 3, {bytes, bytes});
    else
        push_decoded(L, *t->m, 3, {bytes + first - 1, bytes + last});
    return 1;
}

/* to_json(table or bytes) */
static int l_to_json(lua_State *L)
{
    const type_handle *t = check_type(L);
    size_t n;
    if (lua_type(L, 2) != LUA_TSTRING) {
        l_encode(L);
        lua_replace(L, 2);
    }
    const char *bytes = lua_tolstring(L, 2, &n);
    check(L, json_from_wire(t->owner->s, *t->m, bytes, n));
    return push_result(L, t->owner->s);
}

/* from_json(text) */
static int l_from_json(lua_State *L)
{
    const type_handle *t = check_type(L);
    size_t n;
    const char *text = luaL_checklstring(L, 2, &n);
    check(L, json_to_wire(t->owner->s, *t->m, text, n));
    lua_settop(L, 1);
    push_result(L, t->owner->s);
    return l_decode(L);
}

static int l_describe_type(lua_State *L)
{
    lua_pushfstring(L, "message type %s", check_type(L)->m->descriptor->full_name().c_str());
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

/* Pushes the type of the message; the schema lies at index 1. */
static void push_type(lua_State *L, const schema_handle *owner, const message *m)
{
    lua_getiuservalue(L, 1, SCHEMA_TYPES);
    if (lua_rawgetp(L, -1, m) == LUA_TNIL) {
        lua_pop(L, 1);
        auto t = (type_handle *)lua_newuserdatauv(L, sizeof(type_handle), 2);
        *t = {&type_mark, owner, m};
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

/* Schemas. */

static schema_handle *check_schema(lua_State *L)
{
    auto h = (schema_handle *)luaL_checkudata(L, 1, schema_name);
    check_open(L, h);
    return h;
}

/* files(): the paths of those read */
static int l_files(lua_State *L)
{
    const sources &found = check_schema(L)->s->found;
    lua_createtable(L, (int)found.paths.size(), 0);
    for (size_t i = 0; i < found.paths.size(); i++) {
        lua_pushlstring(L, found.paths[i].data(), found.paths[i].size());
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* message(name) */
static int l_message(lua_State *L)
{
    schema_handle *h = check_schema(L);
    const message *m = nullptr;
    check(L, schema_find_message(h->s, luaL_checkstring(L, 2), &m));
    if (m)
        push_type(L, h, m);
    else
        lua_pushnil(L);
    return 1;
}

static void set_string(lua_State *L, const char *key, const std::string &text)
{
    lua_pushlstring(L, text.data(), text.size());
    lua_setfield(L, -2, key);
}

static void set_boolean(lua_State *L, const char *key, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

static void set_type(
    lua_State *L, const char *key, const schema_handle *h, const google::protobuf::Descriptor *d)
{
    push_type(L, h, h->s->prepared.by_descriptor.find(d)->second);
    lua_setfield(L, -2, key);
}

static void push_method(lua_State *L, const schema_handle *h, const MethodDescriptor *d)
{
    lua_createtable(L, 0, 7);
    set_string(L, "name", d->name());
    set_type(L, "input", h, d->input_type());
    set_type(L, "output", h, d->output_type());
    set_string(L, "input_name", d->input_type()->full_name());
    set_string(L, "output_name", d->output_type()->full_name());
    set_boolean(L, "client_streaming", d->client_streaming());
    set_boolean(L, "server_streaming", d->server_streaming());
}

static int push_service(lua_State *L, const schema_handle *h, const ServiceDescriptor *d)
{
    lua_createtable(L, 0, 3);
    set_string(L, "name", d->full_name());
    set_string(L, "file", d->file()->name());
    lua_createtable(L, d->method_count(), 0);
    for (int i = 0; i < d->method_count(); i++) {
        push_method(L, h, d->method(i));
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "methods");
    return 1;
}

/* service(name) */
static int l_service(lua_State *L)
{
    schema_handle *h = check_schema(L);
    const ServiceDescriptor *d = nullptr;
    check(L, schema_find_service(h->s, luaL_checkstring(L, 2), &d));
    return d ? push_service(L, h, d) : 0;
}

/* services(): the names of the main file's */
static int l_services(lua_State *L)
{
    const FileDescriptor *file = check_schema(L)->s->files.back();
    lua_createtable(L, file->service_count(), 0);
    for (int i = 0; i < file->service_count(); i++) {
        const std::string &name = file->service(i)->full_name();
        lua_pushlstring(L, name.data(), name.size());
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int push_descriptor(lua_State *L, schema *s, const FileDescriptor *file)
{
    if (!file)
        return 0;
    check(L, schema_describe(s, file));
    return push_result(L, s);
}

/* descriptor_of_file(name) */
static int l_descriptor_of_file(lua_State *L)
{
    schema *s = check_schema(L)->s;
    const FileDescriptor *file = nullptr;
    check(L, schema_find_file(s, luaL_checkstring(L, 2), &file));
    return push_descriptor(L, s, file);
}

/* descriptor_of_symbol(name) */
static int l_descriptor_of_symbol(lua_State *L)
{
    schema *s = check_schema(L)->s;
    const FileDescriptor *file = nullptr;
    check(L, schema_find_symbol(s, luaL_checkstring(L, 2), &file));
    return push_descriptor(L, s, file);
}

/* descriptor_of_extension(type name, number) */
static int l_descriptor_of_extension(lua_State *L)
{
    schema *s = check_schema(L)->s;
    const FileDescriptor *file = nullptr;
    const char *name = luaL_checkstring(L, 2);
    lua_Integer number = luaL_checkinteger(L, 3);
    if (number > 0 && number <= INT_MAX)
        check(L, schema_find_extension(s, name, (int)number, &file));
    return push_descriptor(L, s, file);
}

/* extension_numbers(type name) */
static int l_extension_numbers(lua_State *L)
{
    schema *s = check_schema(L)->s;
    check(L, schema_list_extensions(s, luaL_checkstring(L, 2)));
    lua_newtable(L);
    for (size_t at = 0; at < s->result.size(); at += sizeof(int)) {
        int number;
        memcpy(&number, s->result.data() + at, sizeof number);
        lua_pushinteger(L, number);
        lua_rawseti(L, -2, (lua_Integer)(at / sizeof(int)) + 1);
    }
    return 1;
}

/* dependencies(file name) */
static int l_dependencies(lua_State *L)
{
    schema *s = check_schema(L)->s;
    const FileDescriptor *file = nullptr;
    check(L, schema_find_file(s, luaL_checkstring(L, 2), &file));
    if (!file)
        return 0;
    lua_createtable(L, file->dependency_count(), 0);
    for (int i = 0; i < file->dependency_count(); i++) {
        const std::string &name = file->dependency(i)->name();
        lua_pushlstring(L, name.data(), name.size());
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int l_close(lua_State *L)
{
    auto h = (schema_handle *)luaL_checkudata(L, 1, schema_name);
    schema_free(h->s);
    h->s = nullptr;
    return 0;
}

/* Loading. */

static void push_constant(lua_State *L, const constant &c)
{
    switch (c.kind) {
    case constant::STRING:
        lua_pushlstring(L, c.text.data(), c.text.size());
        break;
    case constant::INTEGER:
        lua_pushinteger(L, c.integer);
        break;
    case constant::NUMBER:
        lua_pushnumber(L, c.number);
        break;
    case constant::BOOLEAN:
        lua_pushboolean(L, c.integer != 0);
        break;
    case constant::METATABLE:
        lua_newtable(L);
    }
}

/* Tells the names where their strings lie; the constants lie on the top. */
static void fill_names(lua_State *L, names &n)
{
    for (names::entry &entry : n.listed) {
        lua_rawgeti(L, -1, entry.constant);
        n.fill(entry, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
}

/* Gives the metatable of a message its defaults; the constants lie on the top. */
static void fill_metatable(lua_State *L, const message &m)
{
    lua_rawgeti(L, -1, m.metatable);
    lua_newtable(L);
    for (size_t i = 0; i < m.defaults.size(); i += 2) {
        lua_rawgeti(L, -3, m.defaults[i]);
        lua_rawgeti(L, -4, m.defaults[i + 1]);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Pushes the table of constants of a schema and fills in what knows their addresses. */
static void push_constants(lua_State *L, tables &t)
{
    lua_createtable(L, (int)t.constants.size(), 0);
    for (size_t i = 0; i < t.constants.size(); i++) {
        push_constant(L, t.constants[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    for (enumeration &e : t.enums)
        fill_names(L, e.by_name);
    for (message &m : t.messages) {
        fill_names(L, m.by_name);
        if (m.metatable)
            fill_metatable(L, m);
    }
}

/* Adds the folders in the list at the index. */
static void add_folders(lua_State *L, schema *s, int index)
{
    if (lua_isnoneornil(L, index))
        return;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        luaL_argexpected(L, lua_type(L, -1) == LUA_TSTRING, index, "list of folders");
        check(L, schema_add_folder(s, lua_tostring(L, -1)));
        lua_pop(L, 1);
    }
}

/* Takes the bound of that name from the table at the index, if it is there. */
static void take_bound(lua_State *L, int index, const char *name, size_t *bound)
{
    int exact;
    if (lua_getfield(L, index, name) != LUA_TNIL) {
        lua_Integer n = lua_tointegerx(L, -1, &exact);
        luaL_argcheck(L, exact && n > 0 && n <= INT_MAX, index, name);
        *bound = (size_t)n;
    }
    lua_pop(L, 1);
}

/* Pushes a schema with nothing in it. */
static schema_handle *push_schema(lua_State *L)
{
    auto h = (schema_handle *)lua_newuserdatauv(L, sizeof(schema_handle), 2);
    h->s = nullptr;
    luaL_setmetatable(L, schema_name);
    lua_newtable(L);
    lua_setiuservalue(L, -2, SCHEMA_TYPES);
    h->s = schema_new();
    check(L, h->s ? nullptr : "not enough memory");
    return h;
}

/* Takes the folders and bounds at index 2 and 3 into the schema on the top. */
static void take_options(lua_State *L, schema *s)
{
    add_folders(L, s, 2);
    if (lua_isnil(L, 3))
        return;
    luaL_checktype(L, 3, LUA_TTABLE);
    take_bound(L, 3, "max_files", &s->found.max_files);
    take_bound(L, 3, "max_bytes", &s->found.max_bytes);
}

/* Gives the schema on the top its constants, or raises what loading returned, as it is. */
static int finish(lua_State *L, schema *s, const char *problem)
{
    if (problem) {
        lua_pushstring(L, problem);
        return lua_error(L);
    }
    push_constants(L, s->prepared);
    lua_setiuservalue(L, -2, SCHEMA_CONSTANTS);
    return 1;
}

/* load(file [, folders [, bounds]]) */
static int l_load(lua_State *L)
{
    const char *file = luaL_checkstring(L, 1);
    lua_settop(L, 3);
    schema *s = push_schema(L)->s;
    take_options(L, s);
    return finish(L, s, schema_load(s, file));
}

/* parse(text, name [, folders [, bounds]]) */
static int l_parse(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    const char *name = luaL_checkstring(L, 2);
    lua_settop(L, 4);
    lua_rotate(L, 1, -1); /* folders and bounds lie where load has them */
    schema *s = push_schema(L)->s;
    take_options(L, s);
    return finish(L, s, schema_parse(s, name, text, n));
}

/* The module. */

static const luaL_Reg schema_methods[] = {{"files", l_files}, {"message", l_message},
    {"service", l_service}, {"services", l_services}, {"descriptor_of_file", l_descriptor_of_file},
    {"descriptor_of_symbol", l_descriptor_of_symbol},
    {"descriptor_of_extension", l_descriptor_of_extension},
    {"extension_numbers", l_extension_numbers}, {"dependencies", l_dependencies},
    {nullptr, nullptr}};

static const luaL_Reg type_methods[] = {{"decode", l_decode}, {"from_json", l_from_json},
    {"encode", l_encode}, {"to_json", l_to_json}, {nullptr, nullptr}};

static void make_schema_metatable(lua_State *L)
{
    luaL_newmetatable(L, schema_name);
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, schema_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Each method of types has an upvalue: the buffer that encoding keeps. */
static void make_type_methods(lua_State *L)
{
    luaL_newlibtable(L, type_methods);
    lua_pushnil(L);
    luaL_setfuncs(L, type_methods, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &methods_key);
}

extern "C" __attribute__((visibility("default"))) int luaopen_moontrail_protobuf(lua_State *L);

int luaopen_moontrail_protobuf(lua_State *L)
{
    static const luaL_Reg functions[] = {{"load", l_load}, {"parse", l_parse}, {nullptr, nullptr}};
    /* What it would write on stderr is told by errors that we raise. */
    google::protobuf::SetLogHandler(nullptr);
    make_schema_metatable(L);
    make_type_methods(L);
    luaL_newlib(L, functions);
    return 1;
}
