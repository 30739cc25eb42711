-- The Redis server that --store names: its client, the names of keys there, and how commands are
-- sent that add to it.
local redis = require "moontrail.redis"
local wire = require "moontrail.redis.wire"

local server = {}

local client, prefix

-- A name has no colon there, so that no map's key is that of another: PREFIX:NAME:KEY.
local escapes = { [":"] = "%3A", ["%"] = "%25" }

local function escape(name)
    if name:find("[:%%]") then
        return (name:gsub("[:%%]", escapes))
    end
    return name
end

function server.open(url)
    local place, given = url:match("^(.-)%?prefix=(.*)$")
    prefix = given or "mt"
    client = redis.connect(place or url)
    server.client = client
    -- Channels are those of all databases of a server.
    local db = tonumber((place or url):match("^rediss?://[^/]*/(%d+)$")) or 0
    server.channels = db > 0 and ("%s/%d"):format(prefix, db) or prefix
end

function server.path(name, key)
    return prefix .. ":" .. escape(name) .. ":" .. key
end

-- What is no map's key: no map has an empty name.
function server.special(kind, name, key)
    return prefix .. "::" .. kind .. ":" .. escape(name) .. ":" .. key
end

function server.channel(name, channel)
    return server.channels .. ":" .. escape(name) .. ":" .. channel
end

local function raise(problem)
    if type(problem) == "table" and problem.kind == "redis" and problem.code == "OOM" then
        local full = wire.error("limit", "the store is full: see maxmemory of the Redis server")
        full.limit = "store-size"
        error(full, 0)
    end
    error(problem, 0)
end

-- What pcall has given; where that is the server's word that it is full, it is told as the store's.
local function check(ok, ...)
    if not ok then
        raise(...)
    end
    return ...
end
server.check = check

-- Sends a command that may find the server full.
function server.write(name, ...)
    return check(pcall(client[name], client, ...))
end

-- Runs a script on one key.
function server.run(script, key, ...)
    return check(pcall(script.run, script, client, { key }, { ... }))
end

return server
