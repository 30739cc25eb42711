-- How a call fails: what was raised becomes a status, and what nobody is to know goes to the log.
local mt = require "moontrail"
local script = require "moontrail.runtime.script"
local status = require "moontrail.grpc.status"
local timing = require "moontrail.grpc.timing"

local codes = status.codes

local failure = {}

-- Seconds for what was sent before the deadline to go out, after it.
local GRACE = 1

local function text_of(problem)
    return problem ~= nil and script.text(problem)
        or ("the error is a %s, not a string"):format(type(problem))
end

-- A status is kept as it is; of any other error the traceback is taken.
function failure.on_error(problem)
    if status.is(problem) then
        return problem
    end
    return { cause = problem, text = text_of(problem), traceback = debug.traceback(nil, 3) }
end

-- Whether what was raised is an error of the runtime's, of that kind.
local function is_kind(problem, kind)
    return type(problem.cause) == "table" and problem.cause.kind == kind
end

local function log(self, problem)
    mt.log.error("grpc call failed", {
        method = self.way.path,
        error = problem.text,
        handler = script.line_of(self.way.given_handler),
        traceback = problem.traceback,
    })
end

-- What a slow client has not read holds the status back: then the stream is reset.
function failure.finish_late(self)
    local ctx = self.http
    ctx:deadline(GRACE)
    local ok = pcall(self.way.fail, self, codes.DEADLINE_EXCEEDED, "deadline exceeded")
    if not ok or not pcall(mt.ctx.finish, ctx) then
        ctx:reset("CANCEL")
    end
end

-- The status of an error that is none, for the client.
local function hide(problem)
    return status.new(codes.UNKNOWN, mt.options.dev and problem.text or "the handler failed")
end

-- A status's details as its protocol has them, or nil and what is wrong with them.
local function encode_details(self, problem)
    local ok, result = pcall(self.way.encode_details, problem, self.way.schema)
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
        log(self, problem)
        problem = hide(problem)
    end
    self.way.fail(self, problem.code, problem.message, details)
end

-- Nobody is there to be told; the runtime knows how to log its own error.
local function abandon(self, problem)
    if status.is(problem) then
        return
    end
    if is_kind(problem, "abort") then
        error(problem.cause, 0)
    end
    log(self, problem)
end

-- Ends a call by what on_error gave.
function failure.finish(self, problem)
    if type(problem) == "string" then -- out of memory, where Lua calls no message handler
        problem = { text = problem, traceback = "" }
    end
    if self.http:aborted() then
        return abandon(self, problem)
    end
    if not timing.is_over(self) then
        return finish_failed(self, problem)
    end
    if not status.is(problem) and not is_kind(problem, "timeout") then
        log(self, problem)
    end
    failure.finish_late(self)
end

return failure
