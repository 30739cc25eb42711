-- The JSON mapping, which is the library's.
local check = require "_check"
local Everything, Scalars = check.message("Everything"), check.message("Scalars")

check.same(Scalars:to_json({}), "{}")
check.same(Scalars:to_json({ an_int64 = math.maxinteger, a_bytes = "\xff", an_enum = "RED" }),
    '{"anInt64":"9223372036854775807","aBytes":"/w==","anEnum":"RED"}')
check.same(Everything:to_json({ time = { seconds = 1, nanos = 500000000 } }),
    '{"time":"1970-01-01T00:00:01.500Z"}')
check.same(Scalars:to_json(Scalars:encode({ a_bool = true })), '{"aBool":true}')

check.same(Everything:from_json('{"time":"1970-01-01T00:00:01.5Z"}').time, { seconds = 1,
    nanos = 500000000 })
check.same(Scalars:from_json('{"an_int32": 5, "anEnum": "GREEN"}').an_int32, 5)

for _, text in ipairs { "", "{", '{"x":1}', '{"an_int32":"x"}', "[]" } do
    local ok, message = pcall(Scalars.from_json, Scalars, text)
    assert(not ok and message:find("^everything.Scalars: "), text)
end
for _, bytes in ipairs { "\x18", "\x07" } do
    check.raises("everything.Scalars: truncated or malformed message", Scalars.to_json, Scalars,
        bytes)
end
check.raises('everything.Scalars: there is no field "x"', Scalars.to_json, Scalars, { x = 1 })

return check.done
