-- The types of another server, by its reflection.
local gateway_call = require "moontrail.grpc.gateway_call"
local pb = require "moontrail.protobuf"
local reflection = require "moontrail.grpc.reflection"
local status = require "moontrail.grpc.status"

local codes = status.codes

local gateway_reflection = {}

-- The versions, the newer one first, and the type of messages that they have in common but for
-- their names.
local versions = {}
for i, version in ipairs { "v1", "v1alpha" } do
    versions[i] = "/grpc.reflection." .. version .. ".ServerReflection/ServerReflectionInfo"
end
local Request = reflection.schema:message("grpc.reflection.v1.ServerReflectionRequest")
local Response = reflection.schema:message("grpc.reflection.v1.ServerReflectionResponse")

-- What of a FileDescriptorProto says which file it is, and which it imports.
local File = pb.parse([[
    syntax = "proto2";
    message File {
      optional string name = 1;
      repeated string dependency = 3;
    }]], "reflected.proto"):message("File")

-- The files of a server at the most, and their bytes.
local FILES_MAX, BYTES_MAX = 1000, 16 << 20

local function ask(made, request)
    made:send(Request:encode(request))
    local bytes = made:recv()
    if not bytes then
        error(status.new(codes.UNAVAILABLE, "reflection ends before it has answered"), 0)
    end
    return Response:decode(bytes)
end

local function add_file(files, bytes)
    local file = File:decode(bytes)
    if files.by_name[file.name] then
        return
    end
    files.size = files.size + #bytes
    if #files.names == FILES_MAX or files.size > BYTES_MAX then
        error(status.new(codes.RESOURCE_EXHAUSTED, "the server tells of too many types"), 0)
    end
    files.by_name[file.name] = bytes
    files.names[#files.names + 1] = file.name
    table.move(file.dependency, 1, #file.dependency, #files.imports + 1, files.imports)
end

-- Takes the files of a response, as bytes by name, and the names of what they import.
local function take_files(files, response)
    local given = response.file_descriptor_response
    for _, bytes in ipairs(given and given.file_descriptor_proto or {}) do
        add_file(files, bytes)
    end
end

-- A server may leave imports out of its answers: these are asked for by name.
local function add_files(made, files, request)
    take_files(files, ask(made, request))
    while #files.imports > 0 do
        local name = table.remove(files.imports)
        if not files.by_name[name] and not files.asked[name] then
            files.asked[name] = true
            take_files(files, ask(made, { file_by_filename = name }))
        end
    end
end

local function is_wanted(name)
    return not name:find("^grpc%.reflection%.")
end

local function list_services(made)
    local names = {}
    local response = ask(made, { list_services = "" }).list_services_response
    for _, one in ipairs(response and response.service or {}) do
        names[#names + 1] = is_wanted(one.name) and one.name or nil
    end
    return names
end

local function varint(n)
    local bytes = ""
    while n > 0x7f do
        bytes, n = bytes .. string.char(n & 0x7f | 0x80), n >> 7
    end
    return bytes .. string.char(n)
end

-- A FileDescriptorSet of the files.
local function join(files)
    local parts = {}
    for _, name in ipairs(files.names) do
        local bytes = files.by_name[name]
        parts[#parts + 1] = "\x0a" .. varint(#bytes) .. bytes
    end
    return table.concat(parts)
end

local function read(backend, path, services, seconds)
    local made <close> = gateway_call.open(backend, path, seconds)
    local files = { names = {}, by_name = {}, asked = {}, imports = {}, size = 0 }
    services = services or list_services(made)
    for _, name in ipairs(services) do
        add_files(made, files, { file_containing_symbol = name })
    end
    return pb.parse(join(files), "reflected.binpb"), services
end

-- The schema of the services, of all unless they are given, and their names; within the seconds.
-- Raises the status of what went wrong.
function gateway_reflection.read(backend, services, seconds)
    local problem
    for _, path in ipairs(versions) do
        local ok, schema, names = pcall(read, backend, path, services, seconds)
        if ok then
            return schema, names
        end
        problem = schema
        if not status.is(problem) or problem.code ~= codes.UNIMPLEMENTED then
            break
        end
    end
    error(problem, 0)
end

return gateway_reflection
