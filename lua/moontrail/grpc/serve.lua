-- How a call runs, from its head to its end, whatever protocol it comes by.
local call = require "moontrail.grpc.call"
local failure = require "moontrail.grpc.failure"
local mt = require "moontrail"
local script = require "moontrail.runtime.script"
local status = require "moontrail.grpc.status"
local timing = require "moontrail.grpc.timing"
local ways = require "moontrail.grpc.ways"

local given, new_call = call.given, call.new
local receive_only, send = call.receive_only, call.send
local find, on_error = ways.find, failure.on_error
local request_header, set_header = mt.ctx.request_header, mt.ctx.header
local supports_trailers = mt.ctx.supports_trailers
local xpcall = xpcall

local serve = {}

-- Reads what few heads have; gives the encoding of the request's messages.
local function prepare(self, timeout, encoding)
    encoding = self.way.prepare(self, timeout, encoding)
    if self.way.compression then
        self:compress(true)
    end
    return encoding
end

-- The four kinds of method. Most calls are unary: their way has a function of its own, in which all
-- that it needs is at hand.

local function make_unary(way)
    local handler, read_only, decode = way.handler, way.read_only, way.decode
    local encode, output, write, prepares = way.encode, way.output, way.write, way.prepares
    return function(self, timeout, encoding)
        if timeout or encoding or prepares then
            encoding = prepare(self, timeout, encoding)
        end
        local bytes, compressed, first = read_only(self, encoding)
        if compressed then
            self.compressed = true
        end
        local reply = handler(decode(bytes, first), self)
        write(self, encode(output, reply or given(reply, way)))
    end
end

local function run_client_streaming(self, timeout, encoding)
    self.encoding = prepare(self, timeout, encoding)
    send(self, self.way.handler(self))
end

-- A reply that a handler returns beside its stream would be lost without a word.
local function check_nothing(self, reply)
    if reply ~= nil then
        script.blame("%s has a stream of replies: call:send(reply), and return nothing",
            self.way.path)
    end
end

local function run_server_streaming(self, timeout, encoding)
    encoding = prepare(self, timeout, encoding)
    check_nothing(self, self.way.handler(receive_only(self, encoding), self))
end

local function run_bidirectional(self, timeout, encoding)
    self.encoding = prepare(self, timeout, encoding)
    check_nothing(self, self.way.handler(self))
end

-- A method that the script leaves out; nothing that the request holds could change that.
local function run_unimplemented(self)
    error(status.new(status.codes.UNIMPLEMENTED, self.way.missing), 0)
end

-- What runs the calls of a way.
local function runner(way)
    if not way.handler then
        return run_unimplemented
    end
    if way.client_streaming then
        return way.server_streaming and run_bidirectional or run_client_streaming
    end
    return way.server_streaming and run_server_streaming or make_unary(way)
end

-- Ends a call that has run; its deadline may pass while it waits to write the end.
local function finish(self)
    local way = self.way
    if way.is_whole then
        return
    end
    if self.timed and timing.is_over(self) then
        return failure.finish_late(self)
    end
    local ok, problem = xpcall(way.finish, on_error, self)
    if not ok then
        failure.finish(self, problem)
    end
end

-- Answers a call by a way.
local function answer(ctx, way)
    set_header(ctx, "content-type", way.kind)
    local self = new_call(ctx, way)
    local ok, problem = xpcall(way.run, on_error, self)
    if not ok then
        return failure.finish(self, problem)
    end
    finish(self)
end

-- What is no call.

local function refuse(ctx, code, text)
    ctx:status(code)
    ctx:text(text)
end

-- A content-type that no protocol here has.
local function refuse_type(ctx, rpc)
    local kinds = table.concat(ways.kinds(rpc), ", ")
    ctx:header("accept-post", kinds)
    refuse(ctx, 415, "served here: " .. kinds .. "\n")
end

-- A query that cannot be read, or names no codec, is told of as a call's error.
local function answer_get(ctx, rpc, known)
    local ok, args = pcall(ctx.args, ctx)
    local way = ways.find_get(rpc, known, ok and args.encoding or "json")
    if not way then
        return refuse_type(ctx, rpc)
    end
    answer(ctx, way)
end

-- A request by another method than POST. known has the ways by GET, by codec.
local function answer_other(ctx, rpc, known)
    local method, has_get = ctx.method, ways.has_get(rpc)
    if method == "GET" and has_get then
        return answer_get(ctx, rpc, known)
    end
    ctx:header("allow", has_get and "GET, POST" or "POST")
    if method == "OPTIONS" then
        return ctx:status(204)
    end
    refuse(ctx, 405, "Method Not Allowed\n")
end

-- The handlers of a method's route.
function serve.route(rpc)
    rpc.runner = runner
    local by_type, by_get = {}, {}

    local function post(ctx)
        local kind, timeout, encoding =
            request_header(ctx, "content-type", "grpc-timeout", "grpc-encoding")
        local way = by_type[kind] or find(rpc, by_type, kind)
        if not way then
            return refuse_type(ctx, rpc)
        end
        if way.needs_trailers and not supports_trailers(ctx) then
            return refuse(ctx, 505, "gRPC needs HTTP/2\n")
        end
        set_header(ctx, "content-type", way.kind)
        local self = new_call(ctx, way)
        local ok, problem = xpcall(way.run, on_error, self, timeout, encoding)
        if not ok then
            return failure.finish(self, problem)
        end
        if timeout or way.prepares then
            return finish(self)
        end
        way.finish(self)
    end

    local function other(ctx)
        answer_other(ctx, rpc, by_get)
    end

    return { POST = post, ["*"] = other }
end

-- The handler of a route whose calls have no content-type to tell their way: pick(ctx) does.
function serve.by(pick)
    return function(ctx)
        answer(ctx, pick(ctx))
    end
end

-- Ways of paths that are no method's: those of whatever protocol a request speaks, and of Connect's
-- errors where that is none. run(call) is what a call does.
local function ways_of_any(run)
    local rpc = { is_any = true, protocols = ways.all, runner = function() return run end }
    local known = {}
    local fallback = find(rpc, known, "application/json")
    return function(ctx)
        return find(rpc, known, request_header(ctx, "content-type")) or fallback
    end
end

local function answer_by(ctx, way, how, ...)
    if way.needs_trailers and not supports_trailers(ctx) then
        return refuse(ctx, 505, "gRPC needs HTTP/2\n")
    end
    how(ctx, way, ...)
end

-- Of a method that a served service has not.
local function unknown(self)
    return status.new(status.codes.UNIMPLEMENTED, "there is no method " .. self.http.path)
end

-- The handler of all paths below a service's that are no method's, with the status that
-- problem(call) gives, if there is such a function.
function serve.unknown(problem)
    problem = problem or unknown
    local pick = ways_of_any(function(self)
        error(problem(self), 0)
    end)
    return function(ctx)
        answer_by(ctx, pick(ctx), answer)
    end
end

local function fail(ctx, way, problem)
    set_header(ctx, "content-type", way.kind)
    failure.finish(new_call(ctx, way), problem)
end

-- What tells of a status that middleware has raised around a service: by the way that pick(ctx)
-- gives or, without that, of whatever protocol the request speaks. False for other errors.
function serve.failed(pick)
    pick = pick or ways_of_any(unknown)
    return function(ctx, problem)
        if not status.is(problem) then
            return false
        end
        answer_by(ctx, pick(ctx), fail, problem)
        return true
    end
end

return serve
