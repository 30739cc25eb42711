-- Connect's calls with one request and one reply: they are the bodies of a plain POST, and what
-- fails has a status of HTTP and its reason in JSON.
local compression = require "moontrail.grpc.compression"
local connect_error = require "moontrail.grpc.connect_error"
local connect_head = require "moontrail.grpc.connect_head"
local enveloped = require "moontrail.grpc.enveloped"
local exposed = require "moontrail.grpc.exposed"
local mt = require "moontrail"
local status = require "moontrail.grpc.status"
local timing = require "moontrail.grpc.timing"

local read_exactly, request_header = mt.ctx.read_exactly, mt.ctx.request_header
local set_status, write = mt.ctx.status, mt.ctx.write -- where call.ctx was seen, its own raise

local connect = {
    name = "connect",
    accepts = "accept-encoding",
    encoding = "content-encoding",
    malformed = status.codes.INVALID_ARGUMENT,
    always_prepares = true,
    is_whole = true, -- a reply that went out is all of the call: no status may follow
    encode_details = connect_error.encode_details,
}

connect.codecs = {
    ["application/proto"] = "proto",
    ["application/json"] = "json",
}

function connect.serves(rpc)
    return rpc.is_any or not rpc.client_streaming and not rpc.server_streaming
end

function connect.prepare(self)
    local version, timeout, encoding, length = request_header(self.http,
        "connect-protocol-version", "connect-timeout-ms", "content-encoding", "content-length")
    if version or timeout then
        connect_head.prepare(self, version, timeout)
    end
    if length and tonumber(length) > self.way.limit then
        compression.refuse_size(self.way.limit)
    end
    return encoding and enveloped.check_encoding(self, encoding)
end

-- The whole body.
local function read_body(ctx, limit)
    local body = read_exactly(ctx, limit + 1) or ""
    if #body > limit then
        compression.refuse_size(limit)
    end
    return body
end

-- The message that a body is: its bytes, and whether it was compressed.
function connect.open(self, body, encoding)
    if not encoding or encoding == "identity" or body == "" then
        return body, false
    end
    local way = self.way
    return compression.open(body, encoding, way.limit, way.malformed), true
end

function connect.read_only(self, encoding)
    return connect.open(self, read_body(self.http, self.way.limit), encoding)
end

-- The trailers are fields of the head.
function connect.add_trailers(self)
    for _, pair in ipairs(self.trailers or {}) do
        local name = "trailer-" .. pair[1]
        self.http:add_header(name, pair[2])
        exposed.add(self.http, name)
    end
end

function connect.write(self, bytes)
    if self.timed and timing.is_over(self) then
        error(status.new(status.codes.DEADLINE_EXCEEDED, "deadline exceeded"), 0)
    end
    if self.trailers then
        connect.add_trailers(self)
    end
    if self.packing then
        bytes = compression.pack(bytes, self.packing)
    end
    self.is_answered = true
    write(self.http, bytes)
end

-- The reply was all.
function connect.finish()
end

-- Ends a call with a status of HTTP and the body that encode makes of the error. Of a reply that
-- has begun to go out nothing can be taken back.
function connect.fail_with(self, encode, code, text, shown)
    local ctx = self.http
    if self.is_answered then
        return ctx:reset("INTERNAL_ERROR")
    end
    self.is_answered = true
    set_status(ctx, connect_error.http_status(code))
    ctx:header("content-type", "application/json")
    ctx:header("content-encoding", nil)
    connect.add_trailers(self)
    write(ctx, encode(code, text, shown))
end

function connect.fail(self, code, text, shown)
    connect.fail_with(self, connect_error.encode, code, text, shown)
end

return connect
