-- The store on a Redis server: what lua/modules/store/remote.h asks for. Each operation is one
-- command, or one script where it takes several steps; the time is the server's.
local lock = require "moontrail.store.redis.lock"
local messages = require "moontrail.store.redis.messages"
local redis = require "moontrail.redis"
local server = require "moontrail.store.redis.server"
local turn = require "moontrail.store.redis.turn"
local update = require "moontrail.store.redis.update"
local value = require "moontrail.store.redis.value"

local path, write, run = server.path, server.write, server.run
local encode, decode, milliseconds = value.encode, value.decode, value.milliseconds

local store = {
    lock = lock,
    once = turn,
    publish = messages.publish,
    subscribe = messages.subscribe,
    update = update,
}

local client

-- Comes first.
function store.open(url)
    server.open(url)
    client = server.client
end

function store.get(name, key)
    return decode(client:get(path(name, key)))
end

local set_equal = redis.script [[
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1]]

function store.set(name, key, new, ttl, condition, equal)
    local at = path(name, key)
    if new == nil then
        return client:del(at) == 1
    end
    local time = ttl > 0 and milliseconds(ttl)
    if condition == "equal" then
        return run(set_equal, at, encode(equal), encode(new), time or 0) == 1
    elseif condition and time then
        return write("set", at, encode(new), "PX", time, "NX") ~= nil
    elseif condition then
        return write("set", at, encode(new), "NX") ~= nil
    elseif time then
        return write("set", at, encode(new), "PX", time) ~= nil
    end
    return write("set", at, encode(new)) ~= nil
end

-- A script's integers are floats of Lua 5.1: they pass as text.
local incr_for = redis.script [[
local is_new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('INCRBY', KEYS[1], ARGV[1])
if is_new then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])]]

local function add(at, by, ttl)
    return ttl > 0 and run(incr_for, at, by, milliseconds(ttl)) or write("incrby", at, by)
end

function store.incr(name, key, by, ttl)
    local ok, sum = pcall(add, path(name, key), by, ttl)
    if ok then
        return math.tointeger(tonumber(sum))
    elseif type(sum) == "table" and sum.kind == "redis" and sum.code == "ERR" then
        return nil, sum.message:find("overflow", 1, true) and "overflow" or "string"
    end
    error(sum, 0)
end

local persist = redis.script [[
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('PERSIST', KEYS[1])
return 1]]

function store.expire(name, key, ttl)
    local at = path(name, key)
    if ttl > 0 then
        return client:pexpire(at, milliseconds(ttl)) == 1
    end
    return run(persist, at) == 1
end

-- The server's own iterator visits all that it keeps.
local VISITED = 512

function store.keys(name, prefix, after)
    local head = path(name, "")
    local pattern = value.escape_pattern(head .. prefix) .. "*"
    local cursor = after ~= "" and after or "0"
    local reply = client:scan(cursor, "MATCH", pattern, "COUNT", VISITED)
    local keys = reply[2]
    for i, key in ipairs(keys) do
        keys[i] = ("=s2"):pack(key:sub(#head + 1))
    end
    return table.concat(keys), reply[1] ~= "0" and reply[1] or nil
end

-- How much is missing from the bucket, and when that was so.
local take = redis.script [[
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time, level = redis.call('TIME'), redis.call('HMGET', KEYS[1], 'missing', 'at')
local now, missing = time[1] * 1000000 + time[2], 0
if level[1] then
    missing = tonumber(level[1]) - (now - tonumber(level[2])) / 1000000 * rate
    missing = math.max(0, math.min(burst, missing))
end
missing = missing + cost
if missing > burst * (1 + 1e-9) then
    return string.format('%.17g', (missing - burst) / rate)
end
redis.call('HSET', KEYS[1], 'missing', string.format('%.17g', missing),
    'at', string.format('%.0f', now))
local full = math.min(math.ceil(missing / rate * 1000) + 1, 4e15)
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', full))
return false]]

function store.take(name, key, rate, burst, cost)
    local seconds = run(take, server.special("limit", name, key), rate, burst, cost)
    if seconds then
        return false, tonumber(seconds)
    end
    return true
end

return store
