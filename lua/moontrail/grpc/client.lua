-- Calls of services on other servers: docs/grpc.md. It stands on mt.http.
local blame = require("moontrail.runtime.script").blame
local call = require "moontrail.grpc.client_call"
local codec = require "moontrail.grpc.codec"
local intercept = require "moontrail.grpc.intercept"
local options = require "moontrail.grpc.options"
local retry = require "moontrail.grpc.client_retry"
local servers = require "moontrail.grpc.client_servers"
local service = require "moontrail.grpc.service"
local status = require "moontrail.grpc.status"

local client = {}

local defaults = {
    ca = false,
    codec = "proto",
    compression = false,
    connect_timeout = false,
    intercept = false,
    keepalive = false,
    max_message = options.MESSAGE_MAX,
    metadata = false,
    protocol = "grpc",
    retry = false,
    timeout = false,
    verify = true,
}

-- By the name of a protocol: how it is spoken where neither side has a stream, and where one has.
local grpc, web = require "moontrail.grpc.client_grpc", require "moontrail.grpc.client_grpc_web"
local ways = {
    grpc = { grpc, grpc },
    ["grpc-web"] = { web, web },
    connect = {
        require "moontrail.grpc.client_connect",
        require "moontrail.grpc.client_connect_stream",
    },
}

-- A server may be newer than what is known of its service here: fields of JSON that are new are
-- passed over, as those of the other codec are.
local LENIENT = { unknown = "ignore" }

-- The functions that decode a method's replies and encode its requests.
local function make_codec(name, method)
    local reversed = { input = method.output, output = method.input, json = LENIENT }
    return codec[name](reversed, status.codes.INTERNAL)
end

-- A method as its calls need it.
local function describe(self, method)
    local given = self.options
    local streams = method.client_streaming or method.server_streaming
    local way = ways[given.protocol][streams and 2 or 1]
    local decode, encode = make_codec(given.codec, method)
    return {
        name = method.name,
        path = ("/%s/%s"):format(self.name, method.name),
        input = method.input,
        output = method.output,
        takes = "table",
        client_streaming = method.client_streaming,
        server_streaming = method.server_streaming,
        way = way,
        kind = way.kinds[given.codec],
        encode = encode,
        decode = decode,
    }
end

-- Makes a call, behind the interceptors: run(request, call), or run(call) where requests are a
-- stream. Of a call with one reply it gives the reply.
local function runner(self, rpc)
    local function run(request, made)
        call.start(made, request)
        return not rpc.server_streaming and call.receive_only(made) or nil
    end
    local function begin(made)
        call.start(made)
    end
    return intercept.around(rpc.client_streaming and begin or run, self.options.intercept, rpc)
end

-- Interceptors may answer a call with one reply themselves; others have to be made.
local function check_begun(rpc, made)
    if not made.http then
        blame("an interceptor of %s has not called next", rpc.name)
    end
end

-- The four kinds of method, as functions of a client.

local function make_unary(self, rpc, run)
    return function(_, request, given)
        local made = call.new(self, rpc, given)
        local reply = run(request, made)
        if type(reply) ~= "table" then
            blame("the interceptors of %s give a %s as its reply, not a table",
                rpc.name, type(reply))
        end
        call.settle(made)
        return reply, made
    end
end

local function make_server_streaming(self, rpc, run)
    return function(_, request, given)
        local made = call.new(self, rpc, given)
        run(request, made)
        check_begun(rpc, made)
        return made
    end
end

local function make_client_streaming(self, rpc, run)
    return function(_, given)
        local made = call.new(self, rpc, given)
        run(made)
        check_begun(rpc, made)
        return made
    end
end

local function make(self, method)
    local rpc = describe(self, method)
    local run = runner(self, rpc)
    if rpc.client_streaming then
        return make_client_streaming(self, rpc, run)
    end
    return rpc.server_streaming and make_server_streaming(self, rpc, run)
        or make_unary(self, rpc, run)
end

-- The URLs given: one, or a list.
local function check_urls(given)
    local urls = type(given) == "table" and given or { given }
    if #urls == 0 then
        blame("grpc.client takes a URL, or a list of them; the list is empty")
    end
    for _, url in ipairs(urls) do
        if type(url) ~= "string" then
            blame("the URL of a gRPC server is a %s, not a string", type(url))
        end
        if url:find("^%w+://[^/?#]*[/?#].") then
            blame("the URL of a gRPC server has no path: %s", url)
        end
    end
    return urls
end

-- A client of a service of a schema, on the servers that the URLs name: a table with a function for
-- each method.
function client.new(schema, urls, name, given)
    local self = {
        servers = servers.new(check_urls(urls)),
        name = name,
        schema = schema,
        options = options.check("client", given, defaults),
    }
    self.options.retry = self.options.retry and retry.check(self.options.retry)
    local methods, names = {}, {}
    for i, method in ipairs(service.find(schema, name).methods) do
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
