-- gRPC-Web in text: each frame of it in padded base64, for clients that read no bytes. What they
-- send is base64 that was joined from pieces, so that padding stands anywhere.
local base64 = require "moontrail.base64"
local enveloped = require "moontrail.grpc.enveloped"
local message = require "moontrail.grpc.message"
local mt = require "moontrail"
local status = require "moontrail.grpc.status"
local web = require "moontrail.grpc.protocol_grpc_web"

local read_exactly, write = mt.ctx.read_exactly, mt.ctx.write

local text = setmetatable({}, { __index = web })

text.codecs = {
    ["application/grpc-web-text"] = "proto",
    ["application/grpc-web-text+proto"] = "proto",
    ["application/grpc-web-text+json"] = "json",
}

-- The bytes of a request: those that are decoded and not taken yet, and the characters behind them
-- that more must follow.
local function source_of(self)
    local source = self.source
    if not source then
        source = { http = self.http, malformed = self.way.malformed, bytes = "", rest = "" }
        self.source = source
    end
    return source
end

-- Bytes of the next characters, of no more than it takes for so many bytes; nil at the end. Where
-- padding stands among them they are fewer, or none.
local function decode_some(source, missing)
    local count = math.max(1, (missing * 4 + 2) // 3 - #source.rest)
    local piece = read_exactly(source.http, count)
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
    local bytes = source.bytes
    while #bytes < n do
        local more = decode_some(source, n - #bytes)
        if not more then
            break
        end
        bytes = bytes .. more
    end
    source.bytes = bytes:sub(n + 1)
    return #bytes > 0 and bytes:sub(1, n) or nil
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
    self.is_cut = true
    text.write_frame(self.http, head .. payload)
    self.is_cut = false
end

return text
