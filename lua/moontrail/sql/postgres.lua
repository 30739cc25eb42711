-- PostgreSQL for moontrail.sql: statements that are kept prepared, and transactions, over
-- the links of moontrail.postgres (lua/modules/postgres), which do the waiting.
local json = require "moontrail.json"
local errors = require "moontrail.runtime.errors"
local script = require "moontrail.runtime.script"
local links = require "moontrail.postgres"
local copies = require "moontrail.sql.postgres_copy"
local listeners = require "moontrail.sql.postgres_listener"
local urls = require "moontrail.sql.postgres_url"
local tables = require "moontrail.sql.postgres_tables"

local blame = script.blame

local M = {null = json.null}

links.use {decode = json.decode, null = json.null, write = tables.write, blame = blame}

-- Statements that a connection keeps, and the longest text of one, in bytes.
local STATEMENTS <const>, LONGEST <const> = 200, 16384
-- Types that users have made begin here.
local OF_USERS <const> = 16384
-- Where a connection ends without a word, a query under way ends so much later, in milliseconds.
local CHECKED <const> = 1000

local Connection = {}
Connection.__index = Connection

-- Opening.

-- A setting of the session's own: servers before 14 have none of that name, and behind a pooler the
-- session is somebody else's next.
local function watch_client(link, seconds)
    local ok, problem = pcall(link.execute, link,
        "SET client_connection_check_interval = " .. CHECKED, seconds)
    if not ok and problem.kind ~= "sql" then error(problem, 0) end
end

function M.check(url)
    local ok, problem = pcall(urls.parse, url)
    if not ok then blame("sql.open: %s", tostring(problem)) end
end

function M.connect(url)
    local where = urls.parse(url)
    local link = links.connect(urls.resolve(where), where.seconds)
    local self = setmetatable({link = link, keeps = where.prepare, statements = {}, count = 0,
        uses = 0, elements = {}, bases = {}}, Connection)
    link:elements(self.elements)
    if self.keeps then watch_client(link, where.seconds) end
    return self
end

-- Statements.

local TYPES <const> = [[
SELECT t.oid::int8 AS oid, t.typbasetype::int8 AS base, a.typcategory = 'A' AS is_array,
       coalesce(nullif(e.typbasetype, 0), e.oid)::int8 AS element
FROM pg_type t JOIN pg_type a ON a.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
     LEFT JOIN pg_type e ON e.oid = a.typelem
WHERE t.oid = ANY ($1::oid[])]]

local function add_unknown(self, list, types)
    for at = 1, #types, 4 do
        local type = string.unpack("=I4", types, at)
        if type >= OF_USERS and not self.elements[type] then list[#list + 1] = type end
    end
end

-- Asks for the types among them that users have made, and that are not known yet.
local function learn_types(self, parameters, columns, seconds)
    local list = {}
    add_unknown(self, list, parameters)
    add_unknown(self, list, columns)
    if #list == 0 then return end
    local found = self.link:run(TYPES, nil, {n = 1, "{" .. table.concat(list, ",") .. "}"}, seconds)
    for _, type in ipairs(list) do self.elements[type] = 0 end
    for _, row in ipairs(found) do
        if row.is_array then self.elements[row.oid] = row.element end
        if row.base ~= 0 then self.bases[row.oid] = row.base end
    end
end

-- With the type of which a domain is in its place.
local function without_domains(self, types)
    if not next(self.bases) then return types end
    return (types:gsub("....", function(bytes)
        local base = self.bases[string.unpack("=I4", bytes)]
        return base and string.pack("=I4", base)
    end))
end

local function forget(self, text)
    self.statements[text] = nil
    self.count = self.count - 1
end

-- The server has said, outside of a transaction, that a statement is none any more: all are gone,
-- or what it reads has other columns.
local function forget_stale(self, text, code, seconds)
    local s = self.statements[text]
    if code == "26000" then
        self.statements, self.count = {}, 0
    elseif s then
        forget(self, text)
        self.link:execute("DEALLOCATE " .. s.name, seconds)
    end
end

local function drop_oldest(self, seconds)
    local oldest
    for text, s in pairs(self.statements) do
        if not oldest or s.used < self.statements[oldest].used then oldest = text end
    end
    local name = self.statements[oldest].name
    forget(self, oldest)
    self.link:execute("DEALLOCATE " .. name, seconds)
end

local function prepare(self, text, seconds)
    local kept = #text <= LONGEST
    if kept and self.count >= STATEMENTS then drop_oldest(self, seconds) end
    self.uses = self.uses + 1
    local s = {name = kept and "mt" .. self.uses or "", used = self.uses}
    local types, columns = self.link:prepare(s.name, text, seconds)
    if kept then
        self.statements[text] = s
        self.count = self.count + 1
    end
    learn_types(self, types, columns, seconds)
    -- A statement without a name is that of the question about types now.
    if not kept then self.link:prepare("", text, seconds) end
    s.types = without_domains(self, types)
    return s
end

-- A statement, and what is left of the seconds.
local function statement(self, text, seconds)
    local s = self.statements[text]
    if s and s.types then
        self.uses = self.uses + 1
        s.used = self.uses
        return s, seconds
    end
    local begun = links.now()
    s = prepare(self, text, seconds)
    return s, seconds and math.max(0, seconds - (links.now() - begun))
end

function Connection:query(text, params, seconds)
    local link = self.link
    if not self.keeps then return link:run(text, nil, params, seconds) end
    local s, left = statement(self, text, seconds)
    local result, stale = link:run(s.name, s.types, params, left)
    if result then return result end
    forget_stale(self, text, stale, left)
    s, left = statement(self, text, left)
    return link:run(s.name, s.types, params, left, true)
end

-- Several statements, without parameters.
function Connection:script(text, seconds)
    return self.link:execute(text, seconds)
end

-- Row by row.

local Stream = {}
Stream.__index = Stream

local function start(self, text, params, seconds, is_new)
    local name, types, left = text, nil, seconds
    if self.keeps then
        local s
        s, left = statement(self, text, seconds)
        name, types = s.name, s.types
    end
    self.link:start(name, types, params, left, is_new)
    return self.link:fetch(left)
end

function Connection:rows(text, params, seconds)
    local first, stale = start(self, text, params, seconds)
    if stale then
        forget_stale(self, text, stale, seconds)
        first = start(self, text, params, seconds, true)
    end
    return setmetatable({link = self.link, seconds = seconds, columns = self.link:columns() or {},
        first = first, over = first == nil}, Stream)
end

function Stream:next()
    if self.over then return nil end
    local row = self.first
    if row then
        self.first = nil
        return row
    end
    row = self.link:fetch(self.seconds)
    self.over = row == nil
    return row
end

function Stream:close()
    if self.over then return end
    self.over = true
    self.link:drain()
end

-- Transactions.

local ISOLATION <const> = {
    ["serializable"] = "SERIALIZABLE",
    ["repeatable read"] = "REPEATABLE READ",
    ["read committed"] = "READ COMMITTED",
    ["read uncommitted"] = "READ UNCOMMITTED",
}

function Connection:begin(options)
    local text = "BEGIN"
    local isolation = options and options.isolation
    if isolation then
        local known = ISOLATION[tostring(isolation):lower():gsub("_", " ")]
        if not known then
            blame("there is no isolation \"%s\"", tostring(isolation))
        end
        text = text .. " ISOLATION LEVEL " .. known
    end
    if options and options.read then text = text .. " READ ONLY" end
    self.link:execute(text, options and options.timeout)
end

-- COMMIT of a transaction that has failed is a ROLLBACK, of which the server makes no error.
function Connection:commit(seconds)
    if self.link:state() == "failed" then
        self.link:execute("ROLLBACK", seconds)
        local text = "the transaction has failed, and was rolled back"
        error(errors.new("sql", text, {code = "25P02"}), 0)
    end
    self.link:execute("COMMIT", seconds)
end

function Connection:rollback(seconds)
    self.link:execute("ROLLBACK", seconds)
end

function Connection:in_transaction()
    local state = self.link:state()
    return state == "transaction" or state == "failed"
end

function M.is_serialization(problem)
    return type(problem) == "table" and problem.kind == "sql"
        and (problem.code == "40001" or problem.code == "40P01")
end

-- A number that stands for migrations: "moontrail" in base 36, cut to 63 bits.
local MIGRATIONS <const> = tonumber("moontrail", 36)

-- As long as it takes: others migrate meanwhile.
function Connection:lock_migrations()
    self.link:execute("SELECT pg_advisory_lock(" .. MIGRATIONS .. ")")
end

function Connection:unlock_migrations(seconds)
    self.link:execute("SELECT pg_advisory_unlock(" .. MIGRATIONS .. ")", seconds)
end

-- Life.

function Connection:usable()
    local state = self.link:state()
    return state == "idle" or state == "busy" and self.link:drain() and self.link:state() == "idle"
end

function Connection:alive()
    return self.link:alive()
end

function Connection:close()
    self.link:close()
end

function Connection:copy(text, seconds, done)
    return copies.start(self.link, text, seconds, done)
end

function M.listen(db, channel)
    return listeners.new(M.connect, db, channel)
end

return M
