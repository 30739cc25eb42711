/*
 * libFuzzer: what another server may tell of its types. By the first byte the rest is a descriptor
 * set, or the one file of a set. It is refused with a line that says why, or each of its types
 * reads and writes messages, and each file is told again as it came. What that costs, memory that
 * is asked for included, is bounded by the length.
 */
#include "support/cost.h"

#include <cstdlib>
#include <google/protobuf/descriptor.pb.h>
#include <lua.hpp>
#include <string>

extern "C" int luaopen_moontrail_protobuf(lua_State *L);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern "C" void __sanitizer_malloc_hook(const volatile void *block, size_t size);

using google::protobuf::DescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

static const char code[] =
    "local pb = require 'moontrail.protobuf'\n"
    "local function use(type)\n"
    "  local ok, empty = pcall(type.decode, type, '')\n"
    "  type:fields()\n"
    "  if not ok then return end\n"
    "  assert(type:encode(empty) == '')\n"
    "  assert(type:encode(type:from_json(type:to_json(empty))) == '')\n"
    "end\n"
    "return function(set, files, types)\n"
    "  local ok, schema = pcall(pb.parse, set, 'set.binpb')\n"
    "  if not ok then return assert(type(schema) == 'string' and #schema > 0) end\n"
    "  for name, bytes in pairs(files) do\n"
    "    assert(schema:descriptor_of_file(name) == bytes)\n"
    "    schema:dependencies(name)\n"
    "  end\n"
    "  for _, name in ipairs(types) do\n"
    "    use(assert(schema:message(name)))\n"
    "    schema:comment(name)\n"
    "    schema:extension_numbers(name)\n"
    "  end\n"
    "  for _, name in ipairs(schema:services()) do\n"
    "    for _, method in ipairs(schema:service(name).methods) do use(method.input) end\n"
    "  end\n"
    "end\n";

/* Steps of cost.h. A set of a few bytes may import all files that are always there. */
static const uint64_t cost_fixed = 1000000, cost_each = 60;

/* What is copied or cleared by the library costs as much at the least. */
void __sanitizer_malloc_hook(const volatile void *, size_t size)
{
    cost_add(1 + size / 16);
}

static lua_State *start()
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "moontrail.protobuf", luaopen_moontrail_protobuf, 0);
    if (luaL_dostring(L, code))
        abort();
    return L;
}

static void push(lua_State *L, const std::string &bytes)
{
    lua_pushlstring(L, bytes.data(), bytes.size());
}

/* Adds the names of a message and of those within it to the list on the top. */
static void add_types(lua_State *L, const std::string &scope, const DescriptorProto &m)
{
    std::string name = scope.empty() ? m.name() : scope + "." + m.name();
    push(L, name);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    for (const DescriptorProto &nested : m.nested_type())
        add_types(L, name, nested);
}

/* The bytes of the set's files by name, where they are known, and the names of all types. */
static void push_contents(lua_State *L, const FileDescriptorSet &set, const std::string *whole)
{
    lua_newtable(L);
    lua_newtable(L);
    for (const FileDescriptorProto &file : set.file()) {
        if (whole) {
            push(L, file.name());
            push(L, *whole);
            lua_rawset(L, -4);
        }
        for (const DescriptorProto &m : file.message_type())
            add_types(L, file.package(), m);
    }
}

/* A set of the one file that the bytes are. */
static std::string frame(const std::string &file)
{
    size_t n = file.size();
    std::string set = "\n";
    for (; n > 0x7f; n >>= 7)
        set += (char)(0x80 | (n & 0x7f));
    return set + (char)n + file;
}

static void run(const uint8_t *data, size_t size)
{
    static lua_State *L = start();
    const std::string bytes((const char *)data + 1, size - 1);
    bool one = data[0] & 1;
    const std::string all = one ? frame(bytes) : bytes;
    FileDescriptorSet set;
    if (!set.ParsePartialFromString(all))
        set.Clear();
    lua_pushvalue(L, -1);
    push(L, all);
    push_contents(L, set, one ? &bytes : nullptr);
    cost_begin();
    cost_resume();
    int done = lua_pcall(L, 3, 0, 0);
    cost_pause();
    if (done != LUA_OK)
        abort();
    cost_check(cost_fixed, cost_each, size);
    lua_gc(L, LUA_GCCOLLECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        cost_repeat(run, data, size, 1);
    return 0;
}
