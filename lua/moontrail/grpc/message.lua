-- Messages on the wire: a flag, four bytes of length, and the payload, compressed or not.
local mt = require "moontrail"
local status = require "moontrail.grpc.status"
local zlib = require "moontrail.zlib"

local codes = status.codes
local byte, pack, unpack = string.byte, string.pack, string.unpack
local read, read_exactly, write = mt.ctx.read, mt.ctx.read_exactly, mt.ctx.write

local message = {}

-- The formats of moontrail.zlib by their names in gRPC: its deflate is zlib's format.
local formats = { gzip = "gzip", deflate = "zlib" }

-- What a client may compress with.
message.accepted = "identity, deflate, gzip"

-- A media type without its parameters.
local function media_type(kind)
    return ((kind or ""):match("^[^;]*"):match("^.*%S") or ""):lower()
end

-- Whether a content-type is that of gRPC with messages in protobuf, the one codec that there is.
function message.is_grpc(kind)
    local media = media_type(kind)
    return media == "application/grpc" or media == "application/grpc+proto"
end

-- Whether it is gRPC's with whatever codec; application/grpc-web is another protocol's.
function message.is_any_grpc(kind)
    return message.is_grpc(kind) or media_type(kind):find("^application/grpc%+") ~= nil
end

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
        raise("INTERNAL", "a message is compressed, and no grpc-encoding says how")
    end
    local ok, result = pcall(zlib.decompress, payload, { format = format, limit = limit })
    if ok then
        return result
    end
    if result.kind == "limit" then
        raise_too_large(limit)
    end
    raise("INTERNAL", "a compressed message cannot be read: " .. result)
end

-- The payload as it was before it was compressed, and whether it was.
local function open(flag, payload, encoding, limit)
    if flag == 0 then
        return payload, false
    end
    if flag ~= 1 then
        raise("INTERNAL", ("a message has the flags %d"):format(flag))
    end
    return inflate(payload, encoding, limit), true
end

-- The next message's bytes, and whether it was compressed; nil at the end of them. exactly(from, n)
-- reads n bytes of what they come from.
function message.read_by(exactly, from, encoding, limit)
    local head = exactly(from, 5)
    if not head then
        return nil
    end
    if #head < 5 then
        raise("INTERNAL", "the stream ends within the head of a message")
    end
    local flag, length = unpack(">BI4", head)
    if length > limit then
        raise_too_large(limit)
    end
    local payload = length > 0 and exactly(from, length) or ""
    if #payload < length then
        raise("INTERNAL", "the stream ends within a message")
    end
    return open(flag, payload, encoding, limit)
end

local read_by = message.read_by

-- The same of a request.
function message.read(ctx, encoding, limit)
    return read_by(read_exactly, ctx, encoding, limit)
end

-- What of a message, or of its head, is still to come behind a piece of it.
local function read_rest(ctx, piece, size)
    if #piece < size then
        piece = piece .. (read_exactly(ctx, size - #piece) or "")
    end
    if #piece < size then
        raise("INTERNAL", "the request ends within a message")
    end
    return piece
end

-- The one message of a request: its bytes, whether it was compressed, and where in them it begins.
-- Mostly it comes in one piece.
function message.read_only(ctx, encoding, limit)
    local piece = read(ctx)
    if not piece then
        raise("UNIMPLEMENTED", "the request has no message")
    end
    if #piece < 5 then
        piece = read_rest(ctx, piece, 5)
    end
    local flag, a, b, c, d = byte(piece, 1, 5) -- faster than unpack
    local length = a << 24 | b << 16 | c << 8 | d
    if length > limit then
        raise_too_large(limit)
    end
    if #piece < 5 + length then
        piece = read_rest(ctx, piece, 5 + length)
    end
    if #piece > 5 + length or read(ctx) then
        raise("UNIMPLEMENTED", "the request has more than one message")
    end
    if flag == 0 then
        return piece, false, 6
    end
    local payload, compressed = open(flag, piece:sub(6), encoding, limit)
    return payload, compressed, 1
end

local function unreadable(problem)
    return status.new(codes.INTERNAL, "a message cannot be read: " .. problem)
end

-- What decodes the bytes of messages of a type; of those that cannot be it raises a status.
function message.decoder(kind)
    return kind:decoder(unreadable)
end

-- A message that a script gives, which of google.protobuf.Empty may be nothing.
function message.given(value, kind)
    if value == nil and kind.name == "google.protobuf.Empty" then
        return {}
    end
    return value
end

-- The heads of messages that are not compressed, by length; those of short ones are kept.
local heads = setmetatable({}, {
    __index = function(self, length)
        local head = pack(">BI4", 0, length)
        if length < 4096 then
            self[length] = head
        end
        return head
    end,
})

-- The head and the payload of a message, compressed where an encoding is given.
local function wrap(bytes, encoding)
    if encoding then
        bytes = zlib.compress(bytes, { format = formats[encoding] })
        return pack(">BI4", 1, #bytes), bytes
    end
    return heads[#bytes], bytes
end

message.wrap = wrap

-- Sends a message.
function message.write(ctx, bytes, encoding)
    if encoding then
        return write(ctx, wrap(bytes, encoding))
    end
    return write(ctx, heads[#bytes], bytes) -- as wrap; most messages go here
end

return message
