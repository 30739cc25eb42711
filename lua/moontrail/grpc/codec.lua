-- What messages are written in: bytes of protocol buffers, or JSON. A codec gives the functions
-- that decode a method's requests, decode(bytes, first), and that encode its replies,
-- encode(type, reply). Of what cannot be decoded a status is raised, with the code that is given.
local status = require "moontrail.grpc.status"

local codec = {}

function codec.proto(rpc, code)
    local function unreadable(problem)
        return status.unreadable(code, problem)
    end

    return rpc.input:decoder(unreadable), rpc.output.encode
end

function codec.json(rpc, code)
    local input, options = rpc.input, rpc.json
    local from_json, to_json = input.from_json, rpc.output.to_json

    local function decode(text, first)
        if first and first > 1 then
            text = text:sub(first)
        end
        local ok, result = pcall(from_json, input, text, options)
        if not ok then
            error(status.unreadable(code, result), 0)
        end
        return result
    end

    local function encode(type, reply)
        return to_json(type, reply, options)
    end

    return decode, encode
end

return codec
