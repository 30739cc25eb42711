-- Commands that are gathered, for a pipeline or a transaction: what the function of either is
-- given.
local commands = require "moontrail.redis.commands"
local encode = require("moontrail.redis.wire").command
local script = require "moontrail.runtime.script"

local batch = {}

-- Raises for a command whose argument is none.
function batch.blame_argument(name, index, kind)
    script.blame(
        "redis: %s: argument %d is %s; strings and numbers are arguments",
        name,
        index,
        kind == "nil" and kind or "a " .. kind
    )
end

-- Raises where a command cannot be given on a shared connection.
function batch.check_name(name)
    if type(name) ~= "string" or name == "" then
        script.blame("redis: the name of a command is a string")
    end
    local refusal = commands.refusal(name)
    if refusal then
        script.blame("redis: %s", refusal)
    end
end

-- As above, for what its first argument does.
function batch.check_subcommand(name, subcommand)
    if commands.changes_replies(name, subcommand) then
        script.blame(
            "redis: client %s changes a connection, and they are shared",
            subcommand:lower()
        )
    end
end

-- Notes a command. Its keys are told to whoever sends it.
local function add(self, name, ...)
    local text, index, kind = encode(name, ...)
    if not text then
        batch.blame_argument(name, index, kind)
    end
    local taken = rawget(self, "_texts")
    if not taken then
        script.blame("redis: %s: the pipeline or transaction is over", name)
    end
    taken[#taken + 1] = text
    local note = self._note
    if note then
        note(#taken, name, ...)
    end
end

local methods = {}

-- p:call(name, ...)
function methods.call(self, name, ...)
    batch.check_name(name)
    batch.check_subcommand(name, ...)
    add(self, name, ...)
end

setmetatable(methods, {
    __index = function(_, name)
        local is_simple = commands.is_simple(name)
        local function method(self, ...)
            if not is_simple then
                return methods.call(self, name, ...)
            end
            add(self, name, ...)
        end
        methods[name] = method
        return method
    end,
})

local metatable = { __index = methods }

-- Calls the function with a new batch: the commands' texts. note(index, name, ...), where it is
-- given, is told of each.
function batch.gather(fn, note)
    local self = setmetatable({ _texts = {}, _note = note or false }, metatable)
    fn(self)
    local texts = self._texts
    self._texts = nil
    return texts
end

return batch
