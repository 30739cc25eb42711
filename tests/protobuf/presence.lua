-- What is on the wire and what is read when it is not.
local check = require "_check"
local Scalars, Optionals = check.message("Scalars"), check.message("Optionals")
local Lists, Maps, Everything = check.message("Lists"), check.message("Maps"),
    check.message("Everything")

-- Implicit presence: a default is not on the wire, and is read.
local defaults = {
    a_double = 0.0, a_float = 0.0, an_int32 = 0, an_int64 = 0, a_uint32 = 0, a_uint64 = 0,
    a_sint32 = 0, a_sint64 = 0, a_fixed32 = 0, a_fixed64 = 0, an_sfixed32 = 0, an_sfixed64 = 0,
    a_bool = false, a_string = "", a_bytes = "", an_enum = "NONE",
}
check.same(Scalars:decode(""), defaults)
check.same(Scalars:encode(defaults), "")
check.same(Scalars:encode({ an_enum = 0 }), "")

-- Explicit presence: a default is on the wire, and nothing is read as nil.
check.same(Optionals:decode(""), {})
for name, value in pairs { a_double = 0.0, an_int32 = 0, a_uint64 = 0, a_bool = false,
    a_string = "",
    a_bytes = "", an_enum = "NONE", a_message = { name = "", children = {} } } do
    local bytes = Optionals:encode({ [name] = value })
    assert(#bytes > 0, name)
    check.same(Optionals:decode(bytes), { [name] = value })
end

-- Lists and maps are empty tables, each message's own.
local one, two = Lists:decode(""), Lists:decode("")
check.same(one.int32s, {})
one.int32s[1] = 5
check.same(two.int32s, {})
check.same(Lists:encode(two), "")
check.same(Maps:decode("").by_string, {})
check.same(Maps:encode(Maps:decode("")), "")
check.same(Everything:decode(""), { choices = {} })

-- The last of several scalars counts; several messages become one.
check.same(Scalars:decode(check.bytes "18 01 18 02").an_int32, 2)
check.same(Scalars:decode(check.bytes "18 01 18 00").an_int32, 0)
local merged = Everything:decode(
    check.bytes "0a 04 1801 2002   0a 02 1803   1a 03 1a0101   1a 03 1a0102")
check.same({ merged.scalars.an_int32, merged.scalars.an_int64 }, { 3, 2 })
check.same(merged.lists.int32s, { 1, 2 })

-- Fields are written in the order of their numbers.
check.wire(Scalars, { an_enum = "RED", a_bool = true, an_int32 = 1 }, "18 01 68 01 8001 01")

-- Tables are read raw.
local odd = setmetatable({ an_int32 = 1 }, { __index = { an_int64 = 2 }, __pairs = error,
    __len = error })
check.same(Scalars:encode(odd), check.bytes "18 01")

return check.done
