-- Connect's streams as a client speaks them: enveloped messages, and a last one that has the status
-- and the trailers in JSON.
local client_frames = require "moontrail.grpc.client_frames"
local client_status = require "moontrail.grpc.client_status"
local compression = require "moontrail.grpc.compression"
local connect = require "moontrail.grpc.client_connect"
local connect_status = require "moontrail.grpc.connect_status"
local message = require "moontrail.grpc.message"
local metadata = require "moontrail.grpc.metadata"
local status = require "moontrail.grpc.status"

local stream = {
    name = "connect",
    kinds = { proto = "application/connect+proto", json = "application/connect+json" },
    prefix = "application/connect+",
}

-- The bit of an envelope's flag that says that it ends the stream.
local END = 2

function stream.prepare(call, fields, seconds)
    connect.set_fields(call, fields, seconds)
    fields["connect-accept-encoding"] = compression.accepted
    fields["connect-content-encoding"] = call.packing or nil
end

function stream.wrap(call, bytes)
    return message.wrap(bytes, call.packing)
end

-- What of the head is the protocol's.
local own = { ["connect-content-encoding"] = true, ["connect-accept-encoding"] = true }

function stream.headers(fields)
    local list = {}
    for _, pair in ipairs(fields) do
        list[#list + 1] = not own[pair[1]] and pair or nil
    end
    return metadata.read(list)
end

function stream.begin(call)
    local http = call.http
    call.encoding = http.headers["connect-content-encoding"]
    call.initial = stream.headers(http.fields)
    return client_status.of_http(http) or client_status.of_kind(call, call.encoding)
end

function stream.read(call)
    local flag, payload = client_frames.read(call.http, call.limit, END)
    if not flag then
        return nil, status.new(status.codes.INTERNAL, "the stream ends without a status")
    end
    if flag & END == 0 then
        return client_frames.open(call, flag, payload)
    end
    local text = client_frames.open_end(call, flag ~ END, payload)
    local final, fields = connect_status.parse_end(text, call.client.schema)
    call.trailers = metadata.read(fields)
    final.metadata = call.trailers
    return nil, final
end

return stream
