-- gRPC over HTTP/2 as a client speaks it (PROTOCOL-HTTP2).
--
-- A protocol of clients is a table:
--
--   name             what call.protocol is
--   version          of HTTP, where only one will do
--   kinds            by codec: the content-type of requests, and of replies
--   bare, prefix     the content-type of replies that are the protocol's, and what others of
--                    these begin with
--   prepare(call, fields, seconds)
--                    adds its own fields to those of the request; seconds is nil for no limit
--   wrap(call, bytes)
--                    what of a message goes out, in one piece or two
--   headers(fields)  the metadata that a response's head has
--   begin(call)      looks at the response's head: sets the call's initial metadata and encoding;
--                    gives the status that the call has ended with already
--   read(call)       the bytes of the next reply; or nil, and the status, behind the last
local client_frames = require "moontrail.grpc.client_frames"
local client_head = require "moontrail.grpc.client_head"
local client_status = require "moontrail.grpc.client_status"
local compression = require "moontrail.grpc.compression"
local message = require "moontrail.grpc.message"
local metadata = require "moontrail.grpc.metadata"

local grpc = {
    name = "grpc",
    version = "2",
    kinds = { proto = "application/grpc", json = "application/grpc+json" },
    bare = "application/grpc",
    prefix = "application/grpc+",
}

function grpc.prepare(call, fields, seconds)
    fields["content-type"] = call.rpc.kind
    fields["grpc-accept-encoding"] = compression.accepted
    fields["grpc-encoding"] = call.packing or nil
    fields["grpc-timeout"] = seconds and client_head.in_units(seconds)
end

function grpc.wrap(call, bytes)
    return message.wrap(bytes, call.packing)
end

grpc.headers = metadata.read

-- The status that a head is which is all that there is (Trailers-Only), whatever its HTTP status.
function grpc.end_at_once(call)
    call.trailers = metadata.read(call.http.fields)
    call.initial = {}
    return client_status.of_trailers(call.http.headers, call.trailers, call.client.schema)
end

-- Where anything follows the head, a status in it means nothing: that of the trailers counts.
function grpc.begin(call)
    local http = call.http
    if http.ended_by_head and http.headers["grpc-status"] then
        return grpc.end_at_once(call)
    end
    call.encoding = http.headers["grpc-encoding"]
    call.initial = grpc.headers(http.fields)
    return client_status.of_http(http) or client_status.of_kind(call, call.encoding)
end

function grpc.read(call)
    local flag, payload = client_frames.read(call.http, call.limit, 0)
    if flag then
        return client_frames.open(call, flag, payload)
    end
    local trailers, fields = call.http:trailers()
    call.trailers = metadata.read(fields)
    return nil, client_status.of_trailers(trailers, call.trailers, call.client.schema)
end

return grpc
