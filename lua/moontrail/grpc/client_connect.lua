-- Connect's calls with one request and one reply, as a client makes them: the messages are the
-- bodies of a plain POST.
local client_status = require "moontrail.grpc.client_status"
local compression = require "moontrail.grpc.compression"
local connect_status = require "moontrail.grpc.connect_status"
local message = require "moontrail.grpc.message"
local metadata = require "moontrail.grpc.metadata"
local status = require "moontrail.grpc.status"

local connect = {
    name = "connect",
    kinds = { proto = "application/proto", json = "application/json" },
    prefix = "application/",
}

-- The bytes of an error that are read.
local ERROR_MAX = 1 << 20

-- The milliseconds of ten digits at the most.
local function milliseconds(seconds)
    return ("%d"):format(math.min(math.ceil(seconds * 1000), 9999999999))
end

-- The fields that all calls of Connect have.
function connect.set_fields(call, fields, seconds)
    fields["content-type"] = call.rpc.kind
    fields["connect-protocol-version"] = "1"
    fields["connect-timeout-ms"] = seconds and milliseconds(seconds)
end

function connect.prepare(call, fields, seconds)
    connect.set_fields(call, fields, seconds)
    fields["accept-encoding"] = compression.accepted
    fields["content-encoding"] = call.packing or nil
end

function connect.wrap(call, bytes)
    return call.packing and compression.pack(bytes, call.packing) or bytes
end

-- What of the head is the protocol's.
local own = { ["content-encoding"] = true, ["accept-encoding"] = true }

-- The metadata of a head: what goes before the reply, and what stands for trailers.
local function divide(fields)
    local head, trailers = {}, {}
    for _, pair in ipairs(fields) do
        local name = pair[1]:match("^trailer%-(.+)$")
        if name then
            trailers[#trailers + 1] = { name, pair[2] }
        elseif not own[pair[1]] then
            head[#head + 1] = pair
        end
    end
    return metadata.read(head), metadata.read(trailers)
end

function connect.headers(fields)
    return (divide(fields))
end

-- A body of so many bytes at the most; nil for a larger one.
local function read_body(http, limit)
    local length = tonumber(http.headers["content-length"])
    local body = not (length and length > limit) and (http:read_exactly(limit + 1) or "")
    return body and #body <= limit and body or nil
end

-- A body as it was before it was compressed.
local function open(body, encoding, limit)
    if not encoding or encoding == "identity" or body == "" then
        return body
    end
    return compression.open(body, encoding, limit, status.codes.INTERNAL)
end

-- The status that an answer tells which is no reply.
local function read_error(call, http, problem)
    local body = connect_status.is_json(http.headers["content-type"])
        and read_body(http, ERROR_MAX)
    local ok, text = pcall(open, body or "", call.encoding, ERROR_MAX)
    local final = connect_status.parse(ok and text or "", problem, call.client.schema)
    final.metadata = call.trailers
    return final
end

function connect.begin(call)
    local http = call.http
    call.is_read = false
    call.encoding = http.headers["content-encoding"]
    call.initial, call.trailers = divide(http.fields)
    local problem = client_status.of_http(http)
    if problem then
        return read_error(call, http, problem)
    end
    return client_status.of_kind(call, call.encoding)
end

-- The reply, once.
function connect.read(call)
    if call.is_read then
        return nil, status.new(status.codes.OK, "")
    end
    call.is_read = true
    local body = read_body(call.http, call.limit) or message.refuse_size(call.limit)
    return open(body, call.encoding, call.limit)
end

return connect
