-- Fields of a request that come as texts, from a path or a query: found by their paths, such as
-- book.author_name, and set by the JSON that the text stands for.
local json = require "moontrail.json"
local status = require "moontrail.grpc.status"

local fields = {}

-- As deep as messages may lie within each other.
local DEPTH_MAX = 100

-- Messages whose JSON is a string, or a scalar that may come as one.
local textual = {
    ["google.protobuf.Duration"] = true,
    ["google.protobuf.FieldMask"] = true,
    ["google.protobuf.Timestamp"] = true,
    ["google.protobuf.Value"] = true,
    ["google.protobuf.BoolValue"] = true,
}
for name in ("Double Float Int64 UInt64 Int32 UInt32 String Bytes"):gmatch("%w+") do
    textual["google.protobuf." .. name .. "Value"] = true
end

local function refuse(format, ...)
    error(status.new(status.codes.INVALID_ARGUMENT, format:format(...)), 0)
end

-- The fields of each type, by both of their names; a field's own name does not take another's.
local known = setmetatable({}, { __mode = "k" })

function fields.of(type)
    if not known[type] then
        local list, by_name = type:fields(), {}
        for _, field in ipairs(list) do
            by_name[field.json_name] = by_name[field.json_name] or field
        end
        for _, field in ipairs(list) do
            by_name[field.name] = by_name[field.name] or field
        end
        known[type] = { list = list, by_name = by_name }
    end
    return known[type]
end

-- Why a field cannot come as a text, or nil.
local function problem_of(field)
    if field.map then
        return "is a map"
    end
    if field.message and not textual[field.message.name] then
        return ("is the message %s"):format(field.message.name)
    end
    return nil
end

-- Whether it can.
function fields.is_text(field)
    return not problem_of(field)
end

-- The fields on the way to the one of that path, itself the last; nil and what is wrong with it.
function fields.find(type, path)
    local chain = {}
    for name in path:gmatch("[^.]*") do
        local above = chain[#chain]
        if above and (above.repeated or above.map or not above.message) then
            return nil, ("%s has no fields of its own"):format(above.name)
        end
        type = above and above.message or type
        local field = fields.of(type).by_name[name]
        if #chain == DEPTH_MAX then
            return nil, ("%s has more than %d levels"):format(chain[1].name, DEPTH_MAX)
        end
        if not field then
            return nil, ("%s has no field %s"):format(type.name, name)
        end
        chain[#chain + 1] = field
    end
    local problem = problem_of(chain[#chain])
    if problem then
        return nil, ("%s %s"):format(path, problem)
    end
    return chain
end

-- Whether a message of that type, or one within it, has required fields.
local function requires(type, seen)
    seen[type] = true
    for _, field in ipairs(fields.of(type).list) do
        local inner = field.message
        if field.required or inner and not seen[inner] and requires(inner, seen) then
            return true
        end
    end
    return false
end

-- Whether a request of that type can lack what is required.
function fields.requires(type)
    local kept = fields.of(type)
    if kept.requires == nil then
        kept.requires = requires(type, {})
    end
    return kept.requires
end

-- The path of the last field of a chain, in the names of the .proto.
function fields.name_of(chain)
    local names = {}
    for i, field in ipairs(chain) do
        names[i] = field.name
    end
    return table.concat(names, ".")
end

-- The JSON that a text stands for.
local function to_json(field, text)
    local is_bool = field.type == "bool"
        or field.message and field.message.name == "google.protobuf.BoolValue"
    if is_bool and (text == "true" or text == "false") then
        return text
    end
    if field.enum and text:find("^-?%d+$") then
        return text
    end
    return json.encode(text)
end

-- Refuses a second member of a oneof.
local function check_oneof(type, message, field)
    for _, other in ipairs(field.oneof and fields.of(type).list or {}) do
        if other.oneof == field.oneof and other ~= field and rawget(message, other.name) ~= nil then
            refuse("both %s and %s of the oneof %s are set", other.name, field.name, field.oneof)
        end
    end
end

-- A message without anything, which one that requires something cannot be read as.
function fields.empty(type)
    local ok, message = pcall(type.decode, type, "")
    return ok and message or {}
end

-- What is wrong with a text, without the place in the JSON that we have made of it.
local function refuse_value(what, problem)
    refuse("%s: %s", what, (problem:gsub(" %(line 1, byte %d+%)$", "")))
end

-- Sets the last field of a chain in a request of that type from its texts; what names them where
-- they are wrong.
function fields.set(type, request, chain, texts, options, what)
    local message = request
    for i = 1, #chain - 1 do
        local field = chain[i]
        check_oneof(type, message, field)
        local inner = rawget(message, field.name) or fields.empty(field.message)
        message[field.name] = inner
        message, type = inner, field.message
    end
    local field, list = chain[#chain], {}
    if #texts > 1 and not field.repeated then
        refuse("%s is given twice", what)
    end
    for i, text in ipairs(texts) do
        if not utf8.len(text) then
            refuse("%s is not UTF-8", what)
        end
        list[i] = to_json(field, text)
    end
    check_oneof(type, message, field)
    local text = field.repeated and "[" .. table.concat(list, ",") .. "]" or list[1]
    local ok, value = pcall(type.field_from_json, type, field.name, text, options)
    if not ok then
        refuse_value(what, value)
    end
    if value ~= nil then
        message[field.name] = value
    end
end

return fields
