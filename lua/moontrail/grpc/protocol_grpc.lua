-- gRPC over HTTP/2 (PROTOCOL-HTTP2): the status is a trailer, or with the headers where nothing
-- went before it.
local enveloped = require "moontrail.grpc.enveloped"
local exposed = require "moontrail.grpc.exposed"
local metadata = require "moontrail.grpc.metadata"
local mt = require "moontrail"
local status = require "moontrail.grpc.status"
local timing = require "moontrail.grpc.timing"

local append_trailer = mt.ctx.append_trailer

local grpc = {
    name = "grpc",
    needs_trailers = true,
    accepts = "grpc-accept-encoding", -- the field that says what the client takes
    encoding = "grpc-encoding", -- the field that says what messages are compressed with
    read = enveloped.read,
    read_only = enveloped.read_only,
    write = enveloped.write,
    encode_details = status.encode_details,
}

grpc.codecs = {
    ["application/grpc"] = "proto",
    ["application/grpc+proto"] = "proto",
    ["application/grpc+json"] = "json",
}

function grpc.serves()
    return true
end

-- A deadline, and compression.
function grpc.prepare(self, timeout, encoding)
    if timeout then
        timing.set(self, timing.of_units(timeout))
    end
    return enveloped.check_encoding(self, encoding)
end

-- The status of a call that went well: as trailers, even behind no reply at all.
function grpc.finish(self)
    append_trailer(self.http, "grpc-status", "0")
    if self.trailers then
        grpc.tell(self, append_trailer, self.http, "", nil)
    end
end

-- Tells what belongs to a status beside its code, by a function that adds a field to something.
function grpc.tell(self, add, to, text, details)
    if text ~= "" then
        add(to, "grpc-message", status.encode_message(text))
    end
    if details then
        add(to, "grpc-status-details-bin", metadata.encode(details))
    end
    for _, pair in ipairs(self.trailers or {}) do
        add(to, pair[1], pair[2])
    end
end

-- Puts a status where nothing went before it: with the headers, as Trailers-Only. False where it
-- comes too late for that.
function grpc.fail_at_once(self, code, text, details)
    local ctx = self.http
    if self.begun or self.has_headers or not pcall(ctx.header, ctx, "grpc-status", code) then
        return false
    end
    grpc.tell(self, ctx.add_header, ctx, text, details)
    for _, pair in ipairs(self.trailers or {}) do
        exposed.add(ctx, pair[1])
    end
    return true
end

-- Any other status.
function grpc.fail(self, code, text, details)
    if not grpc.fail_at_once(self, code, text, details) then
        append_trailer(self.http, "grpc-status", code)
        grpc.tell(self, append_trailer, self.http, text, details)
    end
end

return grpc
