-- The envelopes that replies come in: a flag, four bytes of length, and what is in it.
local message = require "moontrail.grpc.message"
local status = require "moontrail.grpc.status"

local client_frames = {}

-- The bytes that an envelope has at the most which ends a stream, and is no message.
local END_MAX = 1 << 18

local function raise(text)
    error(status.new(status.codes.INTERNAL, text), 0)
end

-- The flag and the bytes of the next envelope; nil behind the last. ending has the bit of the flag
-- that says that it is no message, 0 where there is none such.
function client_frames.read(http, limit, ending)
    local head = http:read_exactly(5)
    if not head then
        return nil
    end
    if #head < 5 then
        raise("the stream ends within the head of a message")
    end
    local flag, length = (">BI4"):unpack(head)
    if length > (flag & ending ~= 0 and END_MAX or limit) then
        message.refuse_size(flag & ending ~= 0 and END_MAX or limit)
    end
    local payload = length > 0 and http:read_exactly(length) or ""
    if #payload < length then
        raise("the stream ends within a message")
    end
    return flag, payload
end

-- A message as it was before it was compressed.
function client_frames.open(call, flag, payload)
    return (message.open(flag, payload, call.encoding, call.limit, status.codes.INTERNAL))
end

-- What ends a stream, likewise, in a flag without the bit that says so. Nothing may follow.
function client_frames.open_end(call, flag, payload)
    if call.http:read_exactly(1) then
        raise("more follows what ends the stream")
    end
    return (message.open(flag, payload, call.encoding, END_MAX, status.codes.INTERNAL))
end

return client_frames
