-- The details of a status: what a google.rpc.Status holds, read without its .proto.
local details = {}

-- The number that a varint at a place is, and the place behind it; nil where there is none.
local function varint(bytes, at)
    local value = 0
    for shift = 0, 63, 7 do
        local byte = bytes:byte(at)
        if not byte then
            return nil
        end
        value, at = value | (byte & 0x7f) << shift, at + 1
        if byte < 0x80 then
            return value, at
        end
    end
    return nil
end

-- The bytes at a place that tell their length first, and the place behind them.
local function delimited(bytes, at)
    local length, first = varint(bytes, at)
    if not length or length < 0 or length > #bytes - first + 1 then
        return nil
    end
    return bytes:sub(first, first + length - 1), first + length
end

-- By wire type: the value at a place, and the place behind it.
local readers = {
    [0] = varint,
    [1] = function(bytes, at) return bytes:sub(at, at + 7), at + 8 end,
    [2] = delimited,
    [5] = function(bytes, at) return bytes:sub(at, at + 3), at + 4 end,
}

-- The fields of a message: its numbers and values in pairs; nil where it cannot be read.
local function read_fields(bytes)
    local fields, at = {}, 1
    while at <= #bytes do
        local key, value
        key, at = varint(bytes, at)
        local read = key and readers[key & 7]
        if not read then
            return nil
        end
        value, at = read(bytes, at)
        if not value or at > #bytes + 1 then
            return nil
        end
        fields[#fields + 1] = { key >> 3, value }
    end
    return fields
end

-- A google.protobuf.Any.
local function read_any(bytes)
    local any = { type_url = "", value = "" }
    for _, field in ipairs(read_fields(bytes) or {}) do
        local name = ({ "type_url", "value" })[field[1]]
        if name and type(field[2]) == "string" then
            any[name] = field[2]
        end
    end
    return any
end

-- The same as grpc.error takes it: as a table where the schema knows its type.
local function resolve(any, schema)
    local name = any.type_url:match("^.*/(.*)") or any.type_url
    local message = schema:message(name)
    if message then
        local ok, decoded = pcall(message.decode, message, any.value)
        if ok then
            return { type = name, value = decoded }
        end
    end
    return any
end

-- What the bytes of a google.rpc.Status have as details, as an array of Anys; nil where they cannot
-- be read.
function details.anys(bytes)
    local fields = read_fields(bytes)
    if not fields then
        return nil
    end
    local list = {}
    for _, field in ipairs(fields) do
        if field[1] == 3 and type(field[2]) == "string" then
            list[#list + 1] = read_any(field[2])
        end
    end
    return list
end

-- The same as grpc.error takes them.
function details.decode(bytes, schema)
    local list = details.anys(bytes)
    for i, any in ipairs(list or {}) do
        list[i] = resolve(any, schema)
    end
    return list
end

return details
