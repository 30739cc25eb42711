-- Metadata: what of a request's fields a call sees, and the rules for what it sends.
local base64 = require "moontrail.base64"
local blame = require("moontrail.runtime.script").blame

local metadata = {}

-- Base64 without padding, as gRPC asks of who sends.
function metadata.encode(bytes)
    return (base64.encode(bytes):gsub("=", ""))
end

-- The bytes of a text in base64, padded or not, in either alphabet; nil for one that is none.
function metadata.decode(text)
    local body, padding = text:match("^([^=]*)(=*)$")
    if not body or (padding ~= "" and (#body + #padding) % 4 ~= 0) then
        return nil
    end
    return base64.decode(body)
end

-- What is a protocol's, or HTTP's, and no metadata.
local reserved = {}
for name in ([[te content-type content-length content-encoding accept-encoding trailer host
        connection keep-alive transfer-encoding upgrade]]):gmatch("%S+") do
    reserved[name] = true
end

local function is_reserved(name)
    return reserved[name] or name:find("^grpc%-") ~= nil or name:find("^connect%-") ~= nil
end

-- One value of a name as it is; more of them as an array in their order.
local function add(result, name, value)
    local before = result[name]
    if before == nil then
        result[name] = value
    elseif type(before) == "table" then
        before[#before + 1] = value
    else
        result[name] = { before, value }
    end
end

-- A text without the white space around it, in one pass over it: «^%s*(.-)%s*$» takes the square of
-- its length where white space lies within.
function metadata.trim(text)
    local first = text:find("%S")
    return first and text:match("^.*%S", first) or ""
end

-- Values of a "-bin" field may be joined by commas.
local function add_binary(result, name, value)
    for text in value:gmatch("[^,]*") do
        local bytes = metadata.decode(metadata.trim(text))
        if bytes then
            add(result, name, bytes)
        end
    end
end

-- The metadata of a request, from ctx.fields.
function metadata.read(fields)
    local result = {}
    for _, pair in ipairs(fields) do
        local name, value = pair[1], pair[2]
        if name:find("%-bin$") and not is_reserved(name) then
            add_binary(result, name, value)
        elseif not is_reserved(name) then
            add(result, name, value)
        end
    end
    return result
end

-- What goes out for a name and a value; raises for what may not.
function metadata.check(name, value)
    if type(name) ~= "string" or not name:find("^[%w._-]+$") then
        blame("metadata has a name of letters, digits and ._-, not %q", tostring(name))
    end
    name = name:lower()
    if is_reserved(name) then
        blame("%s is the protocol's, and no metadata", name)
    end
    if type(value) ~= "string" and type(value) ~= "number" then
        blame("metadata %s has a %s as its value, not a string", name, type(value))
    end
    value = tostring(value)
    if name:find("%-bin$") then
        return name, metadata.encode(value)
    end
    if value:find("[^\x20-\x7E]") then
        blame("metadata %s has bytes that are not printable ASCII: call it %s-bin", name, name)
    end
    return name, value
end

return metadata
