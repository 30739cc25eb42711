-- JSON Schemas of messages, by the mapping of protocol buffers to JSON, as an OpenAPI document has
-- them under #/components/schemas.
local fields = require "moontrail.grpc.http_fields"

local schema = {}

local function integer(format)
    return { type = "integer", format = format }
end

-- Integers of 64 bits are strings.
local function long(format)
    return { type = "string", format = format }
end

-- By the type of a field.
local scalars = {
    bool = { type = "boolean" },
    bytes = { type = "string", contentEncoding = "base64" },
    double = { type = "number", format = "double" },
    float = { type = "number", format = "float" },
    int32 = integer "int32", sint32 = integer "int32", sfixed32 = integer "int32",
    uint32 = integer "uint32", fixed32 = integer "uint32",
    int64 = long "int64", sint64 = long "int64", sfixed64 = long "int64",
    uint64 = long "uint64", fixed64 = long "uint64",
    string = { type = "string" },
}

-- By name: messages whose JSON is not that of their fields.
local known = {
    ["google.protobuf.Any"] = {
        type = "object",
        properties = { ["@type"] = { type = "string" } },
        additionalProperties = true,
    },
    ["google.protobuf.Duration"] = {
        type = "string",
        pattern = "^-?[0-9]+([.][0-9]{1,9})?s$",
    },
    ["google.protobuf.Empty"] = { type = "object" },
    ["google.protobuf.FieldMask"] = { type = "string" },
    ["google.protobuf.ListValue"] = { type = "array" },
    ["google.protobuf.Struct"] = { type = "object", additionalProperties = true },
    ["google.protobuf.Timestamp"] = { type = "string", format = "date-time" },
    ["google.protobuf.Value"] = { description = "any JSON" },
}
for name, type in pairs { Double = "double", Float = "float", Int64 = "int64", UInt64 = "uint64",
    Int32 = "int32", UInt32 = "uint32", Bool = "bool", String = "string", Bytes = "bytes" } do
    known[("google.protobuf.%sValue"):format(name)] = scalars[type]
end

-- A comment of a .proto as a description; nil for none.
function schema.comment(types, name)
    local text = types:comment(name):gsub("\n ", "\n")
    local begin = text:find("%S")
    return begin and text:match("^.*%S", begin)
end

-- What JSON differs in makes other schemas of the same messages.
local function suffix_of(options)
    return (options and options.names and ".proto" or "")
        .. (options and options.enums and ".numbers" or "")
end

local function refer(name)
    return { ["$ref"] = "#/components/schemas/" .. name }
end

local function add_enum(all, field, rpc)
    local numbers = rpc.json and rpc.json.enums
    local name = field.enum .. suffix_of(rpc.json)
    all[name] = all[name] or {
        type = numbers and "integer" or "string",
        enum = not numbers and field.values or nil,
        description = schema.comment(rpc.schema, field.enum),
    }
    return refer(name)
end

local function copy(from)
    local to = {}
    for key, value in pairs(from) do
        to[key] = value
    end
    return to
end

-- The schema of one value of a field.
local function value_of(all, field, rpc)
    if field.enum == "google.protobuf.NullValue" then
        return { type = "null" }
    elseif field.enum then
        return add_enum(all, field, rpc)
    elseif field.message then
        return schema.of_message(all, field.message, rpc)
    end
    return copy(scalars[field.type])
end

-- The schema of a field; all gets those of the messages that it leads to.
function schema.of_field(all, field, rpc)
    if field.map then
        return { type = "object", additionalProperties = value_of(all, field.value, rpc) }
    elseif field.repeated then
        return { type = "array", items = value_of(all, field, rpc) }
    end
    return value_of(all, field, rpc)
end

-- What a field is called in JSON.
function schema.name_of(field, rpc)
    return rpc.json and rpc.json.names and field.name or field.json_name
end

local function add_message(all, name, type, rpc)
    local made = { type = "object", description = schema.comment(rpc.schema, type.name) }
    local properties, required = {}, {}
    all[name] = made
    for _, field in ipairs(fields.of(type).list) do
        local property = schema.of_field(all, field, rpc)
        property.description = schema.comment(rpc.schema, type.name .. "." .. field.name)
            or property.description
        property.deprecated = field.deprecated
        properties[schema.name_of(field, rpc)] = property
        required[#required + 1] = field.required and schema.name_of(field, rpc) or nil
    end
    made.properties = next(properties) and properties or nil
    made.required = required[1] and required or nil
end

-- The schema of a message: a reference, or what stands for a well-known type.
function schema.of_message(all, type, rpc)
    if known[type.name] then
        return copy(known[type.name])
    end
    local name = type.name .. suffix_of(rpc.json)
    if not all[name] then
        add_message(all, name, type, rpc)
    end
    return refer(name)
end

return schema
