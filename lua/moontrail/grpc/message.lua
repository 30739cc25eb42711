-- Messages in envelopes: a flag, four bytes of length, and the payload, compressed or not.
local compression = require "moontrail.grpc.compression"
local status = require "moontrail.grpc.status"

local codes = status.codes
local pack, unpack = string.pack, string.unpack

local message = {}

message.refuse_size = compression.refuse_size

local function raise(code, text)
    error(status.new(code, text), 0)
end

-- The payload as it was before it was compressed, and whether it was.
function message.open(flag, payload, encoding, limit, malformed)
    if flag == 0 then
        return payload, false
    end
    if flag ~= 1 then
        raise(malformed, ("a message has the flags %d"):format(flag))
    end
    return compression.open(payload, encoding, limit, malformed), true
end

local open = message.open

-- The next message's bytes, and whether it was compressed; nil at the end of them. exactly(from, n)
-- reads n bytes of what they come from; malformed is the code for what is no message, INTERNAL
-- unless given.
function message.read_by(exactly, from, encoding, limit, malformed)
    malformed = malformed or codes.INTERNAL
    local head = exactly(from, 5)
    if not head then
        return nil
    end
    if #head < 5 then
        raise(malformed, "the stream ends within the head of a message")
    end
    local flag, length = unpack(">BI4", head)
    if length > limit then
        message.refuse_size(limit)
    end
    local payload = length > 0 and exactly(from, length) or ""
    if #payload < length then
        raise(malformed, "the stream ends within a message")
    end
    return open(flag, payload, encoding, limit, malformed)
end

-- A message that a script gives, which of google.protobuf.Empty may be nothing.
function message.given(value, kind)
    if value == nil and kind.name == "google.protobuf.Empty" then
        return {}
    end
    return value
end

-- The heads of messages that are not compressed, by length; those of short ones are kept.
message.heads = setmetatable({}, {
    __index = function(self, length)
        local head = pack(">BI4", 0, length)
        if length < 4096 then
            self[length] = head
        end
        return head
    end,
})

-- The head and the payload of a message, compressed where an encoding is given.
function message.wrap(bytes, encoding)
    if encoding then
        bytes = compression.pack(bytes, encoding)
        return pack(">BI4", 1, #bytes), bytes
    end
    return message.heads[#bytes], bytes
end

return message
