-- One server.
local batch = require "moontrail.redis.batch"
local commands = require "moontrail.redis.commands"
local connection = require "moontrail.redis.connection"
local encode = require("moontrail.redis.wire").command
local wire = require "moontrail.redis.wire"

local single = {}

local MULTI, EXEC, UNWATCH = encode "MULTI", encode "EXEC", encode "UNWATCH"

-- The server to be asked for a command, which may make one wait.
function single.for_command(server, name, ...)
    local waiter = commands.waiter(name)
    local seconds = waiter and tonumber((waiter(...)))
    return seconds and connection.patient(server, seconds) or server
end

-- Sends a command: its reply, and whether it is an error.
function single.run(self, text, name, ...)
    return connection.exchange(single.for_command(self.server, name, ...), text)
end

-- Sends all: an array of replies.
function single.run_all(self, fn)
    local texts = batch.gather(fn)
    if #texts == 0 then
        return {}
    end
    return connection.exchange_all(self.server, table.concat(texts), #texts)
end

-- Transactions.

-- What use(server, sock) gives, on a connection that is kept where it raises nothing.
function single.use(server, use)
    local sock <close> = connection.open(server)
    local result = use(server, sock)
    sock:keep()
    return result
end

-- What was wrong with the first command that was refused.
local function first_error(replies)
    for i = 1, #replies - 1 do
        if connection.is_error(replies[i]) then
            return replies[i]
        end
    end
    return nil
end

-- What EXEC came to: its replies; nil where a watched key has changed. Raises its error, with what
-- one of the commands was refused for as its cause.
local function outcome(replies)
    local result = replies[#replies]
    if result == wire.null then
        return nil
    elseif not connection.is_error(result) then
        return result
    end
    local cause = first_error(replies)
    result.message = "redis: " .. result.message .. (cause and " " .. cause.message or "")
    result.cause = cause
    error(result, 0)
end

-- The commands between MULTI and EXEC, on a connection.
function single.execute(server, sock, texts)
    local text = MULTI .. table.concat(texts) .. EXEC
    return outcome(connection.talk(server, sock, text, #texts + 2))
end

-- Watches keys.
function single.watch(server, sock, keys)
    local reply = connection.talk(server, sock, encode("WATCH", table.unpack(keys)), 1)[1]
    if connection.is_error(reply) then
        reply.message = "redis: watch: " .. reply.message
        error(reply, 0)
    end
end

-- What follows on that: gathers commands, and executes them.
function single.go_on(server, sock, fn, note)
    local texts = batch.gather(fn, note)
    if #texts > 0 then
        return single.execute(server, sock, texts)
    end
    connection.talk(server, sock, UNWATCH, 1)
    return {}
end

-- Runs what fn gathers as a transaction.
function single.transact(self, fn, keys)
    local texts = not keys and batch.gather(fn)
    if texts and #texts == 0 then
        return {}
    end
    return single.use(self.server, function(server, sock)
        if texts then
            return single.execute(server, sock, texts)
        end
        single.watch(server, sock, keys)
        return single.go_on(server, sock, fn)
    end)
end

-- Where a subscription connects.
function single.any(self)
    return self.server
end

function single.new(server)
    return setmetatable({ server = server }, { __index = single })
end

return single
