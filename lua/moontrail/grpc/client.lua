-- Calls of gRPC services on other servers: docs/grpc.md. It stands on mt.http.
local blame = require("moontrail.grpc.script").blame
local call = require "moontrail.grpc.client_call"

local client = {}

-- The bytes of a reply's message, unless the client says otherwise.
local MESSAGE_MAX = 4 << 20

-- The options, with what they are unless they are given; false is nothing.
local defaults = {
    max_message = MESSAGE_MAX,
    compression = false,
    metadata = false,
    timeout = false,
    connect_timeout = false,
    verify = true,
    ca = false,
}

local compressions = { [false] = true, gzip = true, deflate = true }

local function check_options(options)
    for name in pairs(options or {}) do
        if defaults[name] == nil then
            blame("a client has no option %s", tostring(name))
        end
    end
    options = setmetatable(options or {}, { __index = defaults })
    if not compressions[options.compression] then
        blame("compression is \"gzip\", \"deflate\" or false")
    end
    if math.type(options.max_message) ~= "integer" then
        blame("max_message is a number of bytes")
    end
    return options
end

-- The four kinds of method, as functions of a client.

local function make_unary(self, method)
    return function(_, request, options)
        local made = call.start_with(self, method, request, options)
        return call.receive_only(made), made
    end
end

local function make_server_streaming(self, method)
    return function(_, request, options)
        return call.start_with(self, method, request, options)
    end
end

local function make_client_streaming(self, method)
    return function(_, options)
        return call.start(self, method, options)
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
function client.new(schema, url, name, options)
    local found = schema:service(name)
    if not found then
        blame("there is no service %s; there is %s",
            name, table.concat(schema:services(), ", "))
    end
    local self = { url = url, name = name, schema = schema, options = check_options(options) }
    local methods = {}
    for _, method in ipairs(found.methods) do
        methods[method.name] = make(self, method)
    end
    return setmetatable(methods, {
        __name = "moontrail.grpc.client",
        __index = function(_, key)
            blame("%s has no method %s", name, tostring(key))
        end,
    })
end

return client
