-- A call as its handler sees it: metadata, messages in and out, and its end. Which protocol it
-- comes by is its way's affair.
local compression = require "moontrail.grpc.compression"
local exposed = require "moontrail.grpc.exposed"
local guard = require "moontrail.grpc.guard"
local message = require "moontrail.grpc.message"
local metadata = require "moontrail.grpc.metadata"
local script = require "moontrail.runtime.script"

local setmetatable = setmetatable

local call = {}

-- What handlers call.
local methods = {}

-- The fields that few calls set.
local defaults = {
    encoding = nil, -- of the request's compressed messages
    compressed = false, -- whether the last message came so
    begun = false, -- a reply of a stream was sent
    has_headers = false, -- metadata is set that goes before the first reply
    timed = false, -- the client has set a deadline
    request = nil, -- what interceptors see of a request that is no stream
    source = nil, -- the request's bytes, where its protocol does not send them as they are
    is_cut = false, -- what was being written was not written whole; for protocols that care
    is_answered = false, -- the one reply, or the failure, is written; for protocols that care
}

local Call = { __name = "moontrail.grpc.call" }

-- What is put together when it is first looked at.
local made = {
    metadata = function(self) return metadata.read(self.http.fields) end,
    ctx = function(self) return guard(self.http) end, -- whose functions of HTTP then raise
    protocol = function(self) return self.way.protocol end,
    codec = function(self) return self.way.codec end,
    method = function(self) return self.way.path:sub(2) end,
}

function Call.__index(self, name)
    local make = made[name]
    if make then
        local value = make(self)
        self[name] = value
        return value
    end
    return methods[name] or defaults[name]
end

-- packing is the encoding of replies, trailers the metadata that goes with the status.
function call.new(ctx, way)
    return setmetatable({ http = ctx, way = way, packing = false, trailers = false }, Call)
end

-- The next message, or nil.
local function receive(self)
    local way = self.way
    local bytes, compressed = way.read(self, self.encoding)
    if not bytes then
        return nil
    end
    self.compressed = compressed
    return way.decode(bytes)
end

-- The one message of a request that is no stream.
function call.receive_only(self, encoding)
    local way = self.way
    local bytes, compressed, first = way.read_only(self, encoding)
    if compressed then
        self.compressed = true
    end
    return way.decode(bytes, first)
end

-- What a handler has given where it gave no table: an empty message, where there is no other.
local function given(reply, way)
    reply = message.given(reply, way.output)
    if not reply then
        script.blame("%s has a %s as its reply, not a table", way.path, type(reply))
    end
    return reply
end

call.given = given

-- Sends a reply, the table that the handler gave.
local function send(self, reply)
    local way = self.way
    way.write(self, way.encode(way.output, reply or given(reply, way)))
end

call.send = send

-- The handler's methods.

local function check_self(self, name)
    if getmetatable(self) ~= Call then
        script.blame("%s is called with a colon: call:%s(...)", name, name)
    end
end

function methods:recv()
    check_self(self, "recv")
    if not self.way.client_streaming then
        script.blame("recv is for methods whose requests are a stream")
    end
    return receive(self)
end

-- For «for request in call:messages() do»
function methods:messages()
    check_self(self, "messages")
    return self.recv, self
end

function methods:send(reply)
    check_self(self, "send")
    if not self.way.server_streaming then
        script.blame("send is for methods whose replies are a stream: return the reply")
    end
    send(self, reply)
    self.begun = true
end

-- Calls set for the value, or for each value of an array.
local function each(value, set)
    if type(value) ~= "table" then
        return set(value)
    end
    for _, one in ipairs(value) do
        set(one)
    end
end

-- Metadata that goes before the first reply.
function methods:header(name, value)
    check_self(self, "header")
    if self.begun then
        script.blame("metadata %s comes too late: a reply was sent; there is call:trailer", name)
    end
    each(value, function(one)
        self.http:add_header(metadata.check(name, one))
    end)
    exposed.add(self.http, name:lower())
    self.has_headers = true
end

-- Metadata that goes with the status.
function methods:trailer(name, value)
    check_self(self, "trailer")
    local trailers = self.trailers or {}
    each(value, function(one)
        trailers[#trailers + 1] = { metadata.check(name, one) }
    end)
    self.trailers = trailers
end

-- The seconds that are left, or nil.
function methods:deadline()
    return self.http:deadline()
end

-- False, or why nobody waits for the reply any more.
function methods:cancelled()
    local reason = self.http:aborted()
    if not reason and self.http:deadline() == 0 then
        reason = "deadline exceeded"
    end
    return reason
end

-- Whether replies are compressed from here on, where the client takes that.
function methods:compress(on)
    local ctx, way = self.http, self.way
    local wanted = way.compression or "gzip"
    self.packing = false
    if not way.accepts then -- a stream of lines is never compressed
        return
    end
    if way.is_whole then
        ctx:header(way.encoding, nil)
    end
    if not on or not compression.accepts(ctx:request_header(way.accepts), wanted) then
        return
    end
    if ctx:header(way.encoding) ~= wanted then
        ctx:header(way.encoding, wanted)
    end
    self.packing = wanted
end

return call
