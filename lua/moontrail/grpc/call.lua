-- A call as its handler sees it: metadata, messages in and out, and its end.
local guard = require "moontrail.grpc.guard"
local message = require "moontrail.grpc.message"
local metadata = require "moontrail.grpc.metadata"
local script = require "moontrail.grpc.script"

local read_only, write = message.read_only, message.write

local call = {}

-- What handlers call.
local methods = {}

-- The fields that few calls set.
local defaults = {
    encoding = nil, -- of the request's compressed messages
    compressed = false, -- whether the last message came so
    begun = false, -- a reply of a stream was sent
    has_headers = false, -- metadata is set that goes before the first reply
}

local Call = { __name = "moontrail.grpc.call" }

-- The metadata is put together, and the request guarded, when it is first looked at.
function Call.__index(self, name)
    if name == "metadata" then
        self.metadata = metadata.read(self.http.fields)
        return self.metadata
    end
    if name == "ctx" then
        self.ctx = guard(self.http)
        return self.ctx
    end
    return methods[name] or defaults[name]
end

-- packing is the encoding of replies, trailers the metadata that goes with the status.
function call.new(ctx, method)
    return setmetatable({ http = ctx, method = method, packing = false, trailers = false }, Call)
end

-- The next message, or nil.
local function receive(self)
    local method = self.method
    local bytes, compressed = message.read(self.http, self.encoding, method.limit)
    if not bytes then
        return nil
    end
    self.compressed = compressed
    return method.decode(bytes)
end

-- The one message of a request that is no stream.
function call.receive_only(self, encoding)
    local method = self.method
    local bytes, compressed, first = read_only(self.http, encoding, method.limit)
    if compressed then
        self.compressed = true
    end
    return method.decode(bytes, first)
end

-- Sends a reply, the table that the handler gave.
local function send(self, reply)
    local method = self.method
    reply = reply or message.given(reply, method.output)
    if not reply then
        script.blame("%s has a %s as its reply, not a table", method.path, type(reply))
    end
    write(self.http, method.encode(method.output, reply), self.packing)
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
    if not self.method.client_streaming then
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
    if not self.method.server_streaming then
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
    local ctx, wanted = self.http, self.method.compression or "gzip"
    self.packing = false
    if not on or not message.accepts(ctx:request_header("grpc-accept-encoding"), wanted) then
        return
    end
    if ctx:header("grpc-encoding") ~= wanted then
        ctx:header("grpc-encoding", wanted)
    end
    self.packing = wanted
end

return call
