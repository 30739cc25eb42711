-- The files that reflection tells of, under names that each stand for one content.
--
-- To a client a file's name is what it is: one name, one content, over all that a server tells.
-- Here a name is unique within a script's schema alone, since two scripts may each have a
-- types.proto beside them. The first content keeps the name; another one, and one whose imports
-- differ, gets its package in front.
local pb = require "moontrail.protobuf"

local reflection_files = {}

-- A FileDescriptorProto, of which no more is to be seen than what names files.
local File = pb.parse([[
    syntax = "proto2";
    message File {
      optional string name = 1;
      optional string package = 2;
      repeated string dependency = 3;
      repeated bytes message_type = 4;
      repeated bytes enum_type = 5;
      repeated bytes service = 6;
      repeated bytes extension = 7;
      optional bytes options = 8;
      optional bytes source_code_info = 9;
      repeated int32 public_dependency = 10;
      repeated int32 weak_dependency = 11;
      optional string syntax = 12;
    }]], "file.proto"):message("File")

-- A file is { name, descriptor, imports = the files that it imports, by_import = the same by the
-- names that its schema has for them, original = its descriptor with those names }.
local by_schema, by_original, by_name = {}, {}, {}

-- The well-known types are known by their names everywhere.
local function is_well_known(name)
    return name:find("^google/protobuf/") ~= nil
end

local function unused_name(name, package)
    local folder = package and package .. "/" or ""
    local i, candidate = 1, folder .. name
    while by_name[candidate] do
        i = i + 1
        candidate = folder .. i .. "/" .. name
    end
    return candidate
end

local function is_same(file, original, imports)
    if file.original ~= original then
        return false
    end
    for i, import in ipairs(imports) do
        if file.imports[i] ~= import then
            return false
        end
    end
    return true
end

-- A file whose name, or that of an import of its, is not the one in its descriptor.
local function rename(file, name)
    local proto = File:decode(file.original)
    if by_name[name] and not is_well_known(name) then
        file.name = unused_name(name, proto.package)
    end
    proto.name = file.name
    for i, import in ipairs(proto.dependency) do
        proto.dependency[i] = file.by_import[import].name
    end
    file.descriptor = File:encode(proto)
end

local function add(original, name, by_import, imports)
    local file = {
        name = name, descriptor = original, original = original, imports = imports,
        by_import = by_import,
    }
    local is_renamed = by_name[name] ~= nil
    for import, its in pairs(by_import) do
        is_renamed = is_renamed or its.name ~= import
    end
    if is_renamed then
        rename(file, name)
    end
    by_name[file.name] = by_name[file.name] or file
    return file
end

-- The same content under the same name is one file, whichever schemas have it.
local function intern(original, name, by_import, imports)
    local known = by_original[name] or {}
    by_original[name] = known
    for _, file in ipairs(known) do
        if is_same(file, original, imports) then
            return file
        end
    end
    known[#known + 1] = add(original, name, by_import, imports)
    return known[#known]
end

-- The file that a schema has by that name.
function reflection_files.get(schema, name)
    local files = by_schema[schema] or {}
    by_schema[schema] = files
    if not files[name] then
        local imports, by_import = {}, {}
        for i, import in ipairs(schema:dependencies(name)) do
            imports[i] = reflection_files.get(schema, import)
            by_import[import] = imports[i]
        end
        files[name] = intern((schema:descriptor_of_file(name)), name, by_import, imports)
    end
    return files[name]
end

-- The file that is told of by that name, or nil.
function reflection_files.by_name(name)
    return by_name[name]
end

return reflection_files
