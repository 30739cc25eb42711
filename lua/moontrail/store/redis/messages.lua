-- Messages by a Redis server. A worker has one connection for all its subscriptions, and a task
-- that reads it; where that is lost it makes another, and subscribes there again. What is published
-- meanwhile does not come, and nobody can count it.
local at_end = require "moontrail.runtime.at_end"
local connection = require "moontrail.redis.connection"
local mt = require "moontrail"
local server = require "moontrail.store.redis.server"
local wire = require "moontrail.redis.wire"

local messages = {}

-- What a subscription holds: messages, and bytes of them.
local HELD, HELD_BYTES = 1024, 4 << 20
-- Seconds between attempts to connect.
local PAUSE, PAUSE_MAX = 0.05, 2

local command = wire.command
local PING = command "PING"

-- By name: the subscriptions to it, and whether the server has said that it is in force.
local channels = {}
local count = 0

-- The connection, while there is one; the task that reads it; commands that are to be written; and
-- whether a task does so.
local sock, reader_task, outbox, is_writing

-- By name: how often the server has still to say that it is subscribed.
local awaited = {}

function messages.publish(name, channel, message)
    server.write("publish", server.channel(name, channel), message)
end

-- Subscriptions.

local Subscription = { __name = "subscription" }
local methods = {}

local function wake(self)
    self.signal:try_send(true)
end

local function drop_oldest(self)
    local first = self.first
    self.bytes = self.bytes - #self.queue[first]
    self.queue[first] = nil
    self.first = first + 1
    self.dropped = self.dropped + 1
end

local function add(self, message)
    while self.first <= self.last
        and (self.last - self.first + 1 >= HELD or self.bytes + #message > HELD_BYTES) do
        drop_oldest(self)
    end
    self.last = self.last + 1
    self.queue[self.last] = message
    self.bytes = self.bytes + #message
    wake(self)
end

local function take(self)
    local first = self.first
    local message = self.queue[first]
    if message then
        self.queue[first] = nil
        self.first = first + 1
        self.bytes = self.bytes - #message
    end
    return message
end

-- Writes what there is. Where that fails the reader sees the end of the connection.
local function write_out(to)
    while sock == to and outbox[1] do
        local text = table.concat(outbox)
        outbox = {}
        if not pcall(to.write, to, text) then
            pcall(to.close, to)
        end
    end
    is_writing = false
end

-- A command to the server, by a task that nobody waits for. Nothing is lost where there is no
-- connection: the next begins with all channels.
local function send(text)
    if not sock then
        return
    end
    outbox[#outbox + 1] = text
    if not is_writing then
        is_writing = true
        mt.spawn(write_out, sock)
    end
end

local function send_subscribe(name)
    if sock then
        awaited[name] = (awaited[name] or 0) + 1
        send(command("SUBSCRIBE", name))
    end
end

local function leave(channel)
    if next(channel.subscriptions) or channels[channel.name] ~= channel then
        return
    end
    channels[channel.name] = nil
    count = count - 1
    send(command("UNSUBSCRIBE", channel.name))
end

function methods.close(self)
    if self.is_over then
        return
    end
    self.is_over = true
    self.bond:drop()
    self.queue, self.first, self.last, self.bytes = {}, 1, 0, 0
    self.channel.subscriptions[self] = nil
    leave(self.channel)
    wake(self)
end

Subscription.__close = methods.close
Subscription.__index = methods

-- The next message; nil once it is closed.
function Subscription.__call(self)
    while true do
        local message = take(self)
        if message or self.is_over then
            return message
        elseif self.is_read then
            error("another task waits for this subscription's messages", 2)
        end
        self.is_read = true
        local ok, problem = pcall(self.signal.recv, self.signal)
        self.is_read = false
        if not ok then
            error(problem, 0)
        end
    end
end

-- Reading.

-- One that was let go of and taken up again meanwhile is in force with the last word on it.
local function confirm(name)
    local left = (awaited[name] or 1) - 1
    local channel = channels[name]
    awaited[name] = left > 0 and left or nil
    if channel and left == 0 then
        channel.is_in_force = true
        channel.changed:close()
    end
end

local function give_out(reply)
    local kind, channel = reply[1], channels[reply[2]]
    if kind == "subscribe" then
        confirm(reply[2])
    elseif kind == "message" and channel then
        for subscription in pairs(channel.subscriptions) do
            add(subscription, reply[3])
        end
    end
end

local function begin(own)
    sock, outbox, awaited, is_writing = own, {}, {}, false
    for name in pairs(channels) do
        send_subscribe(name)
    end
end

-- A reply, or what ended the connection. A server that says nothing is asked whether it is there.
local function receive(target, from, reader)
    local ok, reply, failed = pcall(connection.next_reply, target, from, reader)
    if not ok and type(reply) == "table" and reply.kind == "timeout" then
        send(PING)
        reply, failed = connection.next_reply(target, from, reader)
    elseif not ok then
        error(reply, 0)
    end
    if failed then
        error(reply, 0)
    end
    return reply
end

-- Until the connection is lost, which raises.
local function read_all(target, on_reply)
    local own <close> = connection.open(target)
    local reader = wire.reader()
    begin(own)
    while true do
        give_out(receive(target, own, reader))
        on_reply()
    end
end

-- No channel is in force any more; who waited for that is told why.
local function lose(problem)
    sock = nil
    for _, channel in pairs(channels) do
        if channel.is_in_force then
            channel.is_in_force = false
        else
            channel.problem = problem
            channel.changed:close()
        end
        channel.changed = mt.channel()
    end
end

local function read()
    local pause = PAUSE
    while count > 0 do
        local _, problem = pcall(read_all, server.client._server, function() pause = PAUSE end)
        lose(problem)
        if type(problem) ~= "table" or problem.kind == "abort" then
            error(problem, 0)
        end
        mt.sleep(pause)
        pause = math.min(2 * pause, PAUSE_MAX)
    end
end

local function start_to_read()
    if not reader_task then
        reader_task = mt.spawn(function()
            local _ <close> = setmetatable({}, {
                __close = function() reader_task, sock = nil, nil end,
            })
            read()
        end)
    end
end

-- Subscribing.

local function new_channel(name)
    local channel = {
        changed = mt.channel(),
        is_in_force = false,
        name = name,
        subscriptions = {},
    }
    channels[name] = channel
    count = count + 1
    send_subscribe(name)
    return channel
end

local function wait_for(channel)
    if not channel.is_in_force then
        start_to_read()
        channel.changed:recv()
        if not channel.is_in_force then
            error(channel.problem, 0)
        end
    end
end

function messages.subscribe(name, channel_name)
    local at = server.channel(name, channel_name)
    local channel = channels[at] or new_channel(at)
    local self = setmetatable({
        bytes = 0,
        channel = channel,
        dropped = 0,
        first = 1,
        is_over = false,
        is_read = false,
        last = 0,
        queue = {},
        signal = mt.channel(1),
    }, Subscription)
    self.bond = at_end(function() self:close() end)
    channel.subscriptions[self] = true
    local ok, problem = pcall(wait_for, channel)
    if not ok then
        self:close()
        error(problem, 0)
    end
    return self
end

return messages
