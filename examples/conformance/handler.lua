-- connectrpc.conformance.v1.ConformanceService, which the conformance tests of Connect call, by all
-- protocols. server.py serves it as their runner wants servers to be started.
local grpc = require "moontrail.grpc"
local mt = require "moontrail"
local pb = require "moontrail.protobuf"

local FILE = "connectrpc/conformance/v1/service.proto"
local PACKAGE = "connectrpc.conformance.v1."

local folder = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local schema = pb.load(FILE, { folder })

local Service = grpc.service(FILE, PACKAGE .. "ConformanceService", {
    max_message = math.tointeger(tonumber(os.getenv "MESSAGE_RECEIVE_LIMIT")),
    compression = "gzip",
})

-- A message of the package, by its name there, as a google.protobuf.Any.
local function any(name, value)
    return {
        type_url = "type.googleapis.com/" .. PACKAGE .. name,
        value = schema:message(PACKAGE .. name):encode(value),
    }
end

-- Pairs of names and values as headers.
local function headers_of(pairs_of_them)
    local list, by_name = {}, {}
    for _, pair in ipairs(pairs_of_them) do
        local name, value = pair[1], pair[2]
        if not by_name[name] then
            by_name[name] = { name = name, value = {} }
            list[#list + 1] = by_name[name]
        end
        table.insert(by_name[name].value, value)
    end
    return list
end

local function query_of(ctx)
    local list = {}
    for name, value in pairs(ctx:args()) do
        list[#list + 1] = { name = name, value = type(value) == "table" and value or { value } }
    end
    return list
end

-- What a call has brought: requests are Anys.
local function info_of(call, requests)
    local left = call:deadline()
    return {
        request_headers = headers_of(call.ctx.fields),
        timeout_ms = left and math.floor(left * 1000),
        requests = requests,
        connect_get_info = call.ctx.method == "GET" and { query_params = query_of(call.ctx) }
            or nil,
    }
end

local function send_metadata(call, definition)
    for _, header in ipairs(definition.response_headers) do
        call:header(header.name, header.value)
    end
    for _, trailer in ipairs(definition.response_trailers) do
        call:trailer(trailer.name, trailer.value)
    end
end

-- Raises the error that a definition has; info, where it is given, goes with its details.
local function fail(problem, info)
    local details = problem.details
    if info then
        details[#details + 1] = any("ConformancePayload.RequestInfo", info)
    end
    local code = grpc.codes[tostring(problem.code):gsub("^CODE_", ""):gsub("CANCELED", "CANCELLED")]
    grpc.error(code or problem.code, problem.message, details)
end

local function pause(definition)
    if definition.response_delay_ms > 0 then
        mt.sleep(definition.response_delay_ms / 1000)
    end
end

-- The payload of the one reply that a definition, which may be nil, wants.
local function answer(call, definition, requests)
    local info = info_of(call, requests)
    if not definition then
        return { payload = { request_info = info } }
    end
    send_metadata(call, definition)
    pause(definition)
    if definition.error then
        fail(definition.error, info)
    end
    return { payload = { data = definition.response_data or "", request_info = info } }
end

function Service.Unary(request, call)
    return answer(call, request.response_definition, { any("UnaryRequest", request) })
end

function Service.IdempotentUnary(request, call)
    return answer(call, request.response_definition, { any("IdempotentUnaryRequest", request) })
end

function Service.ClientStream(call)
    local requests, definition = {}, nil
    for request in call:messages() do
        if #requests == 0 then
            definition = request.response_definition
        end
        requests[#requests + 1] = any("ClientStreamRequest", request)
    end
    return answer(call, definition, requests)
end

-- Sends the reply of that number: the first one tells all, later ones have info, which may be nil.
local function send(call, definition, number, requests, info)
    if number == 1 then
        info = info_of(call, requests)
    end
    pause(definition)
    call:send({ payload = { data = definition.response_data[number], request_info = info } })
end

-- Sends the replies from a number on, and the error.
local function send_rest(call, definition, first, requests)
    for number = first, #definition.response_data do
        send(call, definition, number, requests)
    end
    if definition.error then
        fail(definition.error, #definition.response_data == 0 and info_of(call, requests) or nil)
    end
end

function Service.ServerStream(request, call)
    local definition = request.response_definition
    if definition then
        send_metadata(call, definition)
        if #definition.response_data > 0 then
            call.ctx:flush()
        end
        send_rest(call, definition, 1, { any("ServerStreamRequest", request) })
    end
end

-- Where both sides speak at once, each request is answered as it comes, by a reply that tells of
-- it. Gives how many replies were sent.
local function answer_each(call, request, definition)
    local number = 0
    call.ctx:flush()
    while request and number < #definition.response_data do
        number = number + 1
        local requests = { any("BidiStreamRequest", request) }
        send(call, definition, number, requests, { requests = requests })
        request = call:recv()
    end
    return number
end

function Service.BidiStream(call)
    local first = call:recv()
    local definition = first and first.response_definition
    if not definition then
        for _ in call:messages() do end
        return
    end
    send_metadata(call, definition)
    local sent, requests = 0, { any("BidiStreamRequest", first) }
    if first.full_duplex then
        sent = #definition.response_data > 0 and answer_each(call, first, definition) or 0
    else
        for request in call:messages() do
            requests[#requests + 1] = any("BidiStreamRequest", request)
        end
    end
    send_rest(call, definition, sent + 1, requests)
end

return Service
