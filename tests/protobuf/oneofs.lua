-- A oneof is the one field that is set.
local check = require "_check"
local Choice, Everything = check.message("Choice"), check.message("Everything")

check.same(Choice:decode(""), { before = "" })
check.same(check.wire(Choice, { number = 0 }, "10 00"), { before = "", number = 0 })
check.same(check.wire(Choice, { text = "" }, "1a 00"), { before = "", text = "" })
check.wire(Choice, { colour = "NONE", no = "" }, "3a 00 a006 00")
check.wire(Choice, { tree = { name = "", children = {} } }, "22 00")

-- The last one counts, and the ones before it are gone.
check.same(Choice:decode(check.bytes "10 01 1a 01 61"), { before = "", text = "a" })
check.same(Choice:decode(check.bytes "1a 01 61 10 00"), { before = "", number = 0 })
check.same(Choice:decode(check.bytes "22 03 0a0161 10 05 22 00").tree, { name = "", children = {} })
check.same(Choice:decode(check.bytes "22 03 0a0161 22 02 1200").tree.name, "a")
check.same(Choice:decode(check.bytes "30 01 10 01 3a 00"), { before = "", number = 1, no = "" })
local merged = Everything:decode(check.bytes "32 02 1005 32 03 1a0161 ")
check.same(merged.choice, { before = "", text = "a" })
merged = Everything:decode(check.bytes "32 05 2203 0a0161 32 04 2202 1200")
check.same(merged.choice.tree, { name = "a", left = { name = "", children = {} }, children = {} })

local ok, message = pcall(Choice.encode, Choice, { number = 1, text = "a" })
assert(
    not ok and (message == "everything.Choice: both number and text of the oneof choice are set" or
    message == "everything.Choice: both text and number of the oneof choice are set"), message)

return check.done
