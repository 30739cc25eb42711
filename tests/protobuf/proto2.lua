-- Declared defaults, required fields, closed enums, extensions.
local check = require "_check"
local old = check.load("old.proto")
local Old, Holder = old:message("old.Old"), old:message("old.Holder")
local lists = { unpacked = {}, packed = {}, points = {}, places = {}, sizes = {} }

-- A declared default is read, but is not there.
local got = Old:decode("")
check.same({ got.number, got.text, got.raw, got.size, got.yes, got.far, got.most },
    { -7, "text", "\1\xff", "SMALL", true, math.huge, -1 })
check.same(got.one, nil)
check.same(got.plain, nil)
local there = {}
for name, value in pairs(got) do
    there[name] = value
end
check.same(there, lists)
check.same(Old:encode(got), "")

-- What is there is on the wire, also when it is the default.
check.wire(Old, { number = -7 }, "10 f9ffffffffffffffff01")
check.wire(Old, { plain = 0 }, "08 00")
check.same(Old:decode(check.bytes "12 00 1a 00").text, "")
check.same(Old:decode(Old:encode({ yes = false })).yes, false)

-- Unpacked unless declared so.
check.wire(Old, { unpacked = { 1, 2 }, packed = { 1, 2 } }, "4801 4802 52 02 0102")

-- An unknown number stays one.
check.same(Old:decode(check.bytes "28 02").size, 2)
check.same(Old:decode(check.bytes "28 03").size, "LARGE")
check.same(Old:decode(check.bytes "800102 800103").sizes, { 2, "LARGE" })

-- Required fields, wherever they are missing.
local function refuses(where, value)
    check.raises("old.Holder.old." .. where .. ": required, but missing", Holder.encode, Holder,
        { old = value })
end
refuses("point.x", { point = {} })
refuses("point.y", { point = { x = 0 } })
refuses("points[2].y", { points = { { x = 0, y = 0 }, { x = 1 } } })
refuses('places["a"].x', { places = { a = { y = 1 } } })
refuses("two.y", { two = { x = 1 } })
for where, digits in pairs { ["point.x"] = "5a 00", ["point.y"] = "5a 02 0801",
    ["points[1].y"] = "62 02 0801", ['places["a"].x'] = "6a 03 0a0161",
        ["two.y"] = "7a 02 0801" } do
    local bytes = check.bytes(digits)
    check.raises("old.Holder.old." .. where .. ": required, but missing", Holder.decode, Holder,
        "\x0a" .. string.char(#bytes) .. bytes)
end
check.same(Holder:decode(""), {})

-- In JSON they may be left out where the rest is still to come.
local half = '{"old":{"point":{"x":1}}}'
check.raises("old.Holder.old.point.y: required, but missing", Holder.from_json, Holder, half)
check.same(rawget(Holder:from_json(half, { partial = true }).old, "point"), { x = 1 })
check.raises("old.Holder.old.point.y: required, but missing", Holder.field_from_json, Holder, "old",
    '{"point":{"x":1}}')
assert(Holder:field_from_json("old", '{"point":{"x":1}}', { partial = true }).point.x == 1)
check.raises("protobuf: the option partial is true or false", Holder.from_json, Holder, half,
    { partial = 1 })

-- Two halves of a message make a whole one.
check.same(Old:decode(check.bytes "5a 02 0801 5a 02 1002").point, { x = 1, y = 2 })

-- Extensions are skipped, and cannot be written.
check.same(rawget(Old:decode(check.bytes "a206 01 61 08 05"), "plain"), 5)
check.raises('old.Old: there is no field "more"', Old.encode, Old, { more = "" })

return check.done
