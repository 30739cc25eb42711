-- A cluster: which node has the slots of a command's keys, and what becomes of the command where
-- that changes. A command goes to another node, or is sent again, where the one before has said
-- that it did not run it, and where no connection to that came about; never where its reply is
-- lost.
local batch = require "moontrail.redis.batch"
local commands = require "moontrail.redis.commands"
local connection = require "moontrail.redis.connection"
local mt = require "moontrail"
local single = require "moontrail.redis.single"
local slots = require "moontrail.redis.slots"
local wire = require "moontrail.redis.wire"

local cluster = {}

local ASKING = wire.command "ASKING"
local REDIRECTS_MAX = 16
-- Seconds between attempts, and for how long they are made: the time for a connection, which is
-- this unless given.
local PAUSE, PAUSE_MAX, PATIENCE = 0.02, 0.5, 10

-- A node that says one of these has not run the command, and may later.
local passing = { CLUSTERDOWN = true, LOADING = true, MASTERDOWN = true, TRYAGAIN = true }

-- The slot of a command's keys; nil for one that has none, and nil and an error where they lie in
-- two.
local function slot_of(name, ...)
    local slot, of
    for _, key in ipairs { commands.finder(name)(...) } do
        key = tostring(key)
        local its = wire.slot(key)
        if slot and its ~= slot then
            local text = "CROSSSLOT redis: %s: the keys %q and %q lie in two slots, %d and %d"
            text = text:format(name, of, key, slot, its)
            return nil, wire.error("redis", text, "CROSSSLOT")
        end
        slot, of = its, key
    end
    return slot
end
cluster.slot_of = slot_of

-- An attempt, and what follows on one that failed.

local Attempts = {}
Attempts.__index = Attempts

local function attempts(self, slot)
    return setmetatable({
        cluster = self,
        slot = slot,
        redirects = 0,
        pause = PAUSE,
        ends = nil,
        server = self.slots:node(slot),
        asking = false,
    }, Attempts)
end

-- Waits, and asks the cluster anew; false where the time for that is over.
local function wait_for_change(self)
    local now = mt.now()
    self.ends = self.ends or now + self.cluster.patience
    if now + self.pause > self.ends then
        return false
    end
    mt.sleep(self.pause)
    self.pause = math.min(self.pause * 2, PAUSE_MAX)
    self.cluster.slots:refresh()
    self.server, self.asking = self.cluster.slots:node(self.slot), false
    return true
end

-- Follows an error that names another node.
local function follow(self, code, text)
    local slot, address = text:match("^%u+ (%d+) (%S+)")
    self.redirects = self.redirects + 1
    if not slot or self.redirects > REDIRECTS_MAX then
        return false
    end
    local known = self.cluster.slots
    self.server = known:node_at(address, self.server)
    self.asking = code == "ASK"
    if code == "MOVED" then
        known:move(math.tointeger(tonumber(slot)), self.server)
    end
    return true
end

-- Whether what failed with this error is to be sent again, which is prepared then. A transaction
-- cannot be asked for at a node that does not have the slot yet.
function Attempts.again(self, problem, is_transaction)
    local code = problem.code
    if problem.kind == "unreachable" then
        self.cluster.slots:doubt()
        return wait_for_change(self)
    elseif problem.kind ~= "redis" then
        self.cluster.slots:doubt()
        return false
    elseif code == "MOVED" or code == "ASK" and not is_transaction then
        return follow(self, code, problem.message)
    end
    self.cluster.slots:doubt()
    return (passing[code] or code == "ASK") and wait_for_change(self)
end

-- Sends a command to the attempt's node.
local function send(server, asking, text)
    if not asking then
        return connection.exchange(server, text)
    end
    local reply = connection.exchange_all(server, ASKING .. text, 2)[2]
    if reply == wire.null then
        reply = nil
    end
    return reply, connection.is_error(reply)
end

-- Sends a command whose slot is known until it has a reply that counts.
local function run_in(self, slot, text, name, ...)
    local attempt = attempts(self, slot)
    repeat
        local server = single.for_command(attempt.server, name, ...)
        local ok, reply, failed = pcall(send, server, attempt.asking, text)
        local done = ok and not failed
        if not done and not (connection.is_error(reply) and attempt:again(reply)) then
            if not ok then
                error(reply, 0)
            end
            done = true
        end
        if done then
            return reply, failed
        end
    until false
end

-- Sends a command: its reply, and whether it is an error.
function cluster.run(self, text, name, ...)
    local slot, problem = slot_of(name, ...)
    if problem then
        return problem, true
    end
    return run_in(self, slot, text, name, ...)
end

-- Pipelines: one piece for each node, all written before any is read.

-- What is gathered, with the slots.
local function gather(self, fn)
    local at, names = {}, {}
    local texts = batch.gather(fn, function(i, name, ...)
        local slot, problem = slot_of(name, ...)
        if problem then
            error(problem, 0)
        end
        at[i], names[i] = slot or false, name
    end)
    return { cluster = self, texts = texts, slots = at, names = names }
end

-- By node: the places of its commands.
local function divide(self, work)
    local groups = {}
    for i, slot in ipairs(work.slots) do
        local server = self.slots:node(slot or nil)
        local group = groups[server]
        if not group then
            group = { server = server }
            groups[#groups + 1], groups[server] = group, group
        end
        group[#group + 1] = i
    end
    return groups
end

local function close_all(groups)
    for _, group in ipairs(groups) do
        if group.sock then
            group.sock:close()
        end
    end
end

-- Opens a connection for each; a node that has none is left out, and its commands are sent one by
-- one.
local function open_all(groups)
    for _, group in ipairs(groups) do
        local ok, sock = pcall(connection.open, group.server)
        if ok then
            group.sock = sock
        elseif sock.kind ~= "unreachable" then
            error(sock, 0)
        end
    end
end

local function write_all(groups, texts)
    for _, group in ipairs(groups) do
        local pieces = {}
        for n, i in ipairs(group) do
            pieces[n] = texts[i]
        end
        if group.sock then
            group.sock:write(table.concat(pieces))
        end
    end
end

local function read_all(groups, replies)
    for _, group in ipairs(groups) do
        local got = group.sock and connection.receive_all(group.server, group.sock, #group)
        for n, i in ipairs(group) do
            replies[i] = got and got[n]
        end
        if got then
            group.sock:keep()
        end
    end
end

-- Whether a reply says that the command was not run, and should be sent elsewhere or again.
local function is_passing(reply)
    if not connection.is_error(reply) then
        return reply == nil
    end
    return reply.code == "MOVED" or reply.code == "ASK" or passing[reply.code]
end

-- Sends one by one what no node has run.
local function send_rest(self, work, replies)
    for i, text in ipairs(work.texts) do
        if is_passing(replies[i]) then
            local reply = run_in(self, work.slots[i] or nil, text, work.names[i])
            replies[i] = reply == nil and wire.null or reply
        end
    end
end

function cluster.run_all(self, fn)
    local work, replies = gather(self, fn), {}
    local groups <close> = setmetatable(divide(self, work), { __close = close_all })
    open_all(groups)
    write_all(groups, work.texts)
    read_all(groups, replies)
    send_rest(self, work, replies)
    return replies
end

-- Transactions: all of their keys are in one slot.

local function join_slots(slot, its, problem)
    if problem or slot and its and its ~= slot then
        local text = "CROSSSLOT redis: the keys of a transaction lie in two slots"
        error(problem or wire.error("redis", text, "CROSSSLOT"), 0)
    end
    return slot or its
end

-- Gives use(server, sock) a connection to the slot's node, and another where that one has done
-- nothing, for as long as it may be repeated.
local function on_node(self, slot, use, may_repeat)
    local attempt = attempts(self, slot)
    repeat
        local ok, result = pcall(single.use, attempt.server, use)
        if ok then
            return result
        end
        local cause = connection.is_error(result) and result.cause or result
        if not (connection.is_error(cause) and may_repeat() and attempt:again(cause, true)) then
            error(result, 0)
        end
    until false
end

function cluster.transact(self, fn, keys)
    local slot = keys and join_slots(nil, slot_of("watch", table.unpack(keys)))
    local function note(_, name, ...)
        slot = join_slots(slot, slot_of(name, ...))
    end
    local texts = not keys and batch.gather(fn, note)
    if texts and #texts == 0 then
        return {}
    end
    local is_watching = false
    return on_node(self, slot or nil, function(server, sock)
        if texts then
            return single.execute(server, sock, texts)
        end
        single.watch(server, sock, keys)
        is_watching = true
        return single.go_on(server, sock, fn, note)
    end, function()
        return not is_watching
    end)
end

-- Where a subscription connects: any node has all messages.
function cluster.any(self)
    return self.slots:node()
end

-- A connection of a subscription has ended.
function cluster.doubt(self)
    self.slots:doubt()
end

-- A cluster that is asked at the servers given.
function cluster.new(servers)
    return setmetatable({
        slots = slots.new(servers),
        patience = servers[1].options.connect_timeout or PATIENCE,
    }, { __index = cluster })
end

return cluster
