-- What a schema tells.
local pb = require "moontrail.protobuf"
local check = require "_check"
local schema = check.load("everything.proto")

-- Messages.
local Tree = schema:message("everything.Tree")
assert(Tree.name == "everything.Tree" and tostring(Tree) == "message type everything.Tree")
assert(schema:message("everything.Tree") == Tree)
assert(schema:message("google.protobuf.Timestamp"))
assert(schema:message("everything.Nothing") == nil and schema:message("") == nil)
assert(schema:message("everything.Colour") == nil)

-- Files: the main one first, and only those read.
local files = schema:files()
assert(
    #files == 2 and files[1]:find("/everything.proto$") and files[2]:find("/shared/colour.proto$"))
check.same(schema:dependencies("everything.proto"),
    { "google/protobuf/timestamp.proto", "shared/colour.proto" })
check.same(schema:dependencies("shared/colour.proto"), {})
assert(schema:dependencies("other.proto") == nil)

-- Names: as imports see a file, or its path, from which the folder is taken away.
local function name_of_main(...)
    local loaded = pb.load(...)
    for _, name in ipairs { "everything.proto", "protobuf/everything.proto" } do
        if loaded:descriptor_of_file(name) then
            return name
        end
    end
end
local folder = check.folder
local shared = folder .. "/shared"
assert(name_of_main(folder .. "/everything.proto") == "everything.proto")
assert(name_of_main(folder .. "/everything.proto", { "/usr", folder }) == "everything.proto")
assert(name_of_main(folder .. "/shared/../everything.proto", { folder }) == "everything.proto")
assert(name_of_main("../everything.proto", { shared, folder }) == "everything.proto")
assert(name_of_main(folder .. "/everything.proto", { folder .. "/..", folder })
    == "protobuf/everything.proto")

-- Services.
check.same(schema:services(), { "everything.Talk" })
local talk = schema:service("everything.Talk")
assert(talk.name == "everything.Talk" and talk.file == "everything.proto" and #talk.methods == 4)
local ask, tell, listen, chat = table.unpack(talk.methods)
assert(ask.name == "Ask" and ask.input == schema:message("everything.Scalars"))
assert(ask.output_name == "everything.Lists" and ask.output.name == "everything.Lists")
assert(not ask.client_streaming and not ask.server_streaming)
assert(
    tell.client_streaming and not tell.server_streaming and tell.input_name == "everything.Scalars")
assert(not listen.client_streaming and listen.server_streaming)
assert(listen.output.name == "google.protobuf.Timestamp")
assert(chat.client_streaming and chat.server_streaming)
assert(schema:service("everything.Tree") == nil)

-- Descriptors: each file's, by name or by what is in it.
local types = pb.parse('import public "google/protobuf/descriptor.proto";', "types.proto")
local File = types:message("google.protobuf.FileDescriptorProto")
local function name_of(bytes)
    return bytes and File:decode(bytes).name
end
assert(name_of(schema:descriptor_of_file("everything.proto")) == "everything.proto")
assert(
    name_of(
    schema:descriptor_of_file(
    "google/protobuf/timestamp.proto")) == "google/protobuf/timestamp.proto")
for _, name in ipairs { "", "/etc/passwd", "../protobuf/old.proto", "old.proto" } do
    assert(schema:descriptor_of_file(name) == nil, name)
end
for symbol, file in pairs { ["everything.Tree"] = "everything.proto",
    ["everything.Tree.name"] = "everything.proto",
    ["everything.Talk"] = "everything.proto", ["everything.Talk.Ask"] = "everything.proto",
    ["everything.Colour"] = "shared/colour.proto", ["everything.RED"] = "shared/colour.proto",
    ["google.protobuf.Timestamp"] = "google/protobuf/timestamp.proto" } do
    assert(name_of(schema:descriptor_of_symbol(symbol)) == file, symbol)
end
assert(schema:descriptor_of_symbol("everything.Tree.nothing") == nil)
local talked = File:decode((schema:descriptor_of_file("everything.proto")))
assert(#talked.service[1].method == 4 and talked.service[1].method[2].client_streaming)

-- Extensions.
local old = check.load("old.proto")
check.same(old:extension_numbers("old.Old"), { 100, 150 })
check.same(old:extension_numbers("old.Point"), {})
check.same(old:extension_numbers("old.Nothing"), {})
assert(name_of(old:descriptor_of_extension("old.Old", 150)) == "old.proto")
assert(name_of(old:descriptor_of_symbol("old.more")) == "old.proto")
for _, number in ipairs { 101, 0, -1, 1, math.maxinteger } do
    assert(old:descriptor_of_extension("old.Old", number) == nil)
end
assert(old:descriptor_of_extension("old.Nothing", 1) == nil)

-- A type and a service outlive what the script drops.
local kept = pb.parse('syntax = "proto3"; message A { string b = 1; }', "a.proto"):message("A")
collectgarbage()
collectgarbage()
assert(kept:decode(kept:encode({ b = "c" })).b == "c")

-- Messages of few fields and many; names longer than Lua keeps once.
local function try_wide(count)
    local lines, value = { 'syntax = "proto3"; message Wide {' }, {}
    for i = 1, count do
        local name = ("field_%d"):format(i) .. (i % 7 == 0 and ("_"):rep(50) .. "a" or "")
        lines[#lines + 1] = ("optional int32 %s = %d; repeated int32 r%s = %d;"):format(
            name, 20 * i, name, 20 * i + 1)
        value[name] = i
        value["r" .. name] = { i }
    end
    local Wide = pb.parse(table.concat(lines, "\n") .. "}", "wide.proto"):message("Wide")
    check.same(Wide:decode(Wide:encode(value)), value)
    check.raises('Wide: there is no field "field_0"', Wide.encode, Wide, { field_0 = 1 })
    check.raises("Wide.field_1: expected an integer, got boolean", Wide.encode, Wide,
        { field_1 = true })
end
for _, count in ipairs { 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 700 } do
    try_wide(count)
end

-- A text in place of a file; what it imports lies in folders.
local parsed = pb.parse('import "google/protobuf/any.proto"; package given; message Any2 {}',
    "given/any2.proto")
check.same(parsed:files(), {})
assert(name_of(parsed:descriptor_of_symbol("given.Any2")) == "given/any2.proto")

-- Files that are loaded from the same folders are parsed once; each schema has its own alone.
local scratch = os.tmpname()
local place, stem = scratch:match("^(.*/)([^/]*)$")

local function write(name, body)
    local to = assert(io.open(place .. stem .. name, "w"))
    to:write('syntax = "proto3"; package shared; ', body)
    to:close()
end

local function load_one(name)
    return pb.load(stem .. name, { place })
end

write("a.proto", "message A { string text = 1; }")
write("b.proto", ('import "%sa.proto"; message B { A a = 1; }'):format(stem))
write("c.proto", ('import "%sa.proto"; message C { A a = 1; repeated A list = 2; }'):format(stem))
write("d.proto", "message C { int32 other = 1; }")

local b, c = load_one("b.proto"), load_one("c.proto")
check.same(b:files(), { place .. stem .. "b.proto", place .. stem .. "a.proto" })
check.same(c:files(), { place .. stem .. "c.proto", place .. stem .. "a.proto" })
assert(b:message("shared.C") == nil and c:message("shared.B") == nil)
assert(b:descriptor_of_symbol("shared.C") == nil and b:descriptor_of_file(stem .. "c.proto") == nil)
local C = c:message("shared.C")
check.same(C:decode(C:encode({ a = { text = "x" }, list = { {} } })),
    { a = { text = "x" }, list = { { text = "" } } })
collectgarbage()
check.same(C:from_json('{"a":{"text":"y"}}').a, { text = "y" })

-- A message that another file of the folder has, too, is no fault where neither imports the other.
check.same(load_one("d.proto"):message("shared.C"):decode("\8\1"), { other = 1 })

-- A file that has changed since is read again, and so is one in whose place another is found.
write("a.proto", "message A { string text = 1; int32 more = 2; }")
local again = load_one("c.proto"):message("shared.C")
check.same(again:decode("\10\0").a, { text = "", more = 0 })
check.same(C:decode("\10\0").a, { text = "" })
write("a.proto", "message A {")
assert(not pcall(load_one, "c.proto"))
write("a.proto", "message A { int32 third = 3; }")
check.same(load_one("c.proto"):message("shared.C"):decode("\10\0").a, { third = 0 })

-- Where files are looked for is told of those that were parsed before.
local seen = {}
pb.load(stem .. "c.proto", { place }, nil, seen)
assert(table.concat(seen, " "):find(stem .. "a.proto", 1, true))
check.raises(place .. stem .. "a.proto: more than 1 files", pb.load, stem .. "c.proto", { place },
    { max_files = 1 })

-- A load may fail while the schemas of the same folders are collected.
write("e.proto", 'import "nowhere.proto";')
local folders = { place }
for i = 1, 100 do
    folders[i + 1] = place .. i
end
local mode = collectgarbage("generational")
for _ = 1, 100 do
    pb.load(stem .. "d.proto", folders)
    for _ = 1, 3 do
        assert(not pcall(pb.load, stem .. "e.proto", folders, nil, {}))
    end
end
collectgarbage(mode)

for _, name in ipairs { "a.proto", "b.proto", "c.proto", "d.proto", "e.proto", "" } do
    os.remove(place .. stem .. name)
end

return check.done
