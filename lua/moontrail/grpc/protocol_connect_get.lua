-- Connect's calls by GET, of methods that have no side effects: the message is in the query, so
-- that caches may keep the reply.
local base64 = require "moontrail.base64"
local compression = require "moontrail.grpc.compression"
local connect = require "moontrail.grpc.protocol_connect"
local connect_head = require "moontrail.grpc.connect_head"
local enveloped = require "moontrail.grpc.enveloped"
local status = require "moontrail.grpc.status"

local get = setmetatable({}, { __index = connect })

-- By what the query calls the codec.
get.codecs = { proto = "proto", json = "json" }

local function refuse(text)
    error(status.new(status.codes.INVALID_ARGUMENT, text), 0)
end

-- The one value of a name in the query, or nil.
local function value_of(args, name)
    local value = args[name]
    if type(value) == "table" then
        refuse(("the query has %s more than once"):format(name))
    end
    return value
end

local function args_of(self)
    local ok, args = pcall(self.http.args, self.http)
    if not ok then
        refuse("the query cannot be read: " .. args)
    end
    return args
end

-- The bytes of the message as the query has it.
local function body_of(args, limit)
    local body = value_of(args, "message")
    if not body then
        refuse("the query has no message")
    end
    if value_of(args, "base64") == "1" then
        body = base64.decode(body) or refuse("the message of the query is no base64")
    end
    if #body > limit then
        compression.refuse_size(limit)
    end
    return body
end

function get.prepare(self)
    local ctx, args = self.http, args_of(self)
    connect_head.check_version("connect", value_of(args, "connect"), "v1")
    if not value_of(args, "encoding") then
        refuse("the query has no encoding")
    end
    connect_head.prepare(self, ctx:request_header("connect-protocol-version", "connect-timeout-ms"))
    if self.way.compression then
        ctx:add_header("vary", "accept-encoding")
    end
    return enveloped.check_encoding(self, value_of(args, "compression"))
end

function get.read_only(self, encoding)
    return connect.open(self, body_of(args_of(self), self.way.limit), encoding)
end

return get
