-- ngx.thread, on tasks.
local mt = require "moontrail"

local Thread = {}
Thread.__index = Thread

local thread = {}

-- Notes what a function has returned or raised, and tells those who wait for any of several.
local function finish(self, ...)
    self.results = table.pack(...)
    for channel in pairs(self.waiting) do
        channel:try_send(self)
    end
    self.waiting = {}
end

function thread.spawn(fn, ...)
    local self = setmetatable({ waiting = {} }, Thread)
    self.task = mt.spawn(function(...)
        finish(self, pcall(fn, ...))
    end, ...)
    return self
end

local function take(self)
    self.taken = true
    return table.unpack(self.results, 1, self.results.n)
end

-- Waits until one of them has ended, and gives true and its results, or false and its error. Each
-- can be waited for once.
function thread.wait(...)
    local threads = { ... }
    local channel = mt.channel(#threads)
    for _, one in ipairs(threads) do
        if one.taken then
            return nil, "already waited or killed"
        end
        if one.results then
            return take(one)
        end
    end
    for _, one in ipairs(threads) do
        one.waiting[channel] = true
    end
    local first = channel:recv()
    for _, one in ipairs(threads) do
        one.waiting[channel] = nil
    end
    return take(first)
end

function thread.kill(self)
    if self.taken or self.results then
        return nil, "already waited or killed"
    end
    self.taken = true
    self.task:cancel()
    return 1
end

return thread
