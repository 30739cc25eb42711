-- Locks on a Redis server: a key with a token that nobody else has, which ends with its time.
local at_end = require "moontrail.runtime.at_end"
local mt = require "moontrail"
local parting = require "moontrail.runtime.parting"
local redis = require "moontrail.redis"
local server = require "moontrail.store.redis.server"
local token = require "moontrail.store.redis.token"
local value = require "moontrail.store.redis.value"

-- Seconds between two looks at a lock that another has.
local PAUSE, PAUSE_MAX = 0.005, 0.05

local unlock = redis.script [[
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])]]

-- Releases that are on their way, by key: who takes the same lock in this worker comes after them.
local releases = {}

local Lock = { __name = "lock" }

-- Tells the server, in a task that nobody waits for.
local function give_back(self)
    local at = self.at
    local before = releases[at]
    local task
    task = parting(function()
        if before then
            pcall(before.join, before)
        end
        local ok, problem = pcall(server.run, unlock, at, self.token)
        if releases[at] == task then
            releases[at] = nil
        end
        if not ok then
            mt.log.warn("a lock ends with its time: it could not be released", {
                key = at,
                error = tostring(problem),
            })
        end
    end)
    releases[at] = task
end

local function end_lock(self)
    local was_held = self.is_held and mt.now() < self.until_time
    self.bond:drop()
    if self.is_held then
        self.is_held = false
        give_back(self)
    end
    return was_held
end

local function release(self)
    if getmetatable(self) ~= Lock then
        error("bad argument #1 to 'release' (lock expected, got " .. type(self) .. ")", 2)
    end
    return end_lock(self)
end

Lock.__index = { release = release }
Lock.__close = end_lock

local function try(self, seconds)
    local began = mt.now()
    local set = server.write("set", self.at, self.token, "PX", value.milliseconds(seconds), "NX")
    self.until_time = began + seconds
    return set ~= nil
end

local function wait_until_taken(self, seconds)
    local pause = PAUSE
    while not try(self, seconds) do
        mt.sleep(pause * (0.5 + token.fraction()))
        pause = math.min(2 * pause, PAUSE_MAX)
    end
    return true
end

-- Errors of what the server has surely not done.
local not_done = { limit = true, redis = true, unreachable = true }

-- Whether it was taken. What was sent when an abort or a failure comes may have happened: it is
-- given back then, whether we have it or not.
local function take(self, seconds, waits)
    local ok, taken = pcall(waits and wait_until_taken or try, self, seconds)
    if ok then
        return taken
    end
    self.is_held = type(taken) == "table" and not not_done[taken.kind]
    end_lock(self)
    error(taken, 0)
end

return function(name, key, seconds, waits)
    local self = setmetatable({
        at = server.special("lock", name, key),
        is_held = true,
        token = token.new(),
        until_time = 0,
    }, Lock)
    local before = releases[self.at]
    if before then
        pcall(before.join, before)
    end
    self.bond = at_end(function() end_lock(self) end)
    if take(self, seconds, waits) then
        return self
    end
    self.is_held = false
    self.bond:drop()
    return nil
end
