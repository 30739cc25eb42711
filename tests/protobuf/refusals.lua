-- Texts that do not load: each error names the place.
local pb = require "moontrail.protobuf"
local check = require "_check"
local folder = check.folder

local function refuses(message, text, ...)
    check.raises(message, pb.parse, text, "a.proto", ...)
end

refuses('a.proto:2:1: Expected top-level statement (e.g. "message").',
    'syntax = "proto3";\nnonsense')
refuses('a.proto:2:19: "Nothing" is not defined.',
    'syntax = "proto3";\nmessage A { ; ;   Nothing b = 1; }')
refuses('a.proto:1:10: Unrecognized syntax identifier "proto9".  '
        .. 'This parser only recognizes "proto2" and "proto3".',
    'syntax = "proto9";')
refuses('a.proto:1:18: import "none.proto": there is no such file',
    'syntax="proto3"; import "none.proto";')
refuses('a.proto:2:1: import "none.proto": there is no such file in ' .. folder .. ", /tmp",
    'syntax="proto3";\nimport "none.proto";', { folder, "/tmp" })
refuses('a.proto:1:18: import "a.proto": it imports this file in turn',
    'syntax="proto3"; import "a.proto";')
refuses("a.proto:2:2: A.g is a group: groups are not supported; use a message",
    "message A {\n optional group G = 1 { optional int32 b = 2; } }")
refuses('a.proto:1:54: Field number 1 has already been used in "A" by field "b".',
    'syntax="proto3"; message A { int32 b = 1; int32 c  = 1; }')


-- Editions, told once and alone, in imported files too.
local editions = "editions are read from descriptor sets, which protoc -o and buf build write; "
    .. 'in source write syntax = "proto3" (or "proto2")'
refuses("a.proto:2:3: " .. editions,
    "// edition\n  edition /**/ = '2023'; message A { string b = 1; }")
refuses(folder .. "/editions.proto:3:1: " .. editions,
    'import "editions.proto"; message B { optional editions.A a = 1; }', { folder })
check.raises(folder .. "/editions.proto:3:1: " .. editions, pb.load, "editions.proto", { folder })
refuses("a.proto:1:1: Expected top-level statement (e.g. \"message\").", "editions = 1;")

-- Files.
check.raises("none.proto: there is no such file", pb.load, "none.proto")
check.raises("none.proto: there is no such file in /tmp", pb.load, "none.proto", { "/tmp" })

-- Where files were looked for is told of what does not load, too.
local function places_of(file, folders)
    local places = { "before" }
    pcall(pb.load, file, folders, nil, places)
    return places
end

check.same(places_of("none.proto", { "/tmp/b", "/tmp/a" }),
    { "before", "/tmp/a/none.proto", "/tmp/b/none.proto", "none.proto" })
check.same(places_of("around.proto", { folder }),
    { "before", folder .. "/around.proto", folder .. "/round.proto" })
check.raises("bad argument #4 to 'moontrail.protobuf.load' (list of places expected, got string)",
    pb.load, "none.proto", {}, nil, "places")

check.raises(folder .. "/broken.proto:4:1: Expected message name.", pb.load, folder
    .. "/broken.proto")
check.raises(folder .. '/around.proto:3:1: import "round.proto": it imports this file in turn',
    pb.load, "round.proto", { folder })

-- What is broken is told once, however many import it.
check.raises(folder .. "/broken.proto:4:1: Expected message name.", pb.parse,
    'import "broken.proto"; import "after.proto";', "a.proto", { folder })

-- Bounds.
check.raises(folder .. "/shared/colour.proto: more than 1 files", pb.load, "everything.proto",
    { folder },
    { max_files = 1 })
check.raises(folder .. "/everything.proto: more than 100 bytes in all files", pb.load,
    "everything.proto",
    { folder }, { max_bytes = 100 })

-- Arguments.
for _, arguments in ipairs { {}, { {} }, { "a.proto", 1 }, { "a.proto", { 1 } },
    { "a.proto", { {} } }, { "a.proto", {}, 1 } } do
    local ok, message = pcall(pb.load, table.unpack(arguments))
    assert(not ok and message:find("^bad argument"), message)
end
for message, bounds in pairs {
    ["max_files is a positive integer"] = { max_files = 0 },
    ["max_bytes is a positive integer"] = { max_bytes = "x" },
    ["there is no bound files"] = { files = 1 },
    ["there is no bound number"] = { 5 },
} do
    check.raises("protobuf: " .. message, pb.load, "everything.proto", { folder }, bounds)
end

return check.done
