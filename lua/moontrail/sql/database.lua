-- A database, as scripts have it.
local check = require "moontrail.sql.check"
local detached = require "moontrail.runtime.detached"
local gates = require "moontrail.runtime.gate"
local migrate = require "moontrail.sql.migrate"
local mt = require "moontrail"
local pool = require "moontrail.sql.pool"
local read = require "moontrail.sql.reading"
local script = require "moontrail.runtime.script"
local transaction = require "moontrail.sql.transaction"

local blame = script.blame

local Database = { __name = "database" }
Database.__index = Database

function Database:__tostring()
    return "database: " .. self.shown
end

-- Waits for migrations, or raises what they failed by. What had nothing to do with them, such as a
-- server that was down, is tried again.
local function await_migration(db)
    local migration = db.migration
    if migration.failed then
        error(migration.failed, 0)
    end
    migration.task = migration.task or detached(migration.run)
    local ok, problem = migration.task:join()
    if ok then
        db.migration = nil
        return
    end
    migration.task = nil
    if type(problem) ~= "table" or problem.kind == "sql" then
        migration.failed = problem
    end
    error(problem, 0)
end

local function refuse_transaction(connection)
    if connection:in_transaction() then
        blame("a transaction is begun by db:transaction, and not by a statement")
    end
end

function Database:query(text, ...)
    check.text(text)
    if self.migration then
        await_migration(self)
    end
    local held <close> = pool.lease(self)
    local rows = held.connection:query(text, table.pack(...), self.timeout)
    refuse_transaction(held.connection)
    return check.rows(rows)
end

Database.row, Database.value = check.row, check.value

function Database:rows(text, ...)
    check.text(text)
    if self.migration then
        await_migration(self)
    end
    local held = pool.lease(self)
    local reading = read(held.connection, held, text, table.pack(...), self.timeout)
    return reading, nil, nil, reading
end

function Database:transaction(fn, options)
    check.fn(fn)
    if self.migration then
        await_migration(self)
    end
    return transaction(self, fn, options or {})
end

-- What only some databases have.

function Database:listen(channel)
    if not self.engine.listen then
        blame("db:listen is PostgreSQL's: %s has none", self.shown)
    end
    return self.engine.listen(self, channel)
end

function Database:copy(text)
    check.text(text)
    if self.migration then
        await_migration(self)
    end
    local held = pool.lease(self)
    local function done() held:close() end
    local ok, writer = pcall(check.copy, held.connection, text, self.timeout, done)
    if not ok then
        done()
        error(writer, 0)
    end
    return writer
end

-- A run that tells what it has come to, for those who wait for it.
local function guarded(db, lists)
    local ok, problem = pcall(migrate.run, db, lists)
    if not ok then
        mt.log.error("migration failed", { database = db.shown, error = tostring(problem) })
    end
    return ok, problem
end

-- While scripts load nothing can wait: the migrations run once that is over.
function Database:migrate(folder)
    local list = migrate.read(folder, self.engine_name)
    if not gates.is_loading() then
        migrate.run(self, { list })
        return
    end
    local lists = self.migration and self.migration.lists or {}
    table.insert(lists, list)
    if not self.migration then
        local run = function() return guarded(self, lists) end
        self.migration = { lists = lists, run = run, task = detached(run) }
    end
end

return Database
