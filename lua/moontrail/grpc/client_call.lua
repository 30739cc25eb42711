-- A call of a method on another server, as the script that makes it sees it.
local attempt = require "moontrail.grpc.client_attempt"
local blame = require("moontrail.runtime.script").blame
local client_head = require "moontrail.grpc.client_head"
local client_status = require "moontrail.grpc.client_status"
local message = require "moontrail.grpc.message"
local mt = require "moontrail"
local options = require "moontrail.grpc.options"
local retry = require "moontrail.grpc.client_retry"
local status = require "moontrail.grpc.status"

local codes = status.codes

local call = {}

-- What scripts call.
local methods = {}

local Call = { __name = "moontrail.grpc.client_call" }

-- The options of a call.
local defaults = { metadata = false, timeout = false }

-- A call that is not made yet: interceptors may look at it, and change metadata_out and timeout.
function call.new(client, rpc, given)
    given = options.check("call", given, defaults)
    return setmetatable({
        client = client,
        rpc = rpc,
        metadata_out = client_head.merge(client.options.metadata, given.metadata),
        timeout = given.timeout or client.options.timeout or nil,
        limit = client.options.max_message,
        packing = client.options.compression, -- of requests
        http = false, -- the call beneath
        encoding = false, -- of the replies, once their head is there
        initial = false, -- the metadata before the replies, likewise
        closed = false, -- no request follows
        final = false, -- the status, once it is known
    }, Call)
end

-- The end.

-- The metadata before the replies, if their head has come; whether or not anybody waited for it.
local function headers_of(self)
    if not self.initial and self.http and self.http.status then
        local ok, fields = pcall(function() return self.http.fields end)
        self.initial = ok and self.rpc.way.headers(fields)
    end
    return self.initial or nil
end

-- Keeps the status that the call has ended with; there is nothing to read any more.
local function conclude(self, final)
    final.headers = headers_of(self)
    self.final = final
    if self.http then
        self.http:close()
    end
end

local function fail(self, code, text)
    conclude(self, status.new(codes[code], text))
    error(self.final, 0)
end

-- The status that what was raised beneath is to the script. What is an error of the task, such as
-- its deadline or an abort, is raised as it is.
local function status_of(self, problem)
    if self.final then -- another task has ended the call
        return self.final
    end
    if status.is(problem) then
        return problem
    end
    if not self.http.failure then
        error(problem, 0)
    end
    return client_status.of_failure(self.http, problem, mt.now() >= self.due)
end

local function give_up(self, problem)
    local final = status_of(self, problem)
    if not self.final then
        conclude(self, final)
    end
    error(final, 0)
end

-- The request.

local function encode(self, request)
    local rpc = self.rpc
    request = message.given(request, rpc.input)
    if type(request) ~= rpc.takes then
        blame("%s has a %s as its request, not a table", rpc.name, type(request))
    end
    return rpc.way.wrap(self, rpc.encode(rpc.input, request))
end

-- Sends the request of a call that has one. What that fails of is told where the reply is waited
-- for.
local function send_whole(self)
    local ok, problem = pcall(self.http.finish, self.http, table.unpack(self.payload))
    self.problem = not ok and problem or nil
end

local function open(self)
    if self.http then
        self.http:close()
    end
    self.initial, self.trailers, self.encoding = false, nil, false
    local opened = attempt.open(self)
    if opened and self.payload then
        send_whole(self)
    end
    return opened
end

-- Makes the call. request is nil where a stream of them is to follow.
function call.start(self, request)
    local rpc = self.rpc
    if self.final then -- an interceptor has cancelled it
        error(self.final, 0)
    end
    self.payload = not rpc.client_streaming and { encode(self, request) } or nil
    self.left = client_head.seconds(self.timeout)
    self.timed = self.left < client_head.FOREVER
    self.due = mt.now() + self.left
    self.tries = self.client.options.retry and retry.start(self.client.options.retry) or nil
    self.asked = {}
    open(self)
end

-- A call that an interceptor has answered in place of a server.
function call.settle(self)
    if not self.http then
        self.initial, self.trailers = {}, {}
        conclude(self, status.new(codes.OK, ""))
    end
end

-- The head of the response.

-- Waits for it; gives the status where the call has ended with it, or without it.
local function look(self)
    local problem, ok, result = self.problem, false, nil
    if not problem then
        ok, result = pcall(function()
            self.http:response()
            return self.rpc.way.begin(self)
        end)
        problem = result
    end
    attempt.note(self)
    if ok then
        return result
    end
    return status_of(self, problem)
end

local function pushback_of(http)
    local headers = http.status and http.headers or {}
    return headers["grpc-retry-pushback-ms"] or headers["trailer-grpc-retry-pushback-ms"]
end

-- Waits, but no longer than the call may last.
local function pause(self, seconds)
    local left = self.due - mt.now()
    mt.sleep(math.max(math.min(seconds, left), 0))
    return seconds < left
end

-- Makes a call again that has failed before any reply, where it may be: at once on another server
-- if this one has not seen it, else as the client's option says. Gives the status that it has ended
-- with if not, or nil.
local function again(self, final)
    if not self.payload or self.final then
        return final
    end
    if attempt.is_unseen(self.http) and open(self) then
        return nil
    end
    local seconds = self.tries and retry.wait(self.tries, final.code, pushback_of(self.http))
    if not seconds then
        return final
    end
    local in_time = pause(self, seconds)
    if self.final or not in_time then
        return self.final or client_head.late()
    end
    self.asked = {}
    open(self)
    return nil
end

-- Before next an interceptor has nothing to wait for.
local function check_begun(self)
    if not self.http and not self.final then
        blame("%s is not called yet: an interceptor has not called next", self.rpc.name)
    end
end

-- Waits for the head of the response.
local function begin(self)
    check_begun(self)
    while not self.initial and not self.final do
        local final = look(self)
        if not final then
            return
        end
        final = again(self, final)
        if final and not self.final then
            conclude(self, final)
        end
    end
end

-- Replies.

local function decode(self, bytes)
    local ok, result = pcall(self.rpc.decode, bytes)
    if not ok then
        give_up(self, result)
    end
    return result
end

-- The next reply; nil behind the last, where the status is OK.
local function receive(self)
    begin(self)
    if not self.final then
        local ok, bytes, final = pcall(self.rpc.way.read, self)
        if not ok then
            give_up(self, bytes)
        end
        if bytes then
            return decode(self, bytes)
        end
        conclude(self, final)
    end
    if self.final.code ~= codes.OK then
        error(self.final, 0)
    end
    return nil
end

-- The one reply of a call whose replies are no stream.
function call.receive_only(self)
    local reply = receive(self)
    if not reply then
        fail(self, "UNIMPLEMENTED", "the response has no message")
    end
    if receive(self) then
        fail(self, "UNIMPLEMENTED", "the response has more than one message")
    end
    return reply
end

-- The script's.

local function check_sends(self, name)
    if not self.rpc.client_streaming then
        blame("%s is for methods whose requests are a stream", name)
    end
    if self.closed then
        blame("%s comes too late: close_send was called", name)
    end
    check_begun(self)
end

-- Whether it was written: not where the other server has ended the call.
local function write(self, by, ...)
    if self.final then
        return false
    end
    local ok, result = pcall(by, self.http, ...)
    if not ok then
        give_up(self, result)
    end
    return result
end

function methods:send(request)
    check_sends(self, "send")
    return write(self, self.http.write, encode(self, request))
end

function methods:close_send()
    check_sends(self, "close_send")
    self.closed = true
    return write(self, self.http.finish)
end

-- The next reply, or nil; of a method whose reply is no stream, the one that there is.
function methods:recv()
    if self.rpc.server_streaming or self.final then
        return receive(self)
    end
    return call.receive_only(self)
end

-- For «for reply in call:messages() do»
function methods:messages()
    return self.recv, self
end

-- The code, the message and the details that the call ends with; replies that nobody has read are
-- passed over.
function methods:status()
    while not self.final do
        local ok, problem = pcall(receive, self)
        if not ok and not self.final then
            error(problem, 0)
        end
    end
    return self.final.code, self.final.message, self.final.details
end

-- Ends the call, unless it has ended: the other server is told.
function methods:cancel()
    if not self.final then
        conclude(self, status.new(codes.CANCELLED, "the call was cancelled"))
    end
end

-- What is put together, or waited for, when it is looked at.
local made = {
    codec = function(self) return self.client.options.codec end,
    method = function(self) return self.rpc.path:sub(2) end,
    protocol = function(self) return self.rpc.way.name end,
}

function made.metadata(self)
    begin(self)
    if not self.initial then
        error(self.final, 0)
    end
    return self.initial
end

function Call.__index(self, name)
    local make = made[name]
    if make then
        return make(self)
    end
    return methods[name]
end

Call.__close = methods.cancel

return call
