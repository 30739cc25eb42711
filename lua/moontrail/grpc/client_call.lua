-- A call of a method on another server, as the script that makes it sees it.
local blame = require("moontrail.grpc.script").blame
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

-- Longer than any call lasts: streams may rest as long as they like.
local FOREVER = 1e8

-- Options of a call, and those of a client that a call may have of its own.
local options_of_a_call = { metadata = true, timeout = true }

local function raise(code, text)
    error(status.new(codes[code], text), 0)
end

-- The request's head.

local function add_metadata(headers, given)
    for name, values in pairs(given or {}) do
        for _, value in ipairs(type(values) == "table" and values or { values }) do
            local key, text = metadata.check(name, value)
            local list = headers[key] or {}
            list[#list + 1] = text
            headers[key] = list
        end
    end
end

-- The seconds that the request has left that this call is made for, or nil.
local function inherited()
    local ok, left = pcall(mt.ctx.deadline)
    return ok and left or nil
end

-- Up to eight digits and a unit.
local function encode_timeout(seconds)
    local ms = math.ceil(seconds * 1000)
    if ms < 1e8 then
        return ("%dm"):format(ms)
    end
    return ("%dS"):format(math.min(math.ceil(seconds), 99999999))
end

local function check_options(given)
    for name in pairs(given or {}) do
        if not options_of_a_call[name] then
            blame("a call has no option %s", tostring(name))
        end
    end
    return given or {}
end

-- The seconds for a call: what the script says, and no more than is left.
local function timeout_of(self, given)
    local wanted, left = given.timeout or self.options.timeout or nil, inherited()
    local seconds = math.min(wanted or FOREVER, left or FOREVER)
    if seconds <= 0 then
        raise("DEADLINE_EXCEEDED", "deadline exceeded")
    end
    return seconds < FOREVER and seconds or nil
end

local function headers_of(self, given, timeout)
    local options = self.options
    local headers = {
        ["content-type"] = "application/grpc",
        ["grpc-accept-encoding"] = message.accepted,
        ["grpc-encoding"] = options.compression or nil,
        ["grpc-timeout"] = timeout and encode_timeout(timeout),
    }
    add_metadata(headers, options.metadata)
    add_metadata(headers, given.metadata)
    return headers
end

-- The parts of a message.
local function encode(method, request, packing)
    local input = method.input
    if type(request) ~= "table" then
        blame("%s has a %s as its request, not a table", method.name, type(request))
    end
    return message.wrap(input.encode(input, request), packing)
end

-- Begins a call: its head goes out, and its messages are still to be sent. self is the client's.
function call.start(self, method, given)
    given = check_options(given)
    local options, timeout = self.options, timeout_of(self, given)
    local http = mt.http.open {
        url = self.url,
        path = ("/%s/%s"):format(self.name, method.name),
        method = "POST",
        version = "2",
        headers = headers_of(self, given, timeout),
        timeout = timeout,
        connect_timeout = options.connect_timeout or nil,
        idle_timeout = FOREVER,
        verify = options.verify,
        ca = options.ca or nil,
    }
    return setmetatable({
        http = http,
        method = method,
        limit = options.max_message,
        packing = options.compression,
        schema = self.schema,
        encoding = false, -- of the replies, once their head is there
        begun = false, -- the head was looked at
        closed = false, -- no request follows
        final = false, -- the status, once it is known
    }, Call)
end

-- The end.

-- Keeps the status that the call has ended with; there is nothing to read any more.
local function conclude(self, final)
    self.final = self.final or final
    self.http:close()
    return self.final
end

local function fail(self, final)
    error(conclude(self, final), 0)
end

-- Calls f with the call of mt.http; its failure is a status. What is an error of the task, such as
-- its deadline, stays what it is.
local function attempt(self, f, ...)
    local results = table.pack(pcall(f, self.http, ...))
    if results[1] then
        return table.unpack(results, 2, results.n)
    end
    local problem = results[2]
    if status.is(problem) then
        fail(self, problem)
    end
    if self.final then
        error(self.final, 0)
    end
    if not self.http.failure then
        error(problem, 0)
    end
    fail(self, client_status.of_failure(self.http, problem))
end

-- Waits for the head of the response, and looks whether it is one of gRPC's.
local function begin(self)
    if self.begun then
        return
    end
    attempt(self, self.http.response)
    self.begun = true
    local problem = client_status.of_head(self.http)
    if problem then
        fail(self, problem)
    end
    self.initial = metadata.read(self.http.fields)
    self.encoding = self.http.headers["grpc-encoding"]
end

-- The status, once the replies have come to their end.
local function finish(self)
    local http = self.http
    local joined, fields = http:trailers()
    if not joined["grpc-status"] then -- Trailers-Only: they came as headers
        joined, fields = http.headers, http.fields
    end
    self.trailers = metadata.read(fields)
    return conclude(self, client_status.of_trailers(joined, self.schema, self.trailers))
end

-- Messages.

local function read_exactly(http, n)
    return http:read_exactly(n)
end

-- The bytes of the next reply, or nil.
local function next_reply(self)
    begin(self)
    return (attempt(self, function(http)
        return message.read_by(read_exactly, http, self.encoding or nil, self.limit)
    end))
end

-- The next reply; nil behind the last, where the status is OK.
local function receive(self)
    if not self.final then
        local bytes = next_reply(self)
        if bytes then
            local ok, reply = pcall(self.method.output.decode, self.method.output, bytes)
            if not ok then
                fail(self, status.new(codes.INTERNAL, "a message cannot be read: " .. reply))
            end
            return reply
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
    if self.final then
        return false
    end
    return (attempt(self, by, ...))
end

-- Begins a call whose requests are no stream.
function call.start_with(self, method, request, given)
    local head, payload = encode(method, request, self.options.compression)
    local made = call.start(self, method, given)
    write(made, made.http.finish, head, payload)
    return made
end

-- The one reply of a call whose replies are no stream.
function call.receive_only(self)
    local reply = receive(self)
    if not reply then
        fail(self, status.new(codes.INTERNAL, "the response has no message"))
    end
    if receive(self) then
        fail(self, status.new(codes.INTERNAL, "the response has more than one message"))
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
        if not pcall(receive, self) and not self.final then
            error("the call has no status yet", 0)
        end
    end
    return self.final.code, self.final.message, self.final.details
end

-- Ends the call: the other server is told.
function methods:cancel()
    conclude(self, status.new(codes.CANCELLED, "the call was cancelled"))
end

-- The response's metadata is waited for.
function Call.__index(self, name)
    if name == "metadata" then
        begin(self)
        return self.initial
    end
    return methods[name]
end

function Call:__close()
    self:cancel()
end

return call
