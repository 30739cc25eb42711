-- What the functions of moontrail.sql take, and what they make of results.
local json = require "moontrail.json"
local script = require "moontrail.runtime.script"

local blame = script.blame

local check = {}

function check.text(text)
    if type(text) ~= "string" then
        blame("the text of a statement is a string, not a %s", type(text))
    end
end

function check.fn(fn)
    if type(fn) ~= "function" then
        blame("transaction: a function is expected, got %s", type(fn))
    end
end

local isolations = {
    ["read committed"] = true, ["repeatable read"] = true, ["serializable"] = true,
}

-- The options of a transaction, and how often it is tried again.
function check.transaction(options)
    for name in pairs(options) do
        if name ~= "isolation" and name ~= "read" and name ~= "retry" then
            blame("transaction: there is no option \"%s\"", name)
        end
    end
    if options.isolation ~= nil and not isolations[options.isolation] then
        blame("transaction: isolation is \"read committed\", \"repeatable read\" or "
            .. "\"serializable\"")
    end
    local retry = options.retry or 3
    if math.type(retry) ~= "integer" or retry < 0 then
        blame("transaction: retry is an integer from 0 on")
    end
    return retry
end

function check.copy(connection, text, timeout, done)
    if not connection.copy then
        blame("copy is PostgreSQL's: this database has none")
    end
    return connection:copy(text, timeout, done)
end

local array = getmetatable(json.array())

-- The rows alone, which are an array in JSON too: what else there is to tell is in a metatable.
function check.rows(rows)
    local info = { columns = rows.columns, affected = rows.affected }
    info.__index = info
    rows.columns, rows.affected = nil, nil
    return setmetatable(rows, setmetatable(info, array))
end

-- Methods of databases and of transactions alike.

function check.row(self, text, ...)
    return self:query(text, ...)[1]
end

function check.value(self, text, ...)
    local rows = self:query(text, ...)
    return rows[1] and rows[1][rows.columns[1]]
end

return check
