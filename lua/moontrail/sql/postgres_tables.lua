-- Tables as parameters of PostgreSQL: as JSON, or as arrays, by the type that the server has told.
local json = require "moontrail.json"
local blame = require("moontrail.runtime.script").blame

local M = {}

local type_of = type

local JSON <const>, JSONB <const>, BYTEA <const> = 114, 3802, 17
local INTEGERS <const> = {[20] = true, [21] = true, [23] = true, [26] = true}

local function hex(text)
    return "\\x" .. text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
end

local function is_json(type)
    return type == JSON or type == JSONB
end

local function quote(text)
    return '"' .. text:gsub("[\\\"]", "\\%0") .. '"'
end

local function float_text(value, type)
    if value ~= value then return "NaN" end
    if value == math.huge then return "Infinity" end
    if value == -math.huge then return "-Infinity" end
    local whole = INTEGERS[type] and math.tointeger(value)
    return whole and tostring(whole) or json.encode(value)
end

local function scalar_text(value, type, number)
    local kind = math.type(value) or type_of(value)
    if kind == "nil" or value == json.null then return "NULL" end
    if kind == "integer" or kind == "boolean" then return tostring(value) end
    if kind == "float" then return float_text(value, type) end
    if kind == "string" and type == BYTEA then
        return quote(hex(value))
    end
    if kind == "string" then return quote(value) end
    blame("parameter $%d has a %s in its array", number, kind)
end

-- The length, with those that are nil in between.
local function length(list, number)
    local n = math.type(list.n) == "integer" and list.n or #list
    for key in pairs(list) do
        if math.type(key) ~= "integer" and key ~= "n" then
            blame("parameter $%d is an array, and its table has the key %s", number, tostring(key))
        end
    end
    return n
end

local function array_text(list, type, number)
    local pieces = {}
    for i = 1, length(list, number) do
        local value = list[i]
        if type_of(value) == "table" and type == BYTEA then value = value.bytes end
        if type_of(value) ~= "table" then
            pieces[i] = scalar_text(value, type, number)
        elseif is_json(type) then
            pieces[i] = quote(json.encode(value))
        else
            pieces[i] = array_text(value, type, number)
        end
    end
    return "{" .. table.concat(pieces, ",") .. "}"
end

-- The text of a table for a parameter of that type, of which an array has these elements, or 0.
function M.write(value, type, element, number)
    if is_json(type) then return json.encode(value) end
    local bytes = value.bytes
    if type_of(bytes) == "string" then return type == BYTEA and bytes or hex(bytes) end
    if element ~= 0 then return array_text(value, element, number) end
    if type == 0 then
        blame("parameter $%d is a table, of a type that only a prepared statement tells", number)
    end
    blame("parameter $%d is a table, and its type is neither json nor an array", number)
end

return M
