-- What a response of another server, or the lack of one, is as a status.
local compression = require "moontrail.grpc.compression"
local details = require "moontrail.grpc.details"
local media = require "moontrail.grpc.media"
local metadata = require "moontrail.grpc.metadata"
local status = require "moontrail.grpc.status"

local codes = status.codes

local client_status = {}

-- Of a call that failed beneath HTTP (response.failure).
local failures = {
    unreachable = codes.UNAVAILABLE,
    refused = codes.UNAVAILABLE,
    lost = codes.UNAVAILABLE,
    protocol = codes.UNAVAILABLE,
    limit = codes.UNAVAILABLE,
}

-- Of a stream that was reset (gRPC over HTTP2, Errors).
local resets = {
    REFUSED_STREAM = codes.UNAVAILABLE,
    CANCEL = codes.CANCELLED,
    ENHANCE_YOUR_CALM = codes.RESOURCE_EXHAUSTED,
    INADEQUATE_SECURITY = codes.PERMISSION_DENIED,
}

-- Of a response that isn't gRPC's (HTTP to gRPC Status Code Mapping).
local responses = {
    [400] = codes.INTERNAL,
    [401] = codes.UNAUTHENTICATED,
    [403] = codes.PERMISSION_DENIED,
    [404] = codes.UNIMPLEMENTED,
    [429] = codes.UNAVAILABLE,
    [502] = codes.UNAVAILABLE,
    [503] = codes.UNAVAILABLE,
    [504] = codes.UNAVAILABLE,
}

-- is_late: the call's time is over. Some servers then reset the stream before the client does.
function client_status.of_failure(http, problem, is_late)
    local code = failures[http.failure] or resets[http.reset_code] or codes.INTERNAL
    if http.failure == "timeout" or is_late and code == codes.CANCELLED then
        return status.new(codes.DEADLINE_EXCEEDED, "deadline exceeded")
    end
    return status.new(code, type(problem) == "table" and problem.message or tostring(problem))
end

-- The status that trailers tell; what of them is metadata goes with it.
function client_status.of_trailers(trailers, more, schema)
    local code = math.tointeger(tonumber((trailers["grpc-status"] or ""):match("^%d+$")))
    if not code then
        return status.new(codes.UNKNOWN, "the server has given no status")
    end
    local result = status.new(code, status.decode_message(trailers["grpc-message"] or ""))
    result.metadata = more
    local encoded = trailers["grpc-status-details-bin"]
    result.encoded = encoded and metadata.decode(encoded)
    result.details = result.encoded and details.decode(result.encoded, schema)
    return result
end

-- The status for an HTTP status that is no success, or nil.
function client_status.of_http(http)
    if http.status == 200 then
        return nil
    end
    return status.new(responses[http.status] or codes.UNKNOWN,
        ("the server answered with HTTP status %d"):format(http.status))
end

-- Whether a media type is one of the protocol's, with whatever codec.
local function is_kin(way, name)
    return name == way.bare or name:find(way.prefix, 1, true) == 1
end

-- Bytes of protocol buffers need not be said to be.
local function short(name)
    return (name:gsub("%+proto$", ""))
end

-- The status for replies in what the call cannot read, or nil.
function client_status.of_kind(call, encoding)
    local kind = call.http.headers["content-type"] or ""
    local name, way = media.type_of(kind), call.rpc.way
    if not is_kin(way, name) or short(name) ~= short(call.rpc.kind) then
        return status.new(is_kin(way, name) and codes.INTERNAL or codes.UNKNOWN,
            ("the server answered with %q"):format(kind))
    end
    if not compression.is_known(encoding) then
        return status.new(codes.INTERNAL,
            ("the server answered in the encoding %s"):format(encoding))
    end
    return nil
end

return client_status
