-- Maps of every type of key and value.
local check = require "_check"
local Maps = check.message("Maps")
local leaf = { name = "leaf", children = {} }
local empty = { name = "", children = {} }

local full = {
    by_int32 = { [0] = 0.0, [-1] = 1.5 },
    by_int64 = { [math.mininteger] = 0.5, [0] = 0.0 },
    by_uint32 = { [0xffffffff] = -1, [0] = 0 },
    by_uint64 = { [-1] = math.mininteger, [1] = 1 },
    by_sint32 = { [-1] = -1 },
    by_sint64 = { [math.mininteger] = true, [0] = false },
    by_fixed32 = { [0xffffffff] = "text", [0] = "" },
    by_fixed64 = { [-1] = "\xff" },
    by_sfixed32 = { [-1] = "RED", [1] = 99, [0] = "NONE" },
    by_sfixed64 = { [math.mininteger] = leaf, [0] = empty },
    by_bool = { [true] = "yes", [false] = "no" },
    by_string = { [""] = empty, key = leaf },
}
check.same(Maps:decode(Maps:encode(full)), full)

check.wire(Maps, { by_uint32 = { [1] = 2 } }, "1a 04 0801 1002")
check.wire(Maps, { by_uint32 = { [0] = 0 } }, "1a 04 0800 1000")

-- A missing key or value has its default; in any order; the last entry of a key counts.
check.same(Maps:decode(check.bytes "1a 02 1005").by_uint32, { [0] = 5 })
check.same(Maps:decode(check.bytes "1a 02 0805").by_uint32, { [5] = 0 })
check.same(Maps:decode(check.bytes "1a 00").by_uint32, { [0] = 0 })
check.same(Maps:decode(check.bytes "4a 00").by_sfixed32, { [0] = "NONE" })
check.same(Maps:decode(check.bytes "62 03 0a0161").by_string, { a = empty })
check.same(Maps:decode(check.bytes "1a 04 1002 0801").by_uint32, { [1] = 2 })
check.same(Maps:decode(check.bytes "1a 04 0801 1002 1a 04 0801 1003").by_uint32, { [1] = 3 })
check.same(Maps:decode(check.bytes "1a 06 0801 1002 1003").by_uint32, { [1] = 3 })

-- A message that comes twice in one entry becomes one; in another entry it is another.
local twice = Maps:decode(check.bytes "62 0c 0a0161 1203 0a0162 1202 1200")
check.same(twice.by_string.a, { name = "b", left = empty, children = {} })
twice = Maps:decode(check.bytes "62 08 0a0161 1203 0a0162 62 07 0a0161 1202 1200")
check.same(twice.by_string.a, { name = "", left = empty, children = {} })

-- What an entry has besides is skipped.
check.same(Maps:decode(check.bytes "1a 06 0801 1801 1002").by_uint32, { [1] = 2 })

-- Refused.
local function refuses(message, value)
    check.raises("everything.Maps." .. message, Maps.encode, Maps, value)
end
refuses("by_int32: expected a map, got string", { by_int32 = "" })
refuses('by_int32["a"]: expected an integer, got string', { by_int32 = { a = 1 } })
refuses("by_int32[1]: expected a number, got boolean", { by_int32 = { [1] = true } })
refuses("by_uint32[-1]: -1 is not within 0..4294967295", { by_uint32 = { [-1] = 1 } })
refuses("by_string[1]: expected a string, got number", { by_string = { {} } })
refuses("by_bool[1]: expected a boolean, got number", { by_bool = { "a" } })
refuses("by_bool[true]: expected a string, got number", { by_bool = { [true] = 1 } })
refuses('by_string["key"].left.name: expected a string, got table',
    { by_string = { key = { left = { name = {} } } } })
refuses('by_string["' .. ("k"):rep(60) .. '"]: expected a table, got boolean',
    { by_string = { [("k"):rep(1000)] = true } })
check.raises("everything.Maps.by_string: not UTF-8", Maps.decode, Maps, check.bytes "62 03 0a01ff")

return check.done
