-- Turns of mt.every with once, on a Redis server: a key says when the next is due, who has it now,
-- and until when, which its holder puts off for as long as it runs.
local mt = require "moontrail"
local parting = require "moontrail.runtime.parting"
local redis = require "moontrail.redis"
local server = require "moontrail.store.redis.server"
local token = require "moontrail.store.redis.token"
local value = require "moontrail.store.redis.value"

-- Seconds: a holder is taken for dead after that; it puts its end off so often; and who finds a
-- turn taken looks again after that.
local LEASE, RENEWAL, POLL = 4, 1, 1
-- Turns that nobody takes are kept for a while past the next.
local KEPT = 3600

-- → milliseconds until it may be tried again; -1 where the turn is there.
local take = redis.script [[
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local turn = redis.call('HMGET', KEYS[1], 'due', 'by', 'until')
local due, held = tonumber(turn[1]), turn[2] and turn[2] ~= '' and tonumber(turn[3]) > now
local period, next_due = tonumber(ARGV[1]), string.format('%.0f', now + ARGV[1])
if held or due and due > now then
    local wait = math.min(due - now, period)
    return held and math.max(wait, tonumber(ARGV[4])) or wait
end
redis.call('HSET', KEYS[1], 'due', next_due, 'by', due and ARGV[2] or '',
    'until', string.format('%.0f', now + ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return due and -1 or period]]

local renew = redis.script [[
if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1]]

local give_back = redis.script [[
if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then return 0 end
return redis.call('HSET', KEYS[1], 'by', '')]]

local Turn = {}

-- Its end, in whatever way: others are told by a task that nobody waits for, or learn it by the
-- time.
function Turn.__close(self)
    self.renewal:cancel()
    parting(function() pcall(server.run, give_back, self.at, self.by) end)
end

-- What fails once may go well a second later.
local function keep_up(at, by, kept)
    while true do
        mt.sleep(RENEWAL)
        local ok, problem = pcall(server.run, renew, at, by, LEASE * 1000, kept)
        if not ok and problem.kind == "abort" then
            error(problem, 0)
        end
    end
end

-- once(name, seconds, fn, report) → a function for a task
return function(name, seconds, fn, report)
    local at, by = server.special("turn", name, ""), nil
    local period = value.milliseconds(seconds)
    local kept = 2 * period + KEPT * 1000
    return function()
        by = by or token.new()
        local began = mt.now()
        local wait = server.run(take, at, period, by, LEASE * 1000, POLL * 1000, kept)
        if wait >= 0 then
            report(wait / 1000)
            return
        end
        local turn <close> = setmetatable({ -- luacheck: ignore turn
            at = at,
            by = by,
            renewal = mt.spawn(keep_up, at, by, kept),
        }, Turn)
        report(seconds - (mt.now() - began))
        fn()
    end
end
