-- grpc.reflection.v1 and v1alpha: what is served, for clients that have no .proto.
local mt = require "moontrail"
local pb = require "moontrail.protobuf"
local reflection_files = require "moontrail.grpc.reflection_files"
local service = require "moontrail.grpc.service"
local status = require "moontrail.grpc.status"

local reflection = {}

-- The two versions differ in nothing but their package.
local PROTO = [[
syntax = "proto3";
package PACKAGE;

service ServerReflection {
  rpc ServerReflectionInfo(stream ServerReflectionRequest)
      returns (stream ServerReflectionResponse);
}

message ServerReflectionRequest {
  string host = 1;
  oneof message_request {
    string file_by_filename = 3;
    string file_containing_symbol = 4;
    ExtensionRequest file_containing_extension = 5;
    string all_extension_numbers_of_type = 6;
    string list_services = 7;
  }
}

message ExtensionRequest {
  string containing_type = 1;
  int32 extension_number = 2;
}

message ServerReflectionResponse {
  string valid_host = 1;
  ServerReflectionRequest original_request = 2;
  oneof message_response {
    FileDescriptorResponse file_descriptor_response = 4;
    ExtensionNumberResponse all_extension_numbers_response = 5;
    ListServiceResponse list_services_response = 6;
    ErrorResponse error_response = 7;
  }
}

message FileDescriptorResponse {
  repeated bytes file_descriptor_proto = 1;
}

message ExtensionNumberResponse {
  string base_type_name = 1;
  repeated int32 extension_number = 2;
}

message ListServiceResponse {
  repeated ServiceResponse service = 1;
}

message ServiceResponse {
  string name = 1;
}

message ErrorResponse {
  int32 error_code = 1;
  string error_message = 2;
}
]]

-- The names served, and the schemas that describe them, each once and in order.
local names, schemas = {}, {}

-- The schema of each service by the service's name.
local owners = {}

local function add_once(list, value)
    for _, one in ipairs(list) do
        if one == value then
            return
        end
    end
    list[#list + 1] = value
end

function reflection.add(schema, name)
    add_once(names, name)
    add_once(schemas, schema)
    owners[name] = owners[name] or schema
end

-- What a schema has to give, behind the schema: the preferred one if that has it, or the first.
local function find(preferred, method, ...)
    local found, more = nil, nil
    if preferred then
        found, more = preferred[method](preferred, ...)
    end
    if found then
        return preferred, found, more
    end
    for _, schema in ipairs(schemas) do
        found, more = schema[method](schema, ...)
        if found then
            return schema, found, more
        end
    end
end

-- The schema that a service of ours came from, by the name of the service or of one of its methods.
local function owner_of(symbol)
    return owners[symbol] or owners[symbol:match("^(.*)%.")]
end

local function not_found(what)
    return {
        error_response = {
            error_code = status.codes.NOT_FOUND,
            error_message = what .. " is not known",
        },
    }
end

-- Files are named in the order in which their services were told of, so that each worker gives them
-- the same names; between two services others have their turn.
local settled = 0

local function settle()
    while settled < #names do
        local name = names[settled + 1]
        local schema = owners[name]
        reflection_files.get(schema, schema:service(name).file)
        settled = settled + 1
        mt.sleep(0)
    end
end

-- A file and all that it imports, directly or not, each once.
local function closure_of(file)
    local queue, queued = { file }, { [file] = true }
    for _, one in ipairs(queue) do
        for _, import in ipairs(one.imports) do
            if not queued[import] then
                queued[import], queue[#queue + 1] = true, import
            end
        end
    end
    return queue
end

-- The file itself comes first, whenever it is asked for; of what it imports, what was sent on the
-- stream before is left out.
local function describe_all(asked, sent)
    local list = {}
    for i, file in ipairs(closure_of(asked)) do
        if i == 1 or not sent[file] then
            sent[file], list[#list + 1] = true, file.descriptor
        end
    end
    return { file_descriptor_response = { file_descriptor_proto = list } }
end

-- stream is what the stream of requests knows: the files sent on it, and the schema that it had the
-- last one from, which goes before others that have a symbol of the same name.
local function describe(stream, preferred, what, method, ...)
    local schema, _, name = find(preferred or stream.schema, method, ...)
    if not schema then
        return not_found(what)
    end
    stream.schema = schema
    return describe_all(reflection_files.get(schema, name), stream.sent)
end

-- What answers each kind of request.
local answers = {}

function answers.file_by_filename(name, stream)
    local file = reflection_files.by_name(name)
    if file then
        return describe_all(file, stream.sent)
    end
    return describe(stream, nil, name, "descriptor_of_file", name)
end

function answers.file_containing_symbol(name, stream)
    return describe(stream, owner_of(name), name, "descriptor_of_symbol", name)
end

function answers.file_containing_extension(extension, stream)
    local type, number = extension.containing_type, extension.extension_number
    return describe(stream, nil, ("the extension %d of %s"):format(number, type),
        "descriptor_of_extension", type, number)
end

function answers.all_extension_numbers_of_type(type)
    if not find(nil, "message", type) then
        return not_found(type)
    end
    local numbers = {}
    for _, schema in ipairs(schemas) do
        for _, number in ipairs(schema:message(type) and schema:extension_numbers(type) or {}) do
            add_once(numbers, number)
        end
    end
    return {
        all_extension_numbers_response = { base_type_name = type, extension_number = numbers },
    }
end

function answers.list_services()
    local list = {}
    for i, name in ipairs(names) do
        list[i] = { name = name }
    end
    return { list_services_response = { service = list } }
end

local function answer(request, stream)
    for kind, make in pairs(answers) do
        if request[kind] ~= nil then
            return make(request[kind], stream)
        end
    end
    return {
        error_response = {
            error_code = status.codes.INVALID_ARGUMENT,
            error_message = "the request asks for nothing that is known here",
        },
    }
end

local function answer_all(call)
    local stream = { sent = {}, schema = nil }
    settle()
    for request in call:messages() do
        local response = answer(request, stream)
        response.valid_host = request.host
        response.original_request = request
        call:send(response)
    end
end

reflection.names, reflection.routes, reflection.notes = {}, {}, {}

local function copy(from, to)
    for key, value in pairs(from) do
        to[key] = value
    end
end

for _, version in ipairs { "v1", "v1alpha" } do
    local package = "grpc.reflection." .. version
    local file = ("grpc/reflection/%s/reflection.proto"):format(version)
    local name = package .. ".ServerReflection"
    local schema = pb.parse((PROTO:gsub("PACKAGE", package)), file)
    local ServerReflection = service.new(schema, name)
    ServerReflection.ServerReflectionInfo = answer_all
    local routes, notes = service.routes(ServerReflection)
    copy(routes, reflection.routes)
    copy(notes, reflection.notes)
    reflection.names[#reflection.names + 1] = name
    reflection.add(schema, name)
    reflection.schema = reflection.schema or schema
end

return reflection
