--[[
The module moontrail.sql: databases, with a pool of connections for each.

What differs between databases is an engine's, a module that is loaded with the first of its URLs:

    engine.check(url)                optional: blames the script for a URL that is wrong
    engine.max(url)                  optional: how many connections there may be at the most
    engine.connect(url, options)     a connection; options is the database's own table, with timeout
    engine.is_serialization(problem) whether the transaction may do better if it is tried again
    engine.listen(db, channel)       optional: db:listen

    connection:query(text, params, timeout)   { columns=, affected=, row1, row2, … }
    connection:rows(text, params, timeout)    a stream: columns, next() → a row or nil, close()
    connection:script(text, timeout)          statements without parameters, in the open transaction
    connection:begin{ isolation=, read= }, connection:commit(), connection:rollback()
    connection:in_transaction()               whether one is open
    connection:usable()   ends what is open, without waiting; whether the pool may have it back
    connection:close()    never waits; what is under way is cancelled
    connection:alive()    optional: whether a connection that was idle can still be used
    connection:copy(text, timeout, done)      optional: db:copy; calls done once it has ended
    connection:lock_migrations(), connection:unlock_migrations()   optional: among all servers

params is { n = count, [i] = value }, with sql.null for NULL; a row is a table by column, without
those that are NULL. What waits raises errors as values, of the kinds "sql", "unreachable",
"timeout"; a commit that the database turns into a rollback raises, too. Where a wait ends early the
engine cancels what was under way.
]]
local Database = require "moontrail.sql.database"
local gates = require "moontrail.runtime.gate"
local json = require "moontrail.json"
local script = require "moontrail.runtime.script"

local blame = script.blame

local sql = { null = json.null }

local engines = {
    sqlite = { name = "sqlite", module = "moontrail.sql.sqlite" },
    postgres = { name = "postgres", module = "moontrail.sql.postgres" },
}
engines.postgresql = engines.postgres

local MOST <const> = 100000000
local defaults = { max = 10, idle = 60, timeout = 30 }

-- Bytes, where a string might be taken for text.
function sql.bytes(s)
    if type(s) ~= "string" then
        blame("sql.bytes: a string is expected, got %s", type(s))
    end
    return { bytes = s }
end

-- A URL without its password.
local function show(url)
    local scheme, rest = url:match("^(%a+://)(.*)$")
    local at = rest and rest:find("@", 1, true)
    if at then
        url = scheme .. rest:sub(1, at - 1):match("^[^:]*") .. rest:sub(at)
    end
    return (url:gsub("password=[^&]*", "password=***"))
end

local function load_engine(url)
    local engine = engines[url:match("^(%a+):") or ""]
    if not engine then
        blame("sql.open: %s: a database is sqlite:FILE or postgres://…", show(url))
    end
    local ok, result = pcall(require, engine.module)
    if not ok then
        blame("sql.open: %s: moontrail/%s.so, which comes with the server, cannot be used: %s",
            show(url), engine.name, tostring(result):match("[^\n]*"))
    end
    return result, engine.name
end

local function check_options(given)
    local options = {}
    for name, value in pairs(given or {}) do
        if not defaults[name] then
            blame("sql.open: there is no option \"%s\"", name)
        elseif type(value) ~= "number" or value <= 0 or value > MOST or value ~= value then
            blame("sql.open: %s is a number above 0, up to %d", name, MOST)
        end
        options[name] = value
    end
    for name, value in pairs(defaults) do
        options[name] = options[name] or value
    end
    if math.type(options.max) ~= "integer" then
        blame("sql.open: max is an integer")
    end
    return options
end

function sql.open(url, options)
    if type(url) ~= "string" or options ~= nil and type(options) ~= "table" then
        blame("sql.open: a URL is expected, and perhaps a table of options")
    end
    local engine, name = load_engine(url)
    if engine.check then
        engine.check(url)
    end
    options = check_options(options)
    local max = math.min(options.max, engine.max and engine.max(url) or options.max)
    return setmetatable({ url = url, shown = show(url), engine = engine, engine_name = name,
        options = options, timeout = options.timeout, max = max, gate = gates.new(max), idle = {},
        transactions = {} }, Database)
end

return sql
