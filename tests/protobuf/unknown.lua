-- What the schema does not know is skipped; what is malformed is refused; depth is bounded.
local check = require "_check"
local Scalars, Choice, Tree = check.message("Scalars"), check.message("Choice"),
    check.message("Tree")
local Everything, Little = check.message("Everything"), check.message("Little")

-- Each type of the wire, groups within groups too.
local known = "18 05"
for _, unknown in ipairs { "a03f 01", "a13f 0000000000000000", "a23f 02 ffff", "a53f 00000000",
    "a33f a43f", "a33f 0801 a23f 01ff ab3f ac3f a43f" } do
    for _, bytes in ipairs { known .. unknown, unknown .. known } do
        check.same(Scalars:decode(check.bytes(bytes)).an_int32, 5)
    end
end

-- A known number with a type that it cannot have is unknown.
check.same(Scalars:decode(check.bytes "1d 01000000 18 05").an_int32, 5)
check.same(Scalars:decode(check.bytes "1a 01 01").an_int32, 0)
check.same(Scalars:decode(check.bytes "70 01").a_string, "")

-- An older program reads what it knows of a message.
local all = Everything:encode({ scalars = { an_int32 = 1 }, choice = { number = 7 },
    tree = { name = "a" }, again = { tree = { name = "b" } } })
check.same(Little:decode(all), { choice = { before = "", number = 7 } })
check.same(Everything:decode(all).again.tree.name, "b")

-- Malformed.
local malformed = {
    "18", "18 80", "18 8080808080808080808080 01", "18 ffffffffffffffffffff01", "09 00",
    "15 000000", "72", "72 01", "72 02 61", "72 ffffffffffffffffff01 61", "72 ffffffff07 61",
    "72 808080808000", "00", "00 00", "02 00", "07", "0e 00", "1f", "80", "8080808080 01 00",
    "ffffffffff01 00", "0c", "a33f", "a33f 0801", "a33f ac3f", "a33f 72 01", "a43f",
    "a33f a33f a43f",
}
for _, digits in ipairs(malformed) do
    local ok, message = pcall(Scalars.decode, Scalars, check.bytes(digits))
    assert(not ok and message:find("^everything%.Scalars.*: truncated or malformed message$"),
        digits)
end
check.raises("everything.Choice.tree.left.name: truncated or malformed message", Choice.decode,
    Choice,
    check.bytes "22 04 1202 0a05")

-- Each prefix of a message is refused or read; none does harm.
for n = 0, #all do
    local ok, message = pcall(Everything.decode, Everything, all, 1, n)
    assert(ok or message:find(": truncated or malformed message$"), message)
end

-- A part of a string.
check.same(Tree:decode("xx\x0a\x01ayy", 3, 5).name, "a")
check.same(Tree:decode("xx\x0a\x01ayy", 3, -3).name, "a")
check.same(Tree:decode("xx\x0a\x01a", -3).name, "a")
check.same(Tree:decode("xx", 3).name, "")
check.same(Tree:decode("\x0a", 2, 1).name, "")
check.same(Tree:decode("\x0a\x00", -100, 100).name, "")
check.same(Tree:decode("\x0a\x00", math.mininteger, math.maxinteger).name, "")

-- A hundred levels, no more.
local function nest(levels)
    local tree = { name = "deepest", children = {} }
    for _ = 2, levels do
        tree = { name = "", left = tree, children = {} }
    end
    return tree
end
local function nested_bytes(levels)
    local bytes = ""
    for _ = 2, levels do
        bytes = "\x12" .. string.pack("B", #bytes % 128 | (#bytes > 127 and 128 or 0))
            .. (#bytes > 127 and string.pack("B", #bytes >> 7) or "") .. bytes
    end
    return bytes
end
local where = "everything.Tree" .. (".left"):rep(100)
check.same(Tree:decode(Tree:encode(nest(100))), nest(100))
check.raises(where .. ": more than 100 levels", Tree.encode, Tree, nest(101))
check.same(Tree:encode(Tree:decode(nested_bytes(100))), nested_bytes(100))
check.raises(where .. ": more than 100 levels", Tree.decode, Tree, nested_bytes(101))
check.raises("everything.Tree: truncated or malformed message", Tree.decode, Tree,
    ("\xa3\x3f"):rep(101) .. ("\xa4\x3f"):rep(101))
assert(Tree:decode(("\xa3\x3f"):rep(100) .. ("\xa4\x3f"):rep(100)))
local own = {}
own.right = own
assert(not pcall(Tree.encode, Tree, own))

-- A decoder words the errors of the bytes, at any depth, and no others.
local decode = Tree:decoder(function(text) return { told = text } end)
local cut = Tree:encode({ left = { name = "abc" } }):sub(1, -2)
local _, failed = pcall(decode, cut)
check.same(failed, { told = select(2, pcall(Tree.decode, Tree, cut)) })
_, failed = pcall(decode, nested_bytes(101))
check.same(failed, { told = where .. ": more than 100 levels" })
check.same(decode("x" .. Tree:encode(nest(2)) .. "x", 2, -2), nest(2))
assert(type(select(2, pcall(decode, 12))) == "string", "what is no bytes is the caller's mistake")
check.raises("raised by fail", Tree:decoder(function() error("raised by fail", 0) end), "\xff")
assert(not pcall(Tree.decoder, Tree), "a decoder without a function")
assert(not pcall(Tree.decoder, {}, print), "a decoder of no type")
local function decoder_alone()
    return check.load("everything.proto"):message("everything.Tree"):decoder(print)
end
decode = decoder_alone()
collectgarbage()
check.same(decode(Tree:encode(nest(2))), nest(2)) -- it keeps its type, and that its schema

-- What a message is not: a type of another kind, or something else.
assert(not pcall(Tree.encode, io.stdout, {}))
assert(not pcall(Tree.encode, {}, {}))
assert(not pcall(Tree.decode, Tree, 12))
check.raises('everything.Tree: there is no field "nmae"', Tree.encode, Tree, { nmae = "" })
check.raises('everything.Tree.children[1]: there is no field "x"', Tree.encode, Tree,
    { children = { { x = 1 } } })
check.raises("everything.Tree: the keys of a message are names of fields, not a number",
    Tree.encode,
    Tree, { "a" })

return check.done
