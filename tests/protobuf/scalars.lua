-- Each type of scalar at its edges, and what it refuses.
local check = require "_check"
local Scalars, Optionals = check.message("Scalars"), check.message("Optionals")

local edges = {
    { "an_int32", 1, "18 01" },
    { "an_int32", -1, "18 ffffffffffffffffff01" },
    { "an_int32", math.tointeger(2 ^ 31) - 1, "18 ffffffff07" },
    { "an_int32", -math.tointeger(2 ^ 31), "18 80808080f8ffffffff01" },
    { "an_int64", 127, "20 7f" },
    { "an_int64", 128, "20 8001" },
    { "an_int64", 16383, "20 ff7f" },
    { "an_int64", math.maxinteger, "20 ffffffffffffffff7f" },
    { "an_int64", math.mininteger, "20 80808080808080808001" },
    { "a_uint32", 0xffffffff, "28 ffffffff0f" },
    { "a_uint64", math.maxinteger, "30 ffffffffffffffff7f" },
    { "a_uint64", -1, "30 ffffffffffffffffff01" },
    { "a_uint64", math.mininteger, "30 80808080808080808001" },
    { "a_sint32", -1, "38 01" },
    { "a_sint32", math.tointeger(2 ^ 31) - 1, "38 feffffff0f" },
    { "a_sint32", -math.tointeger(2 ^ 31), "38 ffffffff0f" },
    { "a_sint64", -1, "40 01" },
    { "a_sint64", math.maxinteger, "40 feffffffffffffffff01" },
    { "a_sint64", math.mininteger, "40 ffffffffffffffffff01" },
    { "a_fixed32", 0xffffffff, "4d ffffffff" },
    { "a_fixed64", -1, "51 ffffffffffffffff" },
    { "a_fixed64", 1, "51 0100000000000000" },
    { "an_sfixed32", -1, "5d ffffffff" },
    { "an_sfixed32", -math.tointeger(2 ^ 31), "5d 00000080" },
    { "an_sfixed64", math.mininteger, "61 0000000000000080" },
    { "a_bool", true, "68 01" },
    { "a_double", 1.5, "09 000000000000f83f" },
    { "a_double", -0.0, "09 0000000000000080" },
    { "a_double", 5e-324, "09 0100000000000000" },
    { "a_double", math.huge, "09 000000000000f07f" },
    { "a_float", 1.5, "15 0000c03f" },
    { "a_float", -math.huge, "15 000080ff" },
    { "a_float", 2 ^ -149, "15 01000000" },
    { "a_string", "é\0", "72 03 c3a900" },
    { "a_bytes", "\xff\0", "7a 02 ff00" },
}
for _, edge in ipairs(edges) do
    check.wire(Scalars, { [edge[1]] = edge[2] }, edge[3])
end

-- What is not a number stays so; what a float has no room for becomes infinite.
local function pass(name, value)
    return Scalars:decode(Scalars:encode({ [name] = value }))[name]
end
check.same(pass("a_double", 0 / 0), 0 / 0)
check.same(pass("a_float", 0 / 0), 0 / 0)
check.same(pass("a_float", 1e300), math.huge)
check.same(pass("a_float", 0.1), string.unpack("f", string.pack("f", 0.1)))

-- A float that is an integer is one; an integer is a float too.
check.same(pass("an_int32", 3.0), 3)
check.same(pass("an_int64", -2.0 ^ 63), math.mininteger)
check.same(pass("a_uint64", 2.0 ^ 63), math.mininteger)
check.same(pass("a_double", 3), 3.0)

local refused = {
    { "an_int32", 2 ^ 31, "2147483648 is not within -2147483648..2147483647" },
    { "an_int32", 1.5, "1.5 is not an integer of 64 bits" },
    { "an_int32", "1", "expected an integer, got string" },
    { "an_int64", 2.0 ^ 63, "9.2233720368548e+18 is not an integer of 64 bits" },
    { "an_int64", 0 / 0, (tostring(0 / 0)) .. " is not an integer of 64 bits" },
    { "an_int64", true, "expected an integer, got boolean" },
    { "a_uint32", -1, "-1 is not within 0..4294967295" },
    { "a_uint32", 2 ^ 32, "4294967296 is not within 0..4294967295" },
    { "a_uint64", 2.0 ^ 64, "1.844674407371e+19 is not an integer of 64 bits" },
    { "a_sint32", -2 ^ 31 - 1, "-2147483649 is not within -2147483648..2147483647" },
    { "a_fixed32", -1, "-1 is not within 0..4294967295" },
    { "an_sfixed32", 2 ^ 31, "2147483648 is not within -2147483648..2147483647" },
    { "a_bool", 1, "expected a boolean, got number" },
    { "a_double", "1", "expected a number, got string" },
    { "a_float", {}, "expected a number, got table" },
    { "a_string", 1, "expected a string, got number" },
    { "a_bytes", false, "expected a string, got boolean" },
}
for _, case in ipairs(refused) do
    local name, value, why = table.unpack(case)
    check.raises("everything.Scalars." .. name .. ": " .. why, Scalars.encode, Scalars,
        { [name] = value })
end

-- Text is UTF-8, either way.
for _, text in ipairs { "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
    "long enough\xe2\x82" } do
    check.raises("everything.Scalars.a_string: not UTF-8", Scalars.encode, Scalars,
        { a_string = text })
    check.raises("everything.Scalars.a_string: not UTF-8", Scalars.decode, Scalars,
        "\x72" .. string.char(#text) .. text)
end

-- Numbers on the wire that are too long for their type lose their high bits.
check.same(Scalars:decode(check.bytes "18 ffffffff1f").an_int32, -1)
check.same(Scalars:decode(check.bytes "28 ffffffff7f").a_uint32, 0xffffffff)
check.same(Scalars:decode(check.bytes "68 8080808010").a_bool, true)
check.same(Scalars:decode(check.bytes "20 ffffffffffffffffff7f").an_int64, -1)
check.same(Optionals:decode(check.bytes "18 80808000").an_int32, 0)

-- Wants a table.
for _, value in ipairs { 1, "text", true, print } do
    check.raises("everything.Scalars: expected a table, got " .. type(value), Scalars.encode,
        Scalars, value)
end
check.raises("everything.Scalars: expected a table, got nil", Scalars.encode, Scalars)

return check.done
