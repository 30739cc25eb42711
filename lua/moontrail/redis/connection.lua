-- One connection to one server: what is written there, and the replies. It is used by one command,
-- or by several in one piece, and then goes back to the pool of the runtime's sockets; what breaks
-- in between closes it.
local gates = require "moontrail.runtime.gate"
local mt = require "moontrail"
local wire = require "moontrail.redis.wire"

local connection = {}

-- Seconds: the socket's own time for each wait, and one that nobody sees the end of.
local TIMEOUT <const> = 60
local FOR_EVER <const> = 1e8
local HASTE <const> = 2

-- Connections of a worker for commands that are answered at once: as many as are kept. Any more
-- would be opened for one command each.
local POOL_SIZE <const> = 32

local connect = mt.socket.connect

-- Readers that are at rest: what they have read is whole.
local readers = {}
local READERS_MAX = 64

local function take_reader()
    local n = #readers
    local reader = readers[n]
    if not reader then
        return wire.reader()
    end
    readers[n] = nil
    return reader
end

local function put_reader(reader)
    if #readers < READERS_MAX then
        readers[#readers + 1] = reader
    end
end

-- Waits for a reply: how many bytes lie behind it, the reply, and whether it is an error.
local function receive(server, sock, reader)
    repeat
        local chunk = sock:read()
        if not chunk then
            error(wire.error("lost", server.name .. ": the server has closed the connection"), 0)
        end
        local left, reply, failed = reader:next(chunk)
        if left then
            return left, reply, failed
        end
    until false
end
connection.receive = receive

-- The same where a reply may have come with the one before.
function connection.next_reply(server, sock, reader)
    local left, reply, failed = reader:next()
    if not left then
        left, reply, failed = receive(server, sock, reader)
    end
    return reply, failed, left
end

-- Logs in, and chooses the database.
local function greet(server, sock)
    local reader = wire.reader()
    sock:write(table.concat(server.greeting))
    for _ = 1, #server.greeting do
        local reply, failed = connection.next_reply(server, sock, reader)
        if failed then
            reply.message = ("%s: %s"):format(server.name, reply.message)
            error(reply, 0)
        end
    end
end

-- A connection that is ready for commands. The caller closes it.
local function open(server)
    local sock = connect(server.address, server.options)
    if server.greeting and not sock.reused then
        local ok, problem = pcall(greet, server, sock)
        if not ok then
            sock:close()
            error(problem, 0)
        end
    end
    return sock
end
connection.open = open

-- Completes a server.
function connection.prepare(server)
    local size = server.options.pool_size or POOL_SIZE
    server.gate = size > 0 and gates.new(size) or nil
    return server
end

-- Waits for a turn among those that use the server's connections.
local function take_turn(server)
    local gate, timeout = server.gate, server.options.timeout or TIMEOUT
    local turn = gate and gate:take(timeout)
    if gate and not turn then
        local text = ("%s: none of its connections was free for %g s"):format(server.name, timeout)
        error(wire.error("timeout", text), 0)
    end
    return turn
end

-- Writes one command and waits for its reply: that, and whether it is an error.
function connection.exchange(server, text)
    local _ <close> = take_turn(server)
    local sock <close> = open(server)
    local reader = take_reader()
    sock:write(text)
    local left, reply, failed = receive(server, sock, reader)
    if left == 0 then
        sock:keep()
        put_reader(reader)
    end
    return reply, failed
end

-- Writes several in one piece: an array of their replies.
function connection.talk(server, sock, text, count)
    sock:write(text)
    return connection.receive_all(server, sock, count)
end

-- The replies to so many commands, which were written. What lies behind them is none.
function connection.receive_all(server, sock, count)
    local reader = wire.reader()
    reader:expect(count)
    local left, replies = receive(server, sock, reader)
    if left > 0 then
        error(wire.error("protocol", server.name .. ": more replies than commands"), 0)
    end
    return replies
end

-- Both, on a connection of their own.
function connection.exchange_all(server, text, count)
    local _ <close> = take_turn(server)
    local sock <close> = open(server)
    local replies = connection.talk(server, sock, text, count)
    sock:keep()
    return replies
end

-- Whether a reply in an array is an error.
local error_metatable = getmetatable(wire.error("lost", ""))
function connection.is_error(reply)
    return type(reply) == "table" and getmetatable(reply) == error_metatable
end

-- The same server with other times. It takes no turns: what waits at the server holds up nobody.
local function with(server, changes)
    local options = {}
    for name, value in pairs(server.options) do
        options[name] = value
    end
    for name, value in pairs(changes) do
        options[name] = value
    end
    return setmetatable({ options = options, gate = false }, { __index = server })
end

-- A server that may take so many seconds more for its reply; 0 is for ever.
function connection.patient(server, seconds)
    local timeout = server.options.timeout or TIMEOUT
    return with(server, { timeout = seconds > 0 and timeout + seconds or FOR_EVER })
end

-- A server that is to answer soon, or not at all.
function connection.hasty(server)
    local options = server.options
    return with(server, {
        connect_timeout = math.min(options.connect_timeout or HASTE, HASTE),
        timeout = math.min(options.timeout or HASTE, HASTE),
    })
end

return connection
