-- Statuses as the Connect protocol tells them, in JSON, read.
local base64 = require "moontrail.base64"
local details = require "moontrail.grpc.details"
local json = require "moontrail.json"
local media = require "moontrail.grpc.media"
local status = require "moontrail.grpc.status"

local codes = status.codes

local connect_status = {}

-- The code of a name that an error may have, or nil.
local function code_of(name)
    if type(name) ~= "string" or name ~= name:lower() or name == "ok" then
        return nil
    end
    return name == "canceled" and codes.CANCELLED or codes[name:upper()]
end

-- Whether a media type is that of errors.
function connect_status.is_json(kind)
    return media.type_of(kind) == "application/json"
end

-- A detail as an Any; nil for what is none.
local function read_detail(detail)
    local name, value = nil, nil
    if type(detail) == "table" then
        name, value = detail.type, detail.value
    end
    if type(name) ~= "string" or type(value) ~= "string" then
        return nil
    end
    local bytes = base64.decode(value)
    return bytes and { type_url = "type.googleapis.com/" .. name, value = bytes }
end

-- Sets the details of a status from those of JSON; what is no detail is left out.
local function take_details(final, list, schema)
    local anys = {}
    for _, detail in ipairs(type(list) == "table" and list or {}) do
        anys[#anys + 1] = read_detail(detail)
    end
    if #anys > 0 then
        final.details = anys
        final.encoded = status.encode_details(final, schema)
        final.details = details.decode(final.encoded, schema)
    end
end

-- The status that an object has; otherwise is the one for what it does not say.
local function read(object, otherwise, schema)
    local code = code_of(object.code)
    local text = type(object.message) == "string" and object.message
    local final = status.new(code or otherwise.code,
        text or code and "" or otherwise.message)
    take_details(final, object.details, schema)
    return final
end

-- The status that a text of JSON is; otherwise for one that is none.
function connect_status.parse(text, otherwise, schema)
    local ok, object = pcall(json.decode, text)
    if not ok or type(object) ~= "table" then
        return otherwise
    end
    return read(object, otherwise, schema)
end

-- The metadata of what ends a stream, as a list of pairs.
local function read_metadata(given)
    local list = {}
    for name, values in pairs(type(given) == "table" and given or {}) do
        for _, value in ipairs(type(values) == "table" and values or {}) do
            if type(name) == "string" and type(value) == "string" then
                list[#list + 1] = { name:lower(), value }
            end
        end
    end
    return list
end

-- What ends a stream: its status, and its metadata as a list of pairs.
function connect_status.parse_end(text, schema)
    local ok, object = pcall(json.decode, text)
    if not ok or type(object) ~= "table" then
        return status.new(codes.INTERNAL, "what ends the stream is no object of JSON"), {}
    end
    local fields = read_metadata(object.metadata)
    if object.error == nil or object.error == json.null then
        return status.new(codes.OK, ""), fields
    end
    local unknown = status.new(codes.UNKNOWN, "the server has given no status")
    if type(object.error) ~= "table" then
        return unknown, fields
    end
    return read(object.error, unknown, schema), fields
end

return connect_status
