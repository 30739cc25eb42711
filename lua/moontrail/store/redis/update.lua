-- s:update on a Redis server: the key is watched from the read on, so that any write in between,
-- whatever its value, makes it begin again.
local connection = require "moontrail.redis.connection"
local mt = require "moontrail"
local script = require "moontrail.runtime.script"
local server = require "moontrail.store.redis.server"
local token = require "moontrail.store.redis.token"
local value = require "moontrail.store.redis.value"
local wire = require "moontrail.redis.wire"

local TRIES = 100
local PATIENT = 2 -- tries, after which others are let go first, for a time by chance
local PAUSE_MAX = 0.02 -- seconds

local command = wire.command

local function change(at, new, ttl)
    if new == nil then
        return command("DEL", at)
    elseif ttl > 0 then
        return command("SET", at, value.encode(new), "PX", value.milliseconds(ttl))
    end
    return command("SET", at, value.encode(new), "KEEPTTL")
end

local function check(reply)
    if connection.is_error(reply) then
        error(reply, 0)
    end
    return reply
end

-- One try: whether nothing was written to the key meanwhile, and what was stored.
local function try(at, fn, ttl, call)
    local target = server.client._server
    local sock <close> = connection.open(target)
    local before = connection.talk(target, sock, command("WATCH", at) .. command("GET", at), 2)
    check(before[1])
    local old = check(before[2])
    local fits, new = call(fn, value.decode(old ~= wire.null and old or nil))
    if not fits then
        script.blame("the function of update gives a string, an integer or nil, not a %s", new)
    end
    local text = command("MULTI") .. change(at, new, ttl) .. command("EXEC")
    local replies = connection.talk(target, sock, text, 3)
    server.check(pcall(check, replies[2]))
    local done = server.check(pcall(check, replies[3]))
    sock:keep()
    return done ~= wire.null, new
end

return function(name, key, fn, ttl, call)
    local at = server.path(name, key)
    for n = 1, TRIES do
        local done, new = try(at, fn, ttl, call)
        if done then
            return new
        elseif n > PATIENT then
            mt.sleep(token.fraction() * PAUSE_MAX)
        end
    end
    error(wire.error("busy", ("the key was written to by others %d times"):format(TRIES)), 0)
end
