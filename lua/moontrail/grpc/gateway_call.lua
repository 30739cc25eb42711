-- A call that the gateway passes on: what comes by any protocol goes to the other server by gRPC,
-- as the bytes that messages are. Metadata, trailers, statuses and their details, the time that is
-- left and the client's end all go through.
local client_call = require "moontrail.grpc.client_call"
local mt = require "moontrail"
local servers = require "moontrail.grpc.client_servers"
local status = require "moontrail.grpc.status"

local gateway_call = {}

-- The other server, as clients see it. Details of statuses stay bytes.
function gateway_call.backend(url, options)
    return {
        servers = servers.new { url },
        schema = { message = function() return nil end },
        options = {
            ca = options.ca,
            codec = "proto",
            compression = false,
            connect_timeout = options.connect_timeout,
            keepalive = options.keepalive,
            max_message = options.max_message,
            verify = options.verify,
        },
    }
end

local function as_it_is(_, bytes)
    return bytes
end

-- Message types of which nothing is known, and the methods of these.
local BYTES = { name = "bytes" }

local function describe(path, client_streaming, server_streaming, codec)
    local way = require "moontrail.grpc.client_grpc"
    return {
        name = path,
        path = path,
        input = BYTES,
        output = BYTES,
        takes = "string",
        client_streaming = client_streaming,
        server_streaming = server_streaming,
        way = way,
        kind = way.kinds[codec or "proto"],
        encode = as_it_is,
        decode = function(bytes) return bytes end,
    }
end

-- Metadata.

-- What belongs to HTTP, or to one of the protocols, and goes no further.
local own = {}
for name in ([[accept accept-encoding accept-post connection content-encoding date expect host
        keep-alive origin proxy-connection server transfer-encoding upgrade vary x-grpc-web]])
    :gmatch("%S+") do
    own[name] = true
end

local function is_own(name)
    return own[name] or name:find("^connect%-") or name:find("^access%-control%-")
end

-- Metadata has no bytes but printable ASCII, unless its name says so.
local function is_sendable(name, values)
    for _, value in ipairs(type(values) == "table" and values or { values }) do
        if not name:find("%-bin$") and value:find("[^\x20-\x7E]") then
            return false
        end
    end
    return name:find("^[%w._-]+$") ~= nil
end

local function pass(fields, add)
    for name, values in pairs(fields or {}) do
        if not is_own(name) and is_sendable(name, values) then
            add(name, values)
        end
    end
end

local function metadata_of(call)
    local given = {}
    pass(call.metadata, function(name, values) given[name] = values end)
    return given
end

local function tell_head(call, fields)
    if call.begun or call.has_headers then
        return
    end
    pass(fields, function(name, values) call:header(name, values) end)
end

local function tell_trailers(call, fields)
    pass(fields, function(name, values) call:trailer(name, values) end)
end

-- Messages.

-- The head goes on before there is a reply.
local function begin_replies(call, made)
    tell_head(call, made.metadata)
    if not made.final then
        mt.ctx.flush(call.http)
    end
end

local function pass_replies(call, made)
    begin_replies(call, made)
    for reply in made:messages() do
        call:send(reply)
    end
end

local function pass_requests(call, made)
    for request in call:messages() do
        if not made:send(request) then
            return
        end
    end
    made:close_send()
end

-- Passes requests on beside the replies. What is wrong with them ends the call.
local function pass_both(call, made, receive)
    local fault
    local task = mt.spawn(function()
        local ok, problem = pcall(pass_requests, call, made)
        if not ok and not made.final then
            fault = problem
            made:cancel()
        end
    end)
    local ok, result = pcall(receive, call, made)
    task:cancel()
    if not ok then
        error(fault or result, 0)
    end
    return result
end

local function receive_one(call, made)
    local reply = client_call.receive_only(made)
    tell_head(call, made.metadata)
    return reply
end

local function run(call, made, request)
    local rpc = made.rpc
    client_call.start(made, request)
    local receive = rpc.server_streaming and pass_replies or receive_one
    if rpc.client_streaming then
        return pass_both(call, made, receive)
    end
    return receive(call, made)
end

-- Makes the call; request is its one message, nil where a stream of them follows. Gives the one
-- reply, nil where they are a stream.
local function forward(backend, rpc, call, request)
    local made <close> = client_call.new(backend, rpc, { metadata = metadata_of(call) })
    local ok, result = pcall(run, call, made, request)
    if ok then
        tell_trailers(call, made.trailers)
        return result
    end
    if status.is(result) then
        backend.lost = backend.lost or result.code == status.codes.UNAVAILABLE
        tell_head(call, result.headers)
        tell_trailers(call, result.metadata)
    end
    error(result, 0)
end

-- The function that passes the calls of a method on, as a service's is called.
function gateway_call.handler(backend, method)
    local rpc = describe(method.path, method.client_streaming, method.server_streaming)
    if method.client_streaming then
        return function(call)
            return forward(backend, rpc, call)
        end
    end
    return function(request, call)
        return forward(backend, rpc, call, request)
    end
end

-- The same of methods of which nothing is known but their paths, in whatever codec.
function gateway_call.handler_of_any(backend)
    return function(call)
        return forward(backend, describe(call.http.path, true, true, call.codec), call)
    end
end

-- Calls a method that takes one message and gives a stream, or takes a stream: for reflection.
function gateway_call.open(backend, path, seconds)
    local made = client_call.new(backend, describe(path, true, true), { timeout = seconds })
    client_call.start(made)
    return made
end

return gateway_call
