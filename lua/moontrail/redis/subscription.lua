-- Subscriptions: r:subscribe, r:psubscribe. Each has a connection of its own, makes another where
-- that ends, and subscribes there again. It belongs to the task that reads it.
local connection = require "moontrail.redis.connection"
local mt = require "moontrail"
local wire = require "moontrail.redis.wire"

local Subscription = {}
Subscription.__index = Subscription

local PAUSE, PAUSE_MAX = 0.05, 2 -- seconds between attempts to connect

local PING = wire.command "PING"

-- What the server has sent as a message; nil for what is none.
local function as_message(reply)
    local kind = reply[1]
    if kind == "message" then
        return { channel = reply[2], message = reply[3] }
    elseif kind == "pmessage" then
        return { pattern = reply[2], channel = reply[3], message = reply[4] }
    end
    return nil
end

local function close_socket(self)
    local sock = self.sock
    self.sock = nil
    if sock then
        sock:close()
    end
end

-- What came: an array. An error has none.
local function check(self, reply, failed)
    if failed then
        reply.message = ("redis: %s: %s"):format(self.command, reply.message)
        error(reply, 0)
    elseif type(reply) ~= "table" then
        error(wire.error("protocol", self.server.name .. ": no message of a subscription"), 0)
    end
    return reply
end

local function receive(self)
    local reply, failed = connection.next_reply(self.server, self.sock, self.reader)
    return check(self, reply, failed)
end

-- Connects, and waits until the server has said of each channel that it is subscribed. Messages
-- that come before that are kept.
local function connect(self)
    self.server = self.target:any()
    self.sock = connection.open(self.server)
    self.reader = wire.reader()
    self.sock:write(wire.command(self.command, table.unpack(self.channels)))
    local missing = #self.channels
    while missing > 0 do
        local reply = receive(self)
        if reply[1] == self.command then
            missing = missing - 1
        else
            self.early[#self.early + 1] = as_message(reply)
        end
    end
end

-- Whether another connection may do better.
local function is_passing(problem)
    if not connection.is_error(problem) then
        return false
    end
    local kind = problem.kind
    return kind == "lost" or kind == "unreachable" or kind == "timeout" or kind == "protocol"
        or kind == "redis" and problem.code == "LOADING"
end

-- Connects again, for as long as it takes.
local function reconnect(self)
    local pause = PAUSE
    close_socket(self)
    while not self.is_closed do
        if self.target.doubt then
            self.target:doubt()
        end
        local ok, problem = pcall(connect, self)
        if ok then
            return
        end
        close_socket(self)
        if not is_passing(problem) then
            error(problem, 0)
        end
        mt.sleep(pause)
        pause = math.min(pause * 2, PAUSE_MAX)
    end
end

-- Waits for an array. Where nothing has come for the time of a wait, the server is asked whether it
-- is there, and a server that says nothing then is not.
local function wait(self)
    local ok, reply = pcall(receive, self)
    if ok or reply.kind ~= "timeout" then
        return ok, reply
    end
    return pcall(function()
        self.sock:write(PING)
        return receive(self)
    end)
end

-- The message that follows; nil once it is closed.
function Subscription.__call(self)
    while not self.is_closed do
        if self.early[1] then
            return table.remove(self.early, 1)
        end
        local ok, reply = wait(self)
        if ok then
            local message = as_message(reply)
            if message then
                return message
            end
        elseif not self.is_closed then
            if not is_passing(reply) then
                close_socket(self)
                error(reply, 0)
            end
            reconnect(self)
        end
    end
    return nil
end

-- sub:close()
function Subscription.close(self)
    self.is_closed = true
    close_socket(self)
end

Subscription.__close = Subscription.close
Subscription.__name = "subscription"

-- A subscription that is in force.
return function(target, command, channels)
    local self = setmetatable({
        target = target,
        command = command,
        channels = channels,
        early = {},
        is_closed = false,
    }, Subscription)
    local ok, problem = pcall(connect, self)
    if not ok then
        close_socket(self)
        error(problem, 0)
    end
    return self
end
