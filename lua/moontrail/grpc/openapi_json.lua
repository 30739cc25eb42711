-- JSON for people to read, and the same text for the same values each time: members are sorted, but
-- for those that a document begins with.
local json = require "moontrail.json"

-- Of a document, and of each operation.
local first = { "openapi", "info", "tags", "operationId", "summary", "description", "name", "in",
    "required", "title", "version", "type", "paths", "components" }

local rank = {}
for i, name in ipairs(first) do
    rank[name] = i
end

local function is_before(a, b)
    local x, y = rank[a] or #first + 1, rank[b] or #first + 1
    if x ~= y then
        return x < y
    end
    return a < b
end

local encode

local function encode_list(list, indent)
    local inner, parts = indent .. "  ", {}
    for i, value in ipairs(list) do
        parts[i] = inner .. encode(value, inner)
    end
    return "[\n" .. table.concat(parts, ",\n") .. "\n" .. indent .. "]"
end

local function encode_object(object, indent)
    local inner, names = indent .. "  ", {}
    for name in pairs(object) do
        names[#names + 1] = name
    end
    table.sort(names, is_before)
    for i, name in ipairs(names) do
        names[i] = inner .. json.encode(name) .. ": " .. encode(object[name], inner)
    end
    return "{\n" .. table.concat(names, ",\n") .. "\n" .. indent .. "}"
end

-- A value as JSON. A table with elements is an array, any other an object.
function encode(value, indent)
    if type(value) ~= "table" then
        return json.encode(value)
    end
    if next(value) == nil then
        return "{}"
    end
    return #value > 0 and encode_list(value, indent) or encode_object(value, indent)
end

return function(document)
    return encode(document, "") .. "\n"
end
