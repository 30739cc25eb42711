-- Which node of a cluster has which slot: asked for at the first command, and anew after a node
-- could not be reached. Known for all tasks of a client.
local connection = require "moontrail.redis.connection"
local mt = require "moontrail"
local url = require "moontrail.redis.url"
local wire = require "moontrail.redis.wire"

local Slots = {}
Slots.__index = Slots

local QUESTION = wire.command("CLUSTER", "SLOTS")
local TURN = 0.01 -- seconds between looks at whether another task has its answer

-- The node at a place, with what the cluster's servers share.
local function make_node(self, host, port)
    local model = self.seeds[1]
    if host:find(":", 1, true) then
        host = "[" .. host .. "]"
    end
    local address = ("%s://%s:%d"):format(model.tls and "tls" or "tcp", host, port)
    local node = self.nodes[address]
    if not node then
        node = url.at(model, host, address)
        self.nodes[address] = node
    end
    return node
end

-- The node that a redirection names as HOST:PORT; without a host it is the one that says so.
function Slots.node_at(self, text, from)
    local colon = text:match("^.*():") or 1
    local host, port = text:sub(1, colon - 1), tonumber(text:sub(colon + 1))
    return make_node(self, host ~= "" and host or from.host, math.tointeger(port))
end

-- Takes { first, last, { host, port, … }, replicas … } for each range.
local function take(self, ranges, from)
    local of = {}
    self.nodes = {}
    for _, range in ipairs(ranges) do
        local host, port = range[3][1], range[3][2]
        local is_told = type(host) == "string" and host ~= "" and host ~= "?"
        local node = make_node(self, is_told and host or from.host, port)
        for slot = range[1], range[2] do
            of[slot] = node
        end
    end
    self.of = of
    self.is_doubtful = false
end

-- Those that may know: the nodes, then those of the script.
local function candidates(self)
    local list = {}
    for _, node in pairs(self.nodes) do
        list[#list + 1] = node
    end
    return table.move(self.seeds, 1, #self.seeds, #list + 1, list)
end

local function ask(self)
    local problem
    for _, server in ipairs(candidates(self)) do
        local ok, reply, failed = pcall(connection.exchange, connection.hasty(server), QUESTION)
        if ok and not failed then
            return take(self, reply, server)
        end
        problem = reply
        if not connection.is_error(problem) or problem.kind == "abort" then
            break
        end
    end
    if not self.of or not connection.is_error(problem) or problem.kind == "abort" then
        error(problem, 0)
    end
    self.is_doubtful = false
end

local function over(asking)
    asking.slots.asking = nil
end

-- Asks the nodes, unless another task does; where nothing is known yet, its answer is waited for.
function Slots.refresh(self)
    while self.asking do
        if self.of then
            return
        end
        mt.sleep(TURN)
    end
    if self.of and not self.is_doubtful then
        return
    end
    local asking <close> = setmetatable({ slots = self }, { __close = over })
    self.asking = asking
    ask(self)
end

-- What is known may not hold any more.
function Slots.doubt(self)
    self.is_doubtful = true
end

-- Slots have moved.
function Slots.move(self, slot, node)
    self.of[slot] = node
end

-- The node that has the slot; some node for one that none has, and for nil.
function Slots.node(self, slot)
    if not self.of or self.is_doubtful then
        self:refresh()
    end
    local node = slot and self.of[slot]
    if node then
        return node
    end
    local list = candidates(self)
    return list[math.random(#list)]
end

return {
    new = function(seeds)
        return setmetatable({ seeds = seeds, nodes = {}, of = nil, is_doubtful = false }, Slots)
    end,
}
