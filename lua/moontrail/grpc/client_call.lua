-- A call of a method on another server, as the script that makes it sees it.
local blame = require("moontrail.grpc.script").blame
local client_head = require "moontrail.grpc.client_head"
local client_status = require "moontrail.grpc.client_status"
local message = require "moontrail.grpc.message"
local metadata = require "moontrail.grpc.metadata"
local mt = require "moontrail"
local status = require "moontrail.grpc.status"

local codes = status.codes

local call = {}

-- What scripts call.
local methods = {}

local Call = { __name = "moontrail.grpc.client_call" }

-- The parts of a message.
local function encode(method, request, packing)
    local input = method.input
    request = message.given(request, input)
    if type(request) ~= "table" then
        blame("%s has a %s as its request, not a table", method.name, type(request))
    end
    return message.wrap(input.encode(input, request), packing)
end

-- Begins a call: its head goes out, and its messages are still to be sent.
function call.start(client, method, given)
    local http, due = client_head.open(client, method, given)
    return setmetatable({
        http = http,
        due = due, -- when its time is over, of mt.now
        method = method,
        limit = client.options.max_message,
        packing = client.options.compression,
        schema = client.schema,
        encoding = false, -- of the replies, once their head is there
        initial = false, -- the metadata before the replies, likewise
        closed = false, -- no request follows
        final = false, -- the status, once it is known
    }, Call)
end

-- The end.

-- The metadata before the replies, if their head has come; whether or not anybody waited for it.
local function headers_of(self)
    if not self.initial and self.http.status then
        local ok, fields = pcall(function() return self.http.fields end)
        self.initial = ok and metadata.read(fields)
    end
    return self.initial or nil
end

-- Keeps the status that the call has ended with; there is nothing to read any more.
local function conclude(self, final)
    final.headers = headers_of(self)
    self.final = final
    self.http:close()
end

local function fail(self, code, text)
    conclude(self, status.new(codes[code], text))
    error(self.final, 0)
end

-- What a failure of the call beneath is for the script. What is an error of the task, such as its
-- deadline or an abort, stays what it is.
local function explain(self, problem)
    if self.final then -- another task has ended the call
        return self.final
    end
    if status.is(problem) then
        conclude(self, problem)
    elseif self.http.failure then
        conclude(self, client_status.of_failure(self.http, problem, mt.now() >= self.due))
    end
    return self.final or problem
end

-- Calls f with the call beneath.
local function attempt(self, f, ...)
    local ok, result = pcall(f, self.http, ...)
    if not ok then
        error(explain(self, result), 0)
    end
    return result
end

-- Waits for the head of the response.
local function begin(self)
    if self.initial or self.final then
        return
    end
    local http = attempt(self, self.http.response)
    local read = metadata.read(http.fields)
    local final, is_all = client_status.of_head(http, read, self.schema)
    self.initial = is_all and {} or read
    self.encoding = http.headers["grpc-encoding"]
    if final then
        self.trailers = is_all and read or {}
        conclude(self, final)
    end
end

-- Behind the last reply: the trailers tell the status.
local function finish(self)
    local trailers, fields = self.http:trailers()
    self.trailers = metadata.read(fields)
    conclude(self, client_status.of_trailers(trailers, self.trailers, self.schema))
end

-- Messages.

local function read_exactly(http, n)
    return http:read_exactly(n)
end

local function read_message(http, encoding, limit)
    return (message.read_by(read_exactly, http, encoding, limit))
end

local function decode(self, bytes)
    local ok, result = pcall(self.method.decode, bytes)
    if not ok then
        error(explain(self, result), 0)
    end
    return result
end

-- The next reply; nil behind the last, where the status is OK.
local function receive(self)
    begin(self)
    if not self.final then
        local bytes = attempt(self, read_message, self.encoding, self.limit)
        if bytes then
            return decode(self, bytes)
        end
        finish(self)
    end
    if self.final.code ~= codes.OK then
        error(self.final, 0)
    end
    return nil
end

-- Whether it was written: not where the other server has ended the call.
local function write(self, by, ...)
    return not self.final and attempt(self, by, ...)
end

-- Begins a call whose requests are no stream.
function call.start_with(client, method, request, given)
    local head, payload = encode(method, request, client.options.compression)
    local self = call.start(client, method, given)
    write(self, self.http.finish, head, payload)
    return self
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
    if not self.method.client_streaming then
        blame("%s is for methods whose requests are a stream", name)
    end
    if self.closed then
        blame("%s comes too late: close_send was called", name)
    end
end

function methods:send(request)
    check_sends(self, "send")
    return write(self, self.http.write, encode(self.method, request, self.packing))
end

function methods:close_send()
    check_sends(self, "close_send")
    self.closed = true
    return write(self, self.http.finish)
end

-- The next reply, or nil; of a method whose reply is no stream, the one that there is.
function methods:recv()
    if self.method.server_streaming or self.final then
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

-- The metadata before the replies is waited for.
function Call.__index(self, name)
    if name ~= "metadata" then
        return methods[name]
    end
    begin(self)
    if not self.initial then
        error(self.final, 0)
    end
    return self.initial
end

Call.__close = methods.cancel

return call
