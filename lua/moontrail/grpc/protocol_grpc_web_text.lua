-- gRPC-Web in text: each frame of it in padded base64, for clients that read no bytes. What they
-- send is base64 that was joined from pieces, so that padding stands anywhere.
local base64 = require "moontrail.base64"
local enveloped = require "moontrail.grpc.enveloped"
local message = require "moontrail.grpc.message"
local mt = require "moontrail"
local status = require "moontrail.grpc.status"
local web = require "moontrail.grpc.protocol_grpc_web"

local read, write = mt.ctx.read, mt.ctx.write

local text = setmetatable({}, { __index = web })

text.codecs = {
    ["application/grpc-web-text"] = "proto",
    ["application/grpc-web-text+proto"] = "proto",
    ["application/grpc-web-text+json"] = "json",
}

-- The bytes of a request: those that are decoded and not taken yet, and the characters behind them
-- that are too few for a byte.
local function source_of(self)
    local source = self.source
    if not source then
        source = { http = self.http, malformed = self.way.malformed, bytes = "", at = 1, rest = "" }
        self.source = source
    end
    return source
end

-- The bytes of one more piece of the request; nil behind the last.
local function decode_piece(source)
    local piece = read(source.http)
    local bytes, rest
    if piece then
        bytes, rest = base64.decode_joined(source.rest .. piece)
    elseif source.rest ~= "" then
        bytes, rest = base64.decode(source.rest), ""
    else
        return nil
    end
    if not bytes then
        error(status.new(source.malformed, "the request is no base64"), 0)
    end
    source.rest = rest
    return bytes
end

-- The next n bytes; what is left where the request ends before, nil where nothing is.
local function exactly(source, n)
    local parts = { source.bytes:sub(source.at, source.at + n - 1) }
    local have = #parts[1]
    source.at = source.at + have
    while have < n do
        local bytes = decode_piece(source)
        if not bytes then
            break
        end
        source.bytes, source.at = bytes, n - have + 1
        parts[#parts + 1] = bytes:sub(1, n - have)
        have = have + #parts[#parts]
    end
    return have > 0 and table.concat(parts) or nil
end

function text.read(self, encoding)
    local way = self.way
    return message.read_by(exactly, source_of(self), encoding, way.limit, way.malformed)
end

function text.read_only(self, encoding)
    return enveloped.read_only_by(exactly, source_of(self), self.way, encoding)
end

function text.write_frame(ctx, bytes)
    write(ctx, base64.encode(bytes))
end

function text.write(self, bytes)
    local head, payload = message.wrap(bytes, self.packing)
    text.write_frame(self.http, head .. payload)
end

return text
