-- Migrations: the files of a folder, each of which changes a database once.
local errors = require "moontrail.runtime.errors"
local folders = require "moontrail.runtime.folder"
local gates = require "moontrail.runtime.gate"
local mt = require "moontrail"
local pool = require "moontrail.sql.pool"
local script = require "moontrail.runtime.script"

local blame = script.blame

local migrate = {}

-- A migration may build an index over much.
local SECONDS <const> = 3600

-- Of which the number is what counts: a file that is renamed does not run again.
local TABLE <const> = [[create table if not exists moontrail_migrations (
    number bigint primary key, name text not null, applied_at text not null)]]

local engines = { sqlite = true, postgres = true }

-- 001_name.sql, 001_name.sqlite.sql: its number, its name, and the engine that it is for.
local function parse(folder, file)
    local number, name, engine = file:match("^(%d+)_([%w_%-]+)%.(%l+)%.sql$")
    if not number then
        number, name = file:match("^(%d+)_([%w_%-]+)%.sql$")
    end
    if not number or engine and not engines[engine] then
        blame("%s/%s: a migration is named as 001_name.sql, 001_name.sqlite.sql or "
            .. "001_name.postgres.sql", folder, file)
    end
    return math.tointeger(number), name, engine
end

local function read_file(path)
    local file, why = io.open(path, "rb")
    local text = file and file:read("a")
    if not text then
        blame("%s", why or path .. ": cannot be read")
    end
    file:close()
    if gates.is_loading() then
        mt.watch(path)
    end
    return text
end

-- Adds a file to those of its number, of which there is one for each engine or one for all.
local function add(folder, by_number, file, engine_wanted)
    local number, name, engine = parse(folder, file)
    local at = by_number[number] or { number = number, name = name }
    by_number[number] = at
    if at.name ~= name or at[engine or "all"] then
        blame("%s: two migrations have the number %d: %s and %s", folder, number, at.name, name)
    end
    at[engine or "all"] = folder .. "/" .. file
    at.path = at[engine_wanted] or at.all
end

-- The folder beside the script, or else in the working directory.
local function find(folder)
    local beside = folder:sub(1, 1) ~= "/" and script.folder()
    local path = beside and beside .. "/" .. folder or folder
    local names, why = folders.list(path)
    if not names and beside and folders.list(folder) then
        return folder, folders.list(folder)
    end
    return path, names or blame("db:migrate: %s: %s", path, why)
end

-- The migrations in a folder, in order, for an engine. One that is only for another is none.
function migrate.read(folder, engine)
    local by_number, list = {}, {}
    if type(folder) ~= "string" then
        blame("db:migrate: a folder is expected, got %s", type(folder))
    end
    local path, names = find(folder)
    for _, file in ipairs(names) do
        if file:find("%.sql$") then
            add(path, by_number, file, engine)
        end
    end
    for _, at in pairs(by_number) do
        if at.path then
            at.text = read_file(at.path)
            table.insert(list, at)
        end
    end
    table.sort(list, function(a, b) return a.number < b.number end)
    return list
end

-- The numbers that the database has; none where it has no table of them yet.
local function applied(connection, timeout)
    local ok, rows = pcall(connection.query, connection,
        "select number from moontrail_migrations", { n = 0 }, timeout)
    local numbers = {}
    for _, row in ipairs(ok and rows or {}) do
        numbers[row.number] = true
    end
    return numbers
end

-- The place of a problem in a migration's file.
local function locate(at, problem)
    if type(problem) ~= "table" or problem.kind ~= "sql" then
        return problem
    end
    local _, breaks = at.text:sub(1, (problem.position or 1) - 1):gsub("\n", "")
    local line = problem.position and ":" .. breaks + 1 or ""
    return errors.new("sql", ("%s%s: %s"):format(at.path, line, problem.message), {
        code = problem.code, constraint = problem.constraint, detail = problem.detail,
        position = problem.position })
end

local function apply(connection, at, timeout)
    connection:query(TABLE, { n = 0 }, timeout)
    local found = connection:query("select 1 from moontrail_migrations where number = $1",
        { n = 1, at.number }, timeout)
    if found[1] then
        return
    end
    local ok, problem = pcall(connection.script, connection, at.text, SECONDS)
    if not ok then
        error(locate(at, problem), 0)
    end
    connection:query("insert into moontrail_migrations values ($1, $2, $3)",
        { n = 3, at.number, at.name, os.date("!%Y-%m-%dT%H:%M:%SZ") }, timeout)
end

local function run_one(connection, at, timeout)
    connection:begin({})
    local ok, problem = pcall(apply, connection, at, timeout)
    if not ok then
        pcall(connection.rollback, connection)
        error(problem, 0)
    end
    connection:commit()
end

-- What of the lists has not run yet.
local function pending(connection, lists, timeout)
    local numbers, missing = applied(connection, timeout), {}
    for _, list in ipairs(lists) do
        for _, at in ipairs(list) do
            if not numbers[at.number] then
                table.insert(missing, at)
            end
        end
    end
    return missing
end

-- Runs what has not run yet, each in a transaction that looks once more, since another worker may
-- have been faster.
function migrate.run(db, lists)
    local held <close> = pool.lease(db)
    local connection = held.connection
    local missing = pending(connection, lists, db.timeout)
    local lock = missing[1] and connection.lock_migrations
    if lock then
        lock(connection)
    end
    for _, at in ipairs(missing) do
        run_one(connection, at, db.timeout)
    end
    if lock then
        connection:unlock_migrations()
    end
end

return migrate
