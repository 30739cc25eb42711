-- Transactions: a function that is given one, and whose end is its end.
local check = require "moontrail.sql.check"
local gates = require "moontrail.runtime.gate"
local mt = require "moontrail"
local pool = require "moontrail.sql.pool"
local read = require "moontrail.sql.reading"
local script = require "moontrail.runtime.script"

local blame = script.blame

local Transaction = { __name = "transaction" }
Transaction.__index = Transaction

local function connection_of(tx)
    return tx.connection or blame("the transaction has ended")
end

function Transaction:query(text, ...)
    check.text(text)
    return check.rows(connection_of(self):query(text, table.pack(...), self.timeout))
end

Transaction.row, Transaction.value = check.row, check.value

function Transaction:rows(text, ...)
    check.text(text)
    local reading = read(connection_of(self), nil, text, table.pack(...), self.timeout)
    self.readings[reading] = true
    return reading, nil, nil, reading
end

function Transaction:copy(text)
    check.text(text)
    return check.copy(connection_of(self), text, self.timeout, function() end)
end

local function plain(tx, text)
    connection_of(tx):query(text, { n = 0 }, tx.timeout)
end

-- What a savepoint's function returns, or raises once its changes are undone.
local function settle(tx, name, ok, ...)
    if not ok then
        pcall(plain, tx, "rollback to savepoint " .. name)
        pcall(plain, tx, "release savepoint " .. name)
        error(..., 0)
    end
    plain(tx, "release savepoint " .. name)
    return ...
end

-- In another one: a savepoint.
function Transaction:transaction(fn)
    check.fn(fn)
    self.depth = self.depth + 1
    local name = "moontrail_" .. self.depth
    plain(self, "savepoint " .. name)
    return settle(self, name, pcall(fn, self))
end

function Transaction:__close()
    for reading in pairs(self.readings) do
        reading:close()
    end
    self.connection = nil
    pool.note(self.db, self.owner, nil)
end

local function new_transaction(db, connection)
    local owner = gates.task()
    local tx = setmetatable({ db = db, connection = connection, timeout = db.timeout, depth = 0,
        owner = owner, readings = setmetatable({}, { __mode = "k" }) }, Transaction)
    pool.note(db, owner, tx)
    return tx
end

-- Ends the transaction by what its function has come to; an abort lets the pool end it.
local function conclude(tx, connection, ok, ...)
    for reading in pairs(tx.readings) do
        reading:close()
    end
    if not ok then
        pcall(connection.rollback, connection)
        error(..., 0)
    end
    connection:commit()
    return ...
end

local function run_once(db, fn, options)
    local held <close> = pool.lease(db)
    local connection = held.connection
    connection:begin(options)
    local tx <close> = new_transaction(db, connection)
    return conclude(tx, connection, pcall(fn, tx))
end

-- The longest pause before the first time that a transaction is tried again, in seconds.
local RETRY_PAUSE <const> = 0.01

local function attempt(db, fn, options, left, ok, ...)
    if ok then
        return ...
    end
    local problem = ...
    local may_retry = left > 0 and type(problem) == "table" and problem.kind == "sql"
        and db.engine.is_serialization(problem)
    if not may_retry then
        error(problem, 0)
    end
    mt.sleep(math.random() * RETRY_PAUSE)
    return attempt(db, fn, options, left - 1, pcall(run_once, db, fn, options))
end

-- What fn returns, after a commit; in a transaction of the same task, as a part of that.
return function(db, fn, options)
    local outer = pool.transaction(db)
    if outer then
        return outer:transaction(fn)
    end
    return attempt(db, fn, options, check.transaction(options), pcall(run_once, db, fn, options))
end
