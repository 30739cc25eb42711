-- Messages on the wire: a flag, four bytes of length, and the payload, compressed or not.
local status = require "moontrail.grpc.status"
local zlib = require "moontrail.zlib"

local codes = status.codes
local pack, unpack = string.pack, string.unpack

local message = {}

-- The formats of moontrail.zlib by their names in gRPC: its deflate is zlib's format.
local formats = { gzip = "gzip", deflate = "zlib" }

-- What a client may compress with.
message.accepted = "identity, deflate, gzip"

function message.is_known(encoding)
    return encoding == nil or encoding == "identity" or formats[encoding] ~= nil
end

-- Whether a client takes replies in an encoding, by its grpc-accept-encoding.
function message.accepts(list, encoding)
    for name in (list or ""):gmatch("[^%s,]+") do
        if name == encoding then
            return true
        end
    end
    return false
end

local function raise(code, text)
    error(status.new(codes[code], text), 0)
end

local function raise_too_large(limit)
    raise("RESOURCE_EXHAUSTED", ("the message is larger than %d bytes"):format(limit))
end

-- The payload inflated, by the encoding that the request names.
local function inflate(payload, encoding, limit)
    local format = formats[encoding]
    if not format then
        raise("INTERNAL", "a message is compressed, and the request has no grpc-encoding")
    end
    local ok, result = pcall(zlib.decompress, payload, { format = format, limit = limit })
    if ok then
        return result
    end
    if result:find("more than", 1, true) then
        raise_too_large(limit)
    end
    raise("INTERNAL", "a compressed message cannot be read: " .. result)
end

-- The next message's bytes, and whether it was compressed; nil at the end of them.
function message.read(ctx, encoding, limit)
    local head = ctx:read_exactly(5)
    if not head then
        return nil
    end
    if #head < 5 then
        raise("INTERNAL", "the request ends within the head of a message")
    end
    local flag, length = unpack(">BI4", head)
    if length > limit then
        raise_too_large(limit)
    end
    local payload = length > 0 and ctx:read_exactly(length) or ""
    if #payload < length then
        raise("INTERNAL", "the request ends within a message")
    end
    if flag == 0 then
        return payload, false
    end
    if flag ~= 1 then
        raise("INTERNAL", ("a message has the flags %d"):format(flag))
    end
    return inflate(payload, encoding, limit), true
end

-- A message's bytes as they go out; compressed where an encoding is given.
function message.frame(bytes, encoding)
    if encoding then
        return pack(">Bs4", 1, zlib.compress(bytes, { format = formats[encoding] }))
    end
    return pack(">Bs4", 0, bytes)
end

return message
