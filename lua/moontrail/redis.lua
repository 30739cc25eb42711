-- The module moontrail.redis: docs/data.md.
local batch = require "moontrail.redis.batch"
local cluster = require "moontrail.redis.cluster"
local commands = require "moontrail.redis.commands"
local connection = require "moontrail.redis.connection"
local digest = require("moontrail.crypto.primitives").digest
local script = require "moontrail.runtime.script"
local single = require "moontrail.redis.single"
local subscribe = require "moontrail.redis.subscription"
local url = require "moontrail.redis.url"
local wire = require "moontrail.redis.wire"

local encode, exchange = wire.command, connection.exchange

-- A client's fields are _server, the only one, or false, and _target, which sends what is more than
-- a simple command; its methods are what follows, and all commands.
local methods = {}

local function check_client(self)
    if type(self) ~= "table" or not self._target then
        script.blame("redis: a client's functions are called with a colon")
    end
end

local function raise(name, reply)
    reply.message = ("redis: %s: %s"):format(name, reply.message)
    error(reply, 0)
end

-- Sends a command: its reply, and whether it is an error.
local function send(self, name, ...)
    local text, index, kind = encode(name, ...)
    if not text then
        batch.blame_argument(name, index, kind)
    end
    return self._target:run(text, name, ...)
end

local function run(self, name, ...)
    local reply, failed = send(self, name, ...)
    if failed then
        raise(name, reply)
    end
    return reply
end

-- r:call(name, ...)
function methods.call(self, name, ...)
    check_client(self)
    batch.check_name(name)
    batch.check_subcommand(name, ...)
    return run(self, name, ...)
end

-- The method for a command. Most go to the only server there is, and this is how.
local function make_method(name)
    local is_simple = commands.is_simple(name)
    return function(self, ...)
        local server = is_simple and self._server
        if not server then
            return methods.call(self, name, ...)
        end
        local text, index, kind = encode(name, ...)
        if not text then
            batch.blame_argument(name, index, kind)
        end
        local reply, failed = exchange(server, text)
        if failed then
            raise(name, reply)
        end
        return reply
    end
end

local function check_function(fn, what)
    if type(fn) ~= "function" then
        script.blame("redis: %s takes a function, not a %s", what, type(fn))
    end
end

-- r:pipeline(function(p) … end)
function methods.pipeline(self, fn)
    check_client(self)
    check_function(fn, "pipeline")
    return self._target:run_all(fn)
end

local function check_strings(list, what)
    if #list == 0 then
        script.blame("redis: %s takes one or more", what)
    end
    for _, value in ipairs(list) do
        if type(value) ~= "string" and type(value) ~= "number" then
            script.blame("redis: %s takes strings, not a %s", what, type(value))
        end
    end
end

local function keys_to_watch(options)
    if options == nil then
        return nil
    elseif type(options) ~= "table" then
        script.blame("redis: the options of a transaction are a table, not a %s", type(options))
    end
    for name in pairs(options) do
        if name ~= "watch" then
            script.blame("redis: no option of a transaction is named %q", tostring(name))
        end
    end
    local keys = options.watch
    if keys ~= nil and type(keys) ~= "table" then
        script.blame("redis: watch is an array of keys, not a %s", type(keys))
    elseif keys and #keys > 0 then
        check_strings(keys, "watch")
        return keys
    end
    return nil
end

-- r:transaction(function(t) … end [, { watch = … }])
function methods.transaction(self, fn, options)
    check_client(self)
    check_function(fn, "transaction")
    return self._target:transact(fn, keys_to_watch(options))
end

-- r:subscribe(channel, ...), r:psubscribe(pattern, ...)
for _, command in ipairs { "subscribe", "psubscribe" } do
    methods[command] = function(self, ...)
        check_client(self)
        local channels = { ... }
        check_strings(channels, command)
        return subscribe(self._target, command, channels)
    end
end

setmetatable(methods, {
    __index = function(_, name)
        local method = make_method(name)
        methods[name] = method
        return method
    end,
})

local Client = { __index = methods, __name = "redis" }

-- Scripts.

local script_methods = {}
local Script = { __index = script_methods, __name = "redis.script" }

-- The name by which the server knows a script.
local function name_of(source)
    return (digest("sha1", source):gsub(".", function(byte)
        return ("%02x"):format(byte:byte())
    end))
end

-- Adds the keys or arguments of a call.
local function add_all(all, list, what)
    if list == nil then
        return
    elseif type(list) ~= "table" then
        script.blame("redis: a script's %s are an array, not a %s", what, type(list))
    end
    table.move(list, 1, #list, #all + 1, all)
end

-- s:run(r, keys, args). In a pipeline or a transaction the whole text is sent.
function script_methods.run(self, client, keys, args)
    local list = {}
    add_all(list, keys, "keys")
    local count = #list
    add_all(list, args, "arguments")
    if type(client) ~= "table" or not rawget(client, "_target") then
        return client:eval(self.source, count, table.unpack(list))
    end
    local reply, failed = send(client, "evalsha", self.sha1, count, table.unpack(list))
    if failed and reply.code == "NOSCRIPT" then
        reply, failed = send(client, "eval", self.source, count, table.unpack(list))
    end
    if failed then
        raise("script", reply)
    end
    return reply
end

local redis = { null = wire.null }

-- redis.script(source)
function redis.script(source)
    if type(source) ~= "string" then
        script.blame("redis.script: a script is a string, not a %s", type(source))
    end
    return setmetatable({ source = source, sha1 = name_of(source) }, Script)
end

local function read_servers(urls, options)
    local servers = {}
    for i, text in ipairs(urls) do
        servers[i] = url.read(text, options)
        if not servers[i].host or (servers[i].db or 0) > 0 then
            script.blame("redis.connect: a cluster has hosts, and one database")
        end
    end
    if not servers[1] then
        script.blame("redis.connect: a list of no URL")
    end
    return servers
end

-- redis.connect(url [, options])
function redis.connect(urls, options)
    options = options == nil and {} or options
    if type(urls) == "table" then
        local target = cluster.new(read_servers(urls, options))
        return setmetatable({ _server = false, _target = target }, Client)
    end
    local server = url.read(urls, options)
    return setmetatable({ _server = server, _target = single.new(server) }, Client)
end

return redis
