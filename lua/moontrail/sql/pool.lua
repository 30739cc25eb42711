-- The pool of a database: so many connections at a time; those that are idle are kept for a while.
local detached = require "moontrail.runtime.detached"
local errors = require "moontrail.runtime.errors"
local gates = require "moontrail.runtime.gate"
local mt = require "moontrail"
local script = require "moontrail.runtime.script"

local blame = script.blame

local pool = {}

-- Closes what was idle for too long, until nothing is.
local function reap(db)
    local idle = db.idle
    while idle[1] do
        local left = idle[1].idle_since + db.options.idle - gates.now()
        if left <= 0 then
            table.remove(idle, 1):close()
        else
            mt.sleep(left)
        end
    end
    db.reaper = nil
end

local function keep(db, connection)
    connection.idle_since = gates.now()
    table.insert(db.idle, connection)
    db.reaper = db.reaper or detached(reap, db)
end

-- A connection with its place in the pool, until the variable closes.
local Lease = {}
Lease.__index = Lease

function Lease:close()
    local connection = self.connection
    self.db.holder = nil
    if connection:usable() then
        keep(self.db, connection)
    else
        connection:close()
    end
    self.place:close()
end

Lease.__close = Lease.close

local function take_idle(db)
    local connection = table.remove(db.idle)
    while connection and connection.alive and not connection:alive() do
        connection:close()
        connection = table.remove(db.idle)
    end
    return connection
end

-- Notes that a task has a transaction open; nil: that it has none any more.
function pool.note(db, task, tx)
    db.transactions[task] = tx
end

-- The one of this task.
function pool.transaction(db)
    local task = gates.task()
    return task and db.transactions[task]
end

function pool.lease(db)
    if gates.is_loading() then
        blame("a database cannot be waited for while a script loads; db:migrate runs after that")
    end
    if db.max == 1 and db.holder and db.holder == gates.task() then
        blame("this task has the only connection of %s, in a transaction or a loop over rows",
            db.shown)
    end
    local place = db.gate:take(db.timeout)
    if not place then
        error(errors.new("timeout", ("%s: none of its %d connections was free within %g s"):format(
            db.shown, db.max, db.timeout)), 0)
    end
    local connection = take_idle(db)
    if not connection then
        local ok, result = pcall(db.engine.connect, db.url, db.options)
        if not ok then
            place:close()
            error(result, 0)
        end
        connection = result
    end
    db.holder = db.max == 1 and gates.task()
    return setmetatable({ db = db, connection = connection, place = place }, Lease)
end

return pool
