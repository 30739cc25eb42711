-- Statuses as plain HTTP has them: a google.rpc.Status in JSON.
local base64 = require "moontrail.base64"
local connect_error = require "moontrail.grpc.connect_error"
local status = require "moontrail.grpc.status"

local quote = connect_error.quote

local http_error = {}

-- Messages whose JSON is a value of its own kind.
local known = {}
for _, name in ipairs { "Any", "BoolValue", "BytesValue", "DoubleValue", "Duration", "FieldMask",
    "FloatValue", "Int32Value", "Int64Value", "ListValue", "StringValue", "Struct", "Timestamp",
    "UInt32Value", "UInt64Value", "Value" } do
    known["google.protobuf." .. name] = true
end

-- Such a value stands beside the type; of any other message the fields do.
local function join(url, text, name)
    if known[name] then
        return ('{"@type":%s,"value":%s}'):format(quote(url), text)
    end
    return ('{"@type":%s%s%s'):format(quote(url), text == "{}" and "" or ",", text:sub(2))
end

-- A google.protobuf.Any as JSON; its value in base64 where nobody knows the type.
local function encode_detail(schema, url, bytes)
    local name = url:match("^.*/(.*)") or url
    local type = status.type_of(schema, name)
    local ok, text = pcall(function() return type:to_json(bytes) end)
    if ok then
        return join(url, text, name)
    end
    return ('{"@type":%s,"value":%s}'):format(quote(url), quote(base64.encode(bytes)))
end

-- The details of a status as a JSON array. Raises for a detail that is not as its .proto has it.
function http_error.encode_details(problem, schema)
    return connect_error.list_details(problem, schema, encode_detail)
end

-- A status as JSON; shown is what encode_details gave.
function http_error.encode(code, text, shown)
    return ('{"code":%d,"message":%s,"details":%s}'):format(code, quote(text), shown or "[]")
end

return http_error
