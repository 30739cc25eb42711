-- The server's side of gRPC's interoperability tests (grpc/doc/interop-test-descriptions.md).
local grpc = require "moontrail.grpc"
local mt = require "moontrail"

local TestService = grpc.service("grpc/testing/test.proto", "grpc.testing.TestService",
    { compression = "gzip" })

local function echo_metadata(call)
    local initial = call.metadata["x-grpc-test-echo-initial"]
    local trailing = call.metadata["x-grpc-test-echo-trailing-bin"]
    if initial then
        call:header("x-grpc-test-echo-initial", initial)
    end
    if trailing then
        call:trailer("x-grpc-test-echo-trailing-bin", trailing)
    end
end

-- Ends the call with the status that the request asks for, if any.
local function echo_status(status)
    if status and status.code ~= 0 then
        grpc.error(status.code, status.message)
    end
end

-- Compares how the last request came with how it says that it comes.
local function check_compressed(expected, call)
    if expected and expected.value ~= call.compressed then
        grpc.error("INVALID_ARGUMENT", expected.value and "the message is not compressed"
            or "the message is compressed")
    end
end

local function payload(size)
    if size < 0 then
        grpc.error("INVALID_ARGUMENT", "a payload has no negative size")
    end
    return { type = "COMPRESSABLE", body = ("\0"):rep(size) }
end

local function is_true(value)
    return value ~= nil and value.value
end

local function send_responses(request, call)
    for _, parameters in ipairs(request.response_parameters) do
        if parameters.interval_us > 0 then
            mt.sleep(parameters.interval_us / 1e6)
        end
        call:compress(is_true(parameters.compressed))
        call:send({ payload = payload(parameters.size) })
    end
end

function TestService.EmptyCall()
    return {}
end

function TestService.UnaryCall(request, call)
    echo_metadata(call)
    check_compressed(request.expect_compressed, call)
    echo_status(request.response_status)
    call:compress(is_true(request.response_compressed))
    return { payload = payload(request.response_size) }
end

-- The answer is another one each time, but for a cache in between.
function TestService.CacheableUnaryCall(_, call)
    call:header("cache-control", "max-age=60, public")
    return { payload = { body = ("%.6f"):format(mt.now()) } }
end

function TestService.StreamingOutputCall(request, call)
    send_responses(request, call)
    echo_status(request.response_status)
end

function TestService.StreamingInputCall(call)
    local size = 0
    for request in call:messages() do
        check_compressed(request.expect_compressed, call)
        size = size + (request.payload and #request.payload.body or 0)
    end
    return { aggregated_payload_size = size }
end

function TestService.FullDuplexCall(call)
    echo_metadata(call)
    for request in call:messages() do
        echo_status(request.response_status)
        send_responses(request, call)
    end
end

function TestService.HalfDuplexCall(call)
    local requests = {}
    for request in call:messages() do
        table.insert(requests, request)
    end
    for _, request in ipairs(requests) do
        send_responses(request, call)
    end
end

return TestService
