-- The ways in which a method can be called: a protocol with a codec, by the media type that says
-- so.
--
-- This is the one place that knows which protocols there are. Each is a table:
--
--   name             what call.protocol is
--   codecs           by media type: the name of the codec
--   serves(rpc)      whether it has calls of the method's kind
--   prepare(call, timeout, encoding)
--                    reads what few heads have, such as a deadline (timeout and encoding are gRPC's
--                    fields); gives what messages are compressed with. It is called where there is
--                    such a field, or always if always_prepares
--   read_only(call, encoding)
--                    the bytes of the one message of a request, whether it was compressed, and
--                    where in them it begins
--   read(call, encoding)
--                    of the next message of a stream, nil at its end
--   write(call, bytes)
--                    sends a message
--   finish(call)     ends a call that went well
--   fail(call, code, text, details)
--                    ends any other; details are what encode_details(problem, schema) gave, or nil
--   accepts, encoding
--                    the fields for compression: what the client takes, and what was done
--   malformed        the code for a message that cannot be read, where it is not INTERNAL
--   needs_trailers   whether HTTP must have them
--   is_whole         whether a reply is all of a call, behind which no status can go
--
-- A way has all of that, all that its method has, and run(call, timeout, encoding), which takes the
-- call from its head to its last reply; it is what the method's runner(way) gives.
local codec = require "moontrail.grpc.codec"
local media = require "moontrail.grpc.media"
local status = require "moontrail.grpc.status"

local connect_get = require "moontrail.grpc.protocol_connect_get"

local ways = {}

-- In the order in which Accept-Post lists them.
local protocols = {
    require "moontrail.grpc.protocol_grpc",
    require "moontrail.grpc.protocol_grpc_web",
    require "moontrail.grpc.protocol_grpc_web_text",
    require "moontrail.grpc.protocol_connect",
    (require "moontrail.grpc.protocol_connect_stream"),
}

-- The names of those that services may be served by, for the option.
ways.names = { "grpc", "grpc-web", "connect" }

-- The same as a set.
ways.all = {}
for _, name in ipairs(ways.names) do
    ways.all[name] = true
end

-- What a way takes over from its protocol.
local parts = { "accepts", "always_prepares", "encode_details", "encoding", "fail", "finish",
    "is_whole", "needs_trailers", "prepare", "read", "read_only", "write", "write_frame" }

-- The way of a method by a protocol; kind is the media type of the replies.
function ways.make(rpc, protocol, kind, codec_name)
    local way = {}
    for name, value in pairs(rpc) do
        way[name] = value
    end
    for _, name in ipairs(parts) do
        way[name] = protocol[name]
    end
    way.protocol, way.codec, way.kind = protocol.name, codec_name, kind
    way.prepares = protocol.always_prepares or rpc.compression
    way.malformed = codec_name == "json" and status.codes.INVALID_ARGUMENT
        or protocol.malformed or status.codes.INTERNAL
    if rpc.input then
        way.decode, way.encode = codec[codec_name](rpc, way.malformed)
    end
    way.run = rpc.runner(way)
    return way
end

local function find(rpc, kind)
    for _, protocol in ipairs(protocols) do
        local codec_name = protocol.codecs[kind]
        if codec_name and rpc.protocols[protocol.name] and protocol.serves(rpc) then
            return ways.make(rpc, protocol, kind, codec_name)
        end
    end
    return nil
end

-- The way that a content-type names, or nil. known has those that were made before, by media type.
function ways.find(rpc, known, kind)
    local name = media.type_of(kind)
    known[name] = known[name] or find(rpc, name)
    return known[name]
end

-- The way by GET, by the codec that the query names; nil where there is none of that name.
function ways.find_get(rpc, known, name)
    if connect_get.codecs[name] and not known[name] then
        known[name] = ways.make(rpc, connect_get, "application/" .. name, name)
    end
    return known[name]
end

-- Whether a method can be called by GET.
function ways.has_get(rpc)
    return rpc.idempotency == "NO_SIDE_EFFECTS" and rpc.protocols.connect
        and connect_get.serves(rpc)
end

-- The media types by which a method can be called, in order.
function ways.kinds(rpc)
    local kinds = {}
    for _, protocol in ipairs(protocols) do
        local own = {}
        for kind in pairs(protocol.serves(rpc) and protocol.codecs or {}) do
            own[#own + 1] = rpc.protocols[protocol.name] and kind
        end
        table.sort(own)
        table.move(own, 1, #own, #kinds + 1, kinds)
    end
    return kinds
end

return ways
