-- What the message codec takes: build/moontrail --check tests/bench/protobuf.lua
local pb = require "moontrail.protobuf"

local schema = pb.parse([[
    syntax = "proto3";
    message HelloRequest { string name = 1; }
    enum Colour { RED = 0; GREEN = 1; BLUE = 2; }
    message Inner { int32 id = 1; string label = 2; double x = 3; double y = 4; bool on = 5; }
    message Nested {
        int32 a = 1; int64 b = 2; uint32 c = 3; uint64 d = 4; sint32 e = 5; sint64 f = 6;
        fixed32 g = 7; fixed64 h = 8; float i = 9; double j = 10; bool k = 11; string l = 12;
        bytes m = 13; Colour n = 14; Inner o = 15; repeated Inner p = 16; repeated int32 q = 17;
        map<string, int32> r = 18; repeated string s = 19; oneof t { string u = 20; Inner v = 21; }
    }
    message Many {
        repeated int32 numbers = 1; repeated string strings = 2; repeated Inner inner = 3;
    }
]], "bench.proto")

-- Nanoseconds for one of the n calls.
local function time(n, f, ...)
    collectgarbage()
    local start = os.clock()
    for _ = 1, n do
        f(...)
    end
    return (os.clock() - start) / n * 1e9
end

local function measure(what, name, value, n)
    local type = schema:message(name)
    local bytes = type:encode(value)
    local encoding, decoding = time(n, type.encode, type, value), time(n, type.decode, type, bytes)
    print(("%-8s %7d bytes, encode %8.0f ns, decode %8.0f ns"):format(
        what, #bytes, encoding, decoding))
end

local inner = { id = 1, label = "label", x = 1.5, y = 2.5, on = true }
local numbers, strings, many = {}, {}, {}
for i = 1, 1000 do
    numbers[i], strings[i], many[i] = i, "string" .. i, inner
end

measure("hello", "HelloRequest", { name = "world" }, 1000000)
measure("nested", "Nested", {
    a = 1, b = 2, c = 3, d = 4, e = -5, f = -6, g = 7, h = 8, i = 1.5, j = 2.5, k = true,
    l = "a string", m = "bytes", n = "BLUE", o = inner, p = { inner, inner, inner },
    q = { 1, 2, 3, 400, 50000 }, r = { one = 1, two = 2 }, s = { "a", "bb", "ccc" }, u = "oneof",
}, 100000)
measure("numbers", "Many", { numbers = numbers }, 1000)
measure("strings", "Many", { strings = strings }, 1000)
measure("messages", "Many", { inner = many }, 500)

return function() end
