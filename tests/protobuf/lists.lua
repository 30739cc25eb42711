-- Lists, packed and not.
local check = require "_check"
local Lists, Unpacked, Everything = check.message("Lists"), check.message("Unpacked"),
    check.message("Everything")

local full = {
    doubles = { 1.5, -0.0, 0.0 }, floats = { 0.5, 0.0 }, int32s = { 0, -1, 300 },
    int64s = { math.mininteger, 0 }, uint32s = { 0, 0xffffffff }, uint64s = { -1, 0 },
    sint32s = { -1, 0, 1 }, sint64s = { math.mininteger }, fixed32s = { 0, 7 },
    fixed64s = { 7, 0 }, sfixed32s = { -1 }, sfixed64s = { -1 }, bools = { false, true, false },
    strings = { "", "a", "" }, byteses = { "\xff", "" }, enums = { "NONE", "BELOW", 77 },
    messages = { { name = "a", children = {} }, { name = "", children = {} } },
}
check.same(Lists:decode(Lists:encode(full)), full)
check.same(Unpacked:decode(Unpacked:encode(full)), full)

-- Either is read whatever the schema says.
check.same(Unpacked:decode(Lists:encode(full)), full)
check.same(Lists:decode(Unpacked:encode(full)), full)
check.wire(Lists, { int32s = { 1, 300 } }, "1a 03 01ac02")
check.wire(Unpacked, { int32s = { 1, 300 } }, "18 01 18 ac02")

-- In pieces, and with others between.
check.same(Lists:decode(check.bytes "1a 02 0102  18 03  1a 00  20 09  1a 01 04").int32s, { 1, 2, 3,
    4 })
local mixed = Lists:decode(check.bytes "72 01 61  7a 01 62  72 01 63  7a 01 64")
check.same({ mixed.strings, mixed.byteses }, { { "a", "c" }, { "b", "d" } })

-- A long one.
local long = {}
for i = 1, 100000 do
    long[i] = i * i
end
check.same(Lists:decode(Lists:encode({ int64s = long, sfixed64s = long })).int64s, long)

-- Refused.
local function refuses(message, value)
    check.raises("everything." .. message, Everything.encode, Everything, { lists = value })
end
refuses("Everything.lists.int32s: expected a list, got number", { int32s = 1 })
refuses("Everything.lists.int32s: the keys of a list are 1..n", { int32s = { 1, 2, n = 2 } })
refuses("Everything.lists.int32s: the keys of a list are 1..n", { int32s = { [1] = 1, [3] = 3 } })
refuses("Everything.lists.int32s: the keys of a list are 1..n", { int32s = { [0] = 1 } })
refuses("Everything.lists.int32s[2]: expected an integer, got string", { int32s = { 1, "2" } })
refuses("Everything.lists.messages[1].children[3].name: expected a string, got number",
    { messages = { { children = { {}, {}, { name = 4 } } } } })
check.raises("everything.Lists.doubles[2]: truncated or malformed message", Lists.decode, Lists,
    check.bytes "0a 0b 0000000000000000 000000")
check.raises("everything.Lists.int32s[2]: truncated or malformed message", Lists.decode, Lists,
    check.bytes "1a 02 01ff")

return check.done
