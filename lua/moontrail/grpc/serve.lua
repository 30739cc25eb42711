-- How a call runs, from its head to its status.
local call = require "moontrail.grpc.call"
local message = require "moontrail.grpc.message"
local metadata = require "moontrail.grpc.metadata"
local mt = require "moontrail"
local script = require "moontrail.grpc.script"
local status = require "moontrail.grpc.status"

local codes = status.codes
local new_call, receive_only, send = call.new, call.receive_only, call.send
local append_trailer, request_header = mt.ctx.append_trailer, mt.ctx.request_header
local set_header, supports_trailers = mt.ctx.header, mt.ctx.supports_trailers

local serve = {}

-- Seconds in each unit of grpc-timeout.
local units = { H = 3600, M = 60, S = 1, m = 1e-3, u = 1e-6, n = 1e-9 }

-- A ctx takes no longer deadline than this.
local DEADLINE_MAX = 1e8

-- Seconds for what was sent before the deadline to go out, after it.
local GRACE = 1

local function raise(code, text)
    error(status.new(codes[code], text), 0)
end

-- The head of the request.

local function refuse(ctx, code, text)
    ctx:status(code)
    ctx:text(text)
end

local function set_deadline(ctx, timeout)
    local digits, unit = timeout:match("^(%d+)([HMSmun])$")
    if not digits or #digits > 8 then
        raise("INTERNAL", "grpc-timeout is malformed")
    end
    ctx:deadline(math.min(tonumber(digits) * units[unit], DEADLINE_MAX))
    if ctx:deadline() == 0 then
        raise("DEADLINE_EXCEEDED", "deadline exceeded")
    end
end

-- What few requests have: a deadline, and compression.
local function prepare(self, timeout, encoding)
    local ctx = self.http
    if timeout then
        set_deadline(ctx, timeout)
    end
    if not message.is_known(encoding) then
        ctx:header("grpc-accept-encoding", message.accepted)
        raise("UNIMPLEMENTED", ("the encoding %s is not supported"):format(encoding))
    end
    self.encoding = encoding
    if self.method.compression then
        self:compress(true)
    end
end

-- The four kinds of method.

local function run_unary(self, timeout, encoding)
    local method = self.method
    if timeout or encoding or method.compression then
        prepare(self, timeout, encoding)
    end
    send(self, method.handler(receive_only(self, encoding), self))
end

local function run_client_streaming(self, timeout, encoding)
    prepare(self, timeout, encoding)
    send(self, self.method.handler(self))
end

-- A reply that a handler returns beside its stream would be lost without a word.
local function check_nothing(self, reply)
    if reply ~= nil then
        script.blame("%s has a stream of replies: call:send(reply), and return nothing",
            self.method.path)
    end
end

local function run_server_streaming(self, timeout, encoding)
    prepare(self, timeout, encoding)
    check_nothing(self, self.method.handler(receive_only(self, encoding), self))
end

local function run_bidirectional(self, timeout, encoding)
    prepare(self, timeout, encoding)
    check_nothing(self, self.method.handler(self))
end

-- A method that the script leaves out; nothing that the request holds could change that.
local function run_unimplemented()
    raise("UNIMPLEMENTED", "the method is not implemented")
end

local function kind_of(method)
    if not method.handler then
        return run_unimplemented
    end
    if method.client_streaming then
        return method.server_streaming and run_bidirectional or run_client_streaming
    end
    return method.server_streaming and run_server_streaming or run_unary
end

-- The end.

local function text_of(problem)
    return problem ~= nil and script.text(problem)
        or ("the error is a %s, not a string"):format(type(problem))
end

-- A status is kept as it is; of any other error the traceback is taken.
local function on_error(problem)
    if status.is(problem) then
        return problem
    end
    return { cause = problem, text = text_of(problem), traceback = debug.traceback(nil, 3) }
end

-- Whether what was raised is an error of the runtime's, of that kind.
local function is_kind(problem, kind)
    return type(problem.cause) == "table" and problem.cause.kind == kind
end

local function log_failure(self, problem)
    mt.log.error("grpc call failed", {
        method = self.method.path,
        error = problem.text,
        handler = script.line_of(self.method.handler),
        traceback = problem.traceback,
    })
end

local function append_trailers(self, append)
    for _, pair in ipairs(self.trailers) do
        append(self.http, pair[1], pair[2])
    end
end

-- Sends the status of a call that went well: as trailers, even behind no reply at all.
local function finish(self, code)
    append_trailer(self.http, "grpc-status", code)
    if self.trailers then
        append_trailers(self, append_trailer)
    end
end

-- Sends a status. Where nothing went before it, it goes with the headers: Trailers-Only.
local function finish_with(self, code, text, details)
    local ctx = self.http
    local append = ctx.append_trailer
    if not self.begun and not self.has_headers and pcall(ctx.header, ctx, "grpc-status", code) then
        append = ctx.add_header
    else
        append(ctx, "grpc-status", code)
    end
    if text ~= "" then
        append(ctx, "grpc-message", status.encode_message(text))
    end
    if details then
        append(ctx, "grpc-status-details-bin", metadata.encode(details))
    end
    if self.trailers then
        append_trailers(self, append)
    end
end

-- What a slow client has not read holds the status back: then the stream is reset.
local function finish_late(self)
    local ctx = self.http
    finish_with(self, codes.DEADLINE_EXCEEDED, "deadline exceeded")
    ctx:deadline(GRACE)
    if not pcall(mt.ctx.finish, ctx) then
        ctx:reset("CANCEL")
    end
end

local function is_late(ctx)
    return ctx:deadline() == 0
end

-- The status of an error that is none, for the client.
local function hide(problem)
    return status.new(codes.UNKNOWN, mt.options.dev and problem.text or "the handler failed")
end

-- The bytes of a status's details, or nil and what is wrong with them.
local function encode_details(self, problem)
    local ok, result = pcall(status.encode_details, problem, self.method.schema)
    if ok then
        return result
    end
    local place = problem.line and problem.line .. ": " or ""
    return nil, { text = place .. "a detail: " .. result, traceback = "" }
end

local function finish_failed(self, problem)
    local details, mistake
    if status.is(problem) and problem.details then
        details, mistake = encode_details(self, problem)
    end
    problem = mistake or problem
    if not status.is(problem) then
        log_failure(self, problem)
        problem = hide(problem)
    end
    finish_with(self, problem.code, problem.message, details)
end

-- Nobody is there to be told; the runtime knows how to log its own error.
local function abandon(self, problem)
    if status.is(problem) then
        return
    end
    if is_kind(problem, "abort") then
        error(problem.cause, 0)
    end
    log_failure(self, problem)
end

local function fail(self, problem)
    if type(problem) == "string" then -- out of memory, where Lua calls no message handler
        problem = { text = problem, traceback = "" }
    end
    if self.http:aborted() then
        return abandon(self, problem)
    end
    if not is_late(self.http) then
        return finish_failed(self, problem)
    end
    if not status.is(problem) and not is_kind(problem, "timeout") then
        log_failure(self, problem)
    end
    finish_late(self)
end

-- The handler of a method's route.
function serve.route(method)
    local run = kind_of(method)
    return function(ctx)
        local kind, timeout, encoding =
            request_header(ctx, "content-type", "grpc-timeout", "grpc-encoding")
        if kind ~= "application/grpc" and not message.is_grpc(kind) then
            return refuse(ctx, 415, "application/grpc is served here\n")
        end
        if not supports_trailers(ctx) then
            return refuse(ctx, 505, "gRPC needs HTTP/2\n")
        end
        set_header(ctx, "content-type", "application/grpc")
        local self = new_call(ctx, method)
        local ok, problem = xpcall(run, on_error, self, timeout, encoding)
        if not ok then
            return fail(self, problem)
        end
        if timeout and is_late(ctx) then
            return finish_late(self)
        end
        finish(self, "0")
    end
end

return serve
