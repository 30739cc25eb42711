/*
 * libFuzzer: what a peer may send as a message. The first byte picks the type; the codec must read
 * the rest, or refuse it, just as the library does, and write what it read so that it reads again.
 * What it does for a byte is bounded, of a message that repeats those bytes to a megabyte too.
 */
#include "lua/protobuf/pace.h"
#include "lua/protobuf/schema.h"
#include "lua/protobuf/store.h"
#include "support/cost.h"

#include <cstdlib>
#include <google/protobuf/dynamic_message.h>
#include <lua.hpp>
#include <memory>

extern "C" int luaopen_moontrail_protobuf(lua_State *L);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

using google::protobuf::Descriptor;
using google::protobuf::Message;

static const char file[] = "tests/protobuf/everything.proto";

static lua_State *L; /* at index 1 lies our schema */
static codec::schema *theirs;
static google::protobuf::DynamicMessageFactory *factory;

enum {
    LARGE = 1 << 20,   /* bytes of a message that repeats a small one */
    LARGE_EVERY = 256, /* inputs of which one is repeated */
    STEPS = 8          /* for a byte, and for each thing that a message may make for nothing */
};

/* Steps of cost.h, which count what the codec does not count itself. */
static const uint64_t cost_fixed = 20000, cost_each = 100;

static size_t looks; /* times that Lua ran in a call */

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void start()
{
    theirs = codec::schema_new();
    require(theirs && !codec::schema_begin(theirs, file) && !codec::schema_load(theirs, nullptr));
    factory = new google::protobuf::DynamicMessageFactory(&theirs->held->pool);
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
    std::unique_ptr<Message> message(factory->GetPrototype(type)->New());
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

static void on_count(lua_State *, lua_Debug *)
{
    looks++;
}

/* As call, of which the steps are counted: the codec lets Lua run after so many. */
static bool call_counted(int object, const char *method, size_t size)
{
    looks = 0;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    cost_begin();
    bool done = call(object, method);
    cost_check(cost_fixed, cost_each, size);
    lua_sethook(L, nullptr, 0, 0);
    require(looks * codec::PACE_STEPS <= STEPS * (size + codec::PACE_FREE) + codec::PACE_STEPS);
    return done;
}

/* Decodes the bytes again and again in one message. */
static void try_large(const Descriptor *d, const uint8_t *data, size_t size)
{
    std::string large;
    while (size > 0 && large.size() < LARGE)
        large.append((const char *)data, size);
    lua_pushstring(L, d->full_name().c_str());
    require(call(1, "message"));
    lua_pushlstring(L, large.data(), large.size());
    call_counted(2, "decode", large.size());
    lua_settop(L, 1);
    lua_gc(L, LUA_GCCOLLECT);
}

static void try_type(const Descriptor *d, const uint8_t *data, size_t size)
{
    lua_pushstring(L, d->full_name().c_str());
    require(call(1, "message"));
    lua_pushlstring(L, (const char *)data, size);
    bool read = call_counted(2, "decode", size);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!L)
        start();
    const auto *main = theirs->loaded.files.back();
    if (size == 0)
        return 0;
    const Descriptor *type = main->message_type(data[0] % main->message_type_count());
    static unsigned inputs;
    try_type(type, data + 1, size - 1);
    if (inputs++ % LARGE_EVERY == 0)
        try_large(type, data + 1, size - 1);
    return 0;
}
