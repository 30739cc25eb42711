#include "lua/protobuf/describe.h"

#include "lua/protobuf/type.h"

#include <climits>
#include <cstring>

namespace codec
{

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

/* files(): the paths of the files that were read */
static int l_files(lua_State *L)
{
    const sources &found = handle_check_schema(L)->s->found;
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
    schema_handle *h = handle_check_schema(L);
    const message *m = nullptr;
    handle_check(L, schema_find_message(h->s, luaL_checkstring(L, 2), &m));
    if (m)
        type_push(L, h, m);
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
    type_push(L, h, h->s->held->prepared.by_descriptor.find(d)->second);
    lua_setfield(L, -2, key);
}

static void push_method(lua_State *L, const schema_handle *h, const MethodDescriptor *d)
{
    using google::protobuf::MethodOptions;
    lua_createtable(L, 0, 9);
    set_string(L, "name", d->name());
    set_type(L, "input", h, d->input_type());
    set_type(L, "output", h, d->output_type());
    set_string(L, "input_name", d->input_type()->full_name());
    set_string(L, "output_name", d->output_type()->full_name());
    set_boolean(L, "client_streaming", d->client_streaming());
    set_boolean(L, "server_streaming", d->server_streaming());
    handle_check(L, schema_http_rule(h->s, d));
    if (!h->s->result.empty()) {
        handle_push_result(L, h->s);
        lua_setfield(L, -2, "http");
    }
    set_string(
        L, "idempotency", MethodOptions::IdempotencyLevel_Name(d->options().idempotency_level()));
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
    schema_handle *h = handle_check_schema(L);
    const ServiceDescriptor *d = nullptr;
    handle_check(L, schema_find_service(h->s, luaL_checkstring(L, 2), &d));
    return d ? push_service(L, h, d) : 0;
}

/* services(): the names of the services in the main files */
static int l_services(lua_State *L)
{
    const loaded_files &loaded = handle_check_schema(L)->s->loaded;
    lua_Integer n = 0;
    lua_newtable(L);
    for (size_t i = 0; i < loaded.main.size(); i++) {
        for (int k = 0; k < loaded.main[i]->service_count(); k++) {
            const std::string &name = loaded.main[i]->service(k)->full_name();
            lua_pushlstring(L, name.data(), name.size());
            lua_rawseti(L, -2, ++n);
        }
    }
    return 1;
}

/* Pushes the bytes of a file's descriptor, and the file's name. */
static int push_descriptor(lua_State *L, schema *s, const FileDescriptor *file)
{
    if (!file)
        return 0;
    handle_check(L, schema_describe(s, file));
    handle_push_result(L, s);
    lua_pushlstring(L, file->name().data(), file->name().size());
    return 2;
}

/* descriptor_of_file(name) */
static int l_descriptor_of_file(lua_State *L)
{
    schema *s = handle_check_schema(L)->s;
    const FileDescriptor *file = nullptr;
    handle_check(L, schema_find_file(s, luaL_checkstring(L, 2), &file));
    return push_descriptor(L, s, file);
}

/* descriptor_of_symbol(name) */
static int l_descriptor_of_symbol(lua_State *L)
{
    schema *s = handle_check_schema(L)->s;
    const FileDescriptor *file = nullptr;
    handle_check(L, schema_find_symbol(s, luaL_checkstring(L, 2), &file));
    return push_descriptor(L, s, file);
}

/* descriptor_of_extension(type name, number) */
static int l_descriptor_of_extension(lua_State *L)
{
    schema *s = handle_check_schema(L)->s;
    const FileDescriptor *file = nullptr;
    const char *name = luaL_checkstring(L, 2);
    lua_Integer number = luaL_checkinteger(L, 3);
    if (number > 0 && number <= INT_MAX)
        handle_check(L, schema_find_extension(s, name, (int)number, &file));
    return push_descriptor(L, s, file);
}

/* extension_numbers(type name) */
static int l_extension_numbers(lua_State *L)
{
    schema *s = handle_check_schema(L)->s;
    handle_check(L, schema_list_extensions(s, luaL_checkstring(L, 2)));
    handle_push_result(L, s);
    size_t size;
    const char *numbers = lua_tolstring(L, -1, &size);
    lua_createtable(L, (int)(size / sizeof(int)), 0);
    for (size_t i = 0; i < size / sizeof(int); i++) {
        int number;
        memcpy(&number, numbers + i * sizeof number, sizeof number);
        lua_pushinteger(L, number);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* comment(name) */
static int l_comment(lua_State *L)
{
    schema *s = handle_check_schema(L)->s;
    handle_check(L, schema_comment(s, luaL_checkstring(L, 2)));
    handle_push_result(L, s);
    return 1;
}

/* dependencies(file name) */
static int l_dependencies(lua_State *L)
{
    schema *s = handle_check_schema(L)->s;
    const FileDescriptor *file = nullptr;
    handle_check(L, schema_find_file(s, luaL_checkstring(L, 2), &file));
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

void describe_push_methods(lua_State *L)
{
    static const luaL_Reg methods[] = {{"files", l_files}, {"message", l_message},
        {"service", l_service}, {"services", l_services},
        {"descriptor_of_file", l_descriptor_of_file},
        {"descriptor_of_symbol", l_descriptor_of_symbol},
        {"descriptor_of_extension", l_descriptor_of_extension},
        {"extension_numbers", l_extension_numbers}, {"dependencies", l_dependencies},
        {"comment", l_comment}, {nullptr, nullptr}};
    luaL_newlib(L, methods);
}

} // namespace codec
