-- Calls of gRPC services on other servers: docs/grpc.md. It stands on mt.http.
local blame = require("moontrail.grpc.script").blame
local call = require "moontrail.grpc.client_call"
local message = require "moontrail.grpc.message"
local options = require "moontrail.grpc.options"
local service = require "moontrail.grpc.service"

local client = {}

local defaults = {
    max_message = options.MESSAGE_MAX,
    compression = false,
    metadata = false,
    timeout = false,
    connect_timeout = false,
    verify = true,
    ca = false,
}

-- The four kinds of method, as functions of a client.

local function make_unary(self, method)
    return function(_, request, given)
        local made = call.start_with(self, method, request, given)
        return call.receive_only(made), made
    end
end

local function make_server_streaming(self, method)
    return function(_, request, given)
        return call.start_with(self, method, request, given)
    end
end

local function make_client_streaming(self, method)
    return function(_, given)
        return call.start(self, method, given)
    end
end

local function make(self, method)
    if method.client_streaming then
        return make_client_streaming(self, method)
    end
    return method.server_streaming and make_server_streaming(self, method)
        or make_unary(self, method)
end

-- A client of a service of a schema, on the server that the URL names: a table with a function for
-- each method.
function client.new(schema, url, name, given)
    if url:find("^h%w+://[^/?#]*[/?#].") then
        blame("the URL of a gRPC server has no path: %s", url)
    end
    local self = {
        url = url,
        name = name,
        schema = schema,
        options = options.check("client", given, defaults),
    }
    local methods, names = {}, {}
    for i, method in ipairs(service.find(schema, name).methods) do
        method.decode = message.decoder(method.output)
        methods[method.name] = make(self, method)
        names[i] = method.name
    end
    return setmetatable(methods, {
        __name = "moontrail.grpc.client",
        __index = function(_, key)
            service.blame_method(name, key, names)
        end,
    })
end

return client
