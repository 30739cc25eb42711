-- What messages are written in: bytes of protocol buffers, or JSON. A codec gives the functions
-- that decode a method's requests and encode its replies.
local status = require "moontrail.grpc.status"

local codec = {}

-- decode(type, bytes, first) raises a text where it cannot.
function codec.proto(rpc)
    return rpc.input.decode, rpc.output.encode
end

-- JSON is the client's to write right, whichever protocol it speaks.
function codec.json(rpc)
    local from_json, to_json, options = rpc.input.from_json, rpc.output.to_json, rpc.json

    local function decode(type, text, first)
        if first and first > 1 then
            text = text:sub(first)
        end
        local ok, result = pcall(from_json, type, text, options)
        if not ok then
            error(status.unreadable(status.codes.INVALID_ARGUMENT, result), 0)
        end
        return result
    end

    local function encode(type, reply)
        return to_json(type, reply, options)
    end

    return decode, encode
end

return codec
