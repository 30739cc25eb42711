-- Notifications of PostgreSQL, on a connection of their own, which connects anew when it is lost.
local mt = require "moontrail"
local blame = require("moontrail.runtime.script").blame

local M = {}

local Listener = {}
Listener.__index = Listener

-- Seconds between attempts to connect anew.
local SOONEST <const>, LATEST <const> = 0.1, 5

-- Problems that do not pass by themselves: who may not connect, and what is not there.
local function is_lasting(problem)
    if type(problem) ~= "table" or problem.kind == "abort" then return true end
    local class = tostring(problem.code):sub(1, 2)
    return problem.kind == "sql" and (class == "28" or class == "3D")
end

local function begin_listening(self)
    local connection = self.connect(self.url, self.options)
    connection.link:own()
    connection.link:execute("LISTEN " .. self.name, self.options.timeout)
    self.link = connection.link
    if self.closed then self.link:close() end
end

local function listen_again(self)
    local pause = SOONEST
    self.link:close()
    while not self.closed do
        local ok, problem = pcall(begin_listening, self)
        if ok then return end
        if is_lasting(problem) then error(problem, 0) end
        mt.sleep(pause)
        pause = math.min(2 * pause, LATEST)
    end
end

local function is_channel(channel)
    return type(channel) == "string" and #channel > 0 and #channel < 64
        and not channel:find("\0", 1, true)
end

-- connect is the engine's.
function M.new(connect, db, channel)
    if not is_channel(channel) then blame("a channel is a string of 1 to 63 bytes") end
    local self = setmetatable({connect = connect, url = db.url, options = db.options,
        name = '"' .. channel:gsub("\"", "\"\"") .. '"'}, Listener)
    begin_listening(self)
    return self
end

function Listener:__call()
    while not self.closed do
        local ok, channel, payload = pcall(self.link.notification, self.link)
        if self.closed then return nil end
        if ok then return {channel = channel, payload = payload} end
        local problem = channel
        if type(problem) ~= "table" or problem.kind ~= "lost" then error(problem, 0) end
        listen_again(self)
    end
end

function Listener:close()
    self.closed = true
    self.link:close()
end

Listener.__close = Listener.close

return M
