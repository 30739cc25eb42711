-- What is to be known of commands: where their keys stand, how long they may wait for their reply,
-- and which of them do not go with connections that are shared.
local commands = {}

local function set(words)
    local all = {}
    for word in words:gmatch("%S+") do
        all[word] = true
    end
    return all
end

-- Keys. Each function gives them, from the command's arguments.

local function first(...)
    return (...)
end

local function second(_, key)
    return key
end

local function first_two(a, b)
    return a, b
end

local function all(...)
    return ...
end

local function all_but_first(_, ...)
    return ...
end

local function all_but_last(...)
    return table.unpack({ ... }, 1, select("#", ...) - 1)
end

-- Every second one.
local function pairs_of(...)
    local keys = {}
    for i = 1, select("#", ...), 2 do
        keys[#keys + 1] = (select(i, ...))
    end
    return table.unpack(keys)
end

-- As many as the argument at the place says, which follow on it; those before it that are keys too.
local function counted(place, before)
    return function(...)
        local arguments = { ... }
        local count = math.tointeger(tonumber(arguments[place])) or 0
        local keys = table.move(arguments, 1, before, 1, {})
        local last = math.min(place + count, #arguments)
        return table.unpack(table.move(arguments, place + 1, last, #keys + 1, keys))
    end
end

-- The first half of what follows STREAMS.
local function streams(...)
    local arguments = { ... }
    for i, word in ipairs(arguments) do
        if type(word) == "string" and word:lower() == "streams" then
            return table.unpack(arguments, i + 1, i + (#arguments - i) // 2)
        end
    end
end

-- The first, and what follows on STORE or STOREDIST.
local function stored(key, ...)
    local rest = { ... }
    for i = 1, #rest - 1 do
        local word = type(rest[i]) == "string" and rest[i]:lower()
        if word == "store" or word == "storedist" then
            return key, rest[i + 1]
        end
    end
    return key
end

-- The third, or those that follow on KEYS.
local function migrated(...)
    local arguments = { ... }
    for i, word in ipairs(arguments) do
        if i > 5 and type(word) == "string" and word:lower() == "keys" then
            return table.unpack(arguments, i + 1)
        end
    end
    return arguments[3]
end

local places = {
    [function() end] = [[acl asking bgrewriteaof bgsave client cluster command config dbsize debug
        discard echo failover flushall flushdb function info keys lastsave latency lolwut module
        ping publish pubsub randomkey replicaof role save scan script shutdown slaveof slowlog
        swapdb time wait]],
    [second] = "memory object pfdebug xgroup xinfo",
    [first_two] = [[blmove brpoplpush copy geosearchstore lcs lmove rename renamenx rpoplpush smove
        zrangestore]],
    [all] = [[del exists mget pfcount pfmerge sdiff sdiffstore sinter sinterstore sunion sunionstore
        touch unlink watch]],
    [all_but_first] = "bitop",
    [all_but_last] = "blpop brpop bzpopmax bzpopmin",
    [pairs_of] = "mset msetnx",
    [counted(1, 0)] = "lmpop sintercard zdiff zinter zintercard zmpop zunion",
    [counted(2, 0)] = "blmpop bzmpop eval eval_ro evalsha evalsha_ro fcall fcall_ro",
    [counted(2, 1)] = "zdiffstore zinterstore zunionstore",
    [streams] = "xread xreadgroup",
    [stored] = "georadius georadiusbymember sort",
    [migrated] = "migrate",
}

local finders = {}
for finder, names in pairs(places) do
    for name in names:gmatch("%S+") do
        finders[name] = finder
    end
end

-- The function that gives the keys of a command; of one that is not known its first argument.
function commands.finder(name)
    return finders[name:lower()] or first
end

-- Waits of the server's.

local function last_seconds(...)
    return (select(select("#", ...), ...))
end

local function first_seconds(seconds)
    return seconds
end

local function milliseconds_of(_, wait)
    return (tonumber(wait) or 0) / 1000
end

local function block_option(...)
    local arguments = { ... }
    for i, word in ipairs(arguments) do
        if type(word) == "string" and word:lower() == "block" then
            return (tonumber(arguments[i + 1]) or 0) / 1000
        end
    end
    return nil
end

local waits = {
    blmove = last_seconds,
    blmpop = first_seconds,
    blpop = last_seconds,
    brpop = last_seconds,
    brpoplpush = last_seconds,
    bzmpop = first_seconds,
    bzpopmax = last_seconds,
    bzpopmin = last_seconds,
    wait = milliseconds_of,
    xread = block_option,
    xreadgroup = block_option,
}

-- The function that gives the seconds that a command may wait at the server, 0 for ever; nil for a
-- command that never waits.
function commands.waiter(name)
    return waits[name:lower()]
end

-- What changes a connection.
local of_connection = set [[asking auth discard exec hello monitor multi psubscribe psync
    punsubscribe quit readonly readwrite replconf reset select ssubscribe subscribe sunsubscribe
    sync unsubscribe unwatch watch]]

local instead = {
    auth = "the URL names user and password",
    exec = "r:transaction does that",
    multi = "r:transaction does that",
    select = "the URL names the database",
    unwatch = "r:transaction takes keys to watch",
    watch = "r:transaction takes keys to watch",
}

-- Why a command cannot be given on a connection that others use as well; nil where it can.
function commands.refusal(name)
    name = name:lower()
    if not of_connection[name] then
        return nil
    end
    return ("%s changes a connection, and they are shared%s"):format(
        name,
        instead[name] and ": " .. instead[name] or ""
    )
end

-- Of CLIENT, some of its subcommands do.
function commands.changes_replies(name, subcommand)
    if name:lower() ~= "client" or type(subcommand) ~= "string" then
        return false
    end
    subcommand = subcommand:lower()
    return subcommand == "reply" or subcommand == "tracking"
end

-- Whether a command is given as it is, and answered at once.
function commands.is_simple(name)
    local is_name = type(name) == "string" and name ~= ""
    name = is_name and name:lower()
    return is_name and not waits[name] and not of_connection[name] and name ~= "client"
end

return commands
