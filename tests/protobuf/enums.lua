-- Enums are names; an unknown number stays a number.
local check = require "_check"
local Scalars, Lists = check.message("Scalars"), check.message("Lists")

check.wire(Scalars, { an_enum = "GREEN" }, "8001 02")
check.wire(Scalars, { an_enum = "FAR" }, "8001 ffffffff07")
check.wire(Scalars, { an_enum = "BELOW" }, "8001 ffffffffffffffffff01")
check.wire(Scalars, { an_enum = "DEEP" }, "8001 80808080f8ffffffff01")
check.wire(Scalars, { an_enum = 12 }, "8001 0c")
check.wire(Scalars, { an_enum = -12 }, "8001 f4ffffffffffffffff01")

-- A number that has a name is read as its first name.
check.same(Scalars:decode(Scalars:encode({ an_enum = 2 })).an_enum, "GREEN")
check.same(Scalars:decode(Scalars:encode({ an_enum = "CRIMSON" })).an_enum, "RED")
check.same(Lists:decode(Lists:encode({ enums = { "CRIMSON", 3, "NONE" } })).enums, { "RED", 3,
    "NONE" })

-- A longer number loses its high bits.
check.same(Scalars:decode(check.bytes "8001 8280808010").an_enum, "GREEN")

local function refuses(why, value)
    check.raises("everything.Scalars.an_enum: " .. why, Scalars.encode, Scalars,
        { an_enum = value })
end
refuses('everything.Colour has no value "BLUE"', "BLUE")
refuses('everything.Colour has no value "1"', "1")
refuses("4294967296 is not within -2147483648..2147483647", 2 ^ 32)
refuses("expected the name or number of a value, got boolean", true)

return check.done
