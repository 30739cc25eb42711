/*
 * libFuzzer: what a peer may send as a message. The first byte picks the type; the codec must read
 * the rest, or refuse it, just as the library does, and write what it read so that it reads again.
 */
#include "lua/protobuf/schema.h"
#include "support/cost.h"

#include <cstdlib>
#include <google/protobuf/message.h>
#include <lua.hpp>
#include <memory>

extern "C" int luaopen_moontrail_protobuf(lua_State *L);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

using google::protobuf::Descriptor;
using google::protobuf::Message;

static const char file[] = "tests/protobuf/everything.proto";

/* Steps (cost.h) of either way, and for each byte that was read. */
static const uint64_t cost_fixed = 20000, cost_each = 100;

static lua_State *L; /* at index 1 lies our schema */
static codec::schema *theirs;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void start()
{
    theirs = codec::schema_new();
    require(theirs && !codec::schema_load(theirs, file));
    L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "moontrail.protobuf", luaopen_moontrail_protobuf, 0);
    lua_getfield(L, -1, "load");
    lua_pushstring(L, file);
    require(lua_pcall(L, 1, 1, 0) == LUA_OK);
    lua_replace(L, 1);
}

static bool they_read(const Descriptor *type, const void *data, size_t size)
{
    std::unique_ptr<Message> message(theirs->dynamic.GetPrototype(type)->New());
    return message->ParseFromArray(data, (int)size);
}

/* Calls a method of the object at the index with the value on the top, which the result takes the
 * place of. */
static bool call(int object, const char *method)
{
    lua_getfield(L, object, method);
    lua_insert(L, -2);
    lua_pushvalue(L, object);
    lua_insert(L, -2);
    cost_resume();
    bool done = lua_pcall(L, 2, 1, 0) == LUA_OK;
    cost_pause();
    return done;
}

static void try_type(const Descriptor *d, const uint8_t *data, size_t size)
{
    lua_pushstring(L, d->full_name().c_str());
    require(call(1, "message"));
    lua_pushlstring(L, (const char *)data, size);
    cost_begin();
    bool read = call(2, "decode");
    cost_check(cost_fixed, cost_each, size);
    require(read == they_read(d, data, size));
    if (read) {
        cost_begin();
        require(call(2, "encode"));
        cost_check(cost_fixed, cost_each, size);
        size_t once = lua_rawlen(L, -1);
        require(call(2, "decode") && call(2, "encode") && lua_rawlen(L, -1) == once);
    }
    lua_settop(L, 1);
}

static void run(const uint8_t *data, size_t size)
{
    if (!L)
        start();
    const auto *main = theirs->files.back();
    if (size > 0)
        try_type(main->message_type(data[0] % main->message_type_count()), data + 1, size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cost_repeat(run, data, size, 1);
    return 0;
}
