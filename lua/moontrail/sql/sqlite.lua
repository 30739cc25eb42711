-- The engine of moontrail.sql for SQLite, on moontrail.sqlite: see lua/moontrail/sql.lua.
-- Who writes waits for others that do: in turn within this worker, by trying again for the rest.
local errors = require "moontrail.runtime.errors"
local gates = require "moontrail.runtime.gate"
local mt = require "moontrail"
local script = require "moontrail.runtime.script"
local sqlite = require "moontrail.sqlite"

local blame = script.blame

local engine = {}

-- Seconds between two tries, from the first on.
local PAUSE_LEAST <const>, PAUSE_MOST <const> = 0.001, 0.05

-- Others hold the file for a while.
local busy = { SQLITE_BUSY = true, SQLITE_BUSY_RECOVERY = true, SQLITE_BUSY_TIMEOUT = true }

-- What to do about a file that cannot be used.
local cures = {
    SQLITE_CANTOPEN = "its folder has to be there, and the server has to be allowed to write to it",
    SQLITE_READONLY = "the server has to be allowed to write to the file and to its folder",
    SQLITE_NOTADB = "it is another program's, or encrypted: name a file of SQLite's",
    SQLITE_FULL = "make room on its disk",
    SQLITE_IOERR = "look at its disk: SQLite cannot read or write there",
    SQLITE_CORRUPT = "take it from a backup, or see .recover of the program sqlite3",
}

-- A database's file, and the options in its URL.
local function parse(url)
    local name, query = url:match("^sqlite:([^?]*)[?]?(.*)$")
    local synchronous = query:match("^synchronous=(%a+)$")
    if query ~= "" and synchronous ~= "full" and synchronous ~= "normal" then
        blame("%s: behind the ? there may be synchronous=full", url)
    end
    name = name:gsub("^//+", "/")
    local is_relative = name ~= "" and name:sub(1, 1) ~= "/"
    return { name = is_relative and "./" .. name or name, memory = name == "",
        full = synchronous == "full" }
end

-- The files of this worker, by name: the gate of those who write, and the task that does.
local files = {}

local function file_of(name)
    local file = files[name]
    if not file then
        file = { gate = gates.new(1) }
        files[name] = file
    end
    return file
end

-- Databases in memory, by the options of each: they last as long, by a connection that is kept.
local memories = setmetatable({}, { __mode = "k" })
local memory_count = 0

local function memory_of(options)
    local memory = memories[options]
    if not memory then
        memory_count = memory_count + 1
        memory = { name = ("file:/moontrail-%p-%d?vfs=memdb"):format(options, memory_count) }
        memories[options] = memory
    end
    return memory
end

-- The turn to write, which is given back where the variable closes.
local Turn = {}

function Turn:__close()
    local place = self.place
    if place then
        self.place, self.file.writer = nil, nil
        place:close()
    end
end

local Connection = {}
Connection.__index = Connection

local function cure_for(self, code)
    if self.reads and code == "SQLITE_READONLY" then
        return "its transaction is one with read=true"
    end
    return cures[code] or cures[code:match("^SQLITE_%u+")]
end

-- Raises a problem that a function of sqlite has given.
local function fail(self, problem, seconds)
    if type(problem) == "string" then
        blame("%s", problem)
    elseif problem.kind == "timeout" then
        problem.message = ("%s: still running after %g s"):format(self.url, seconds)
    else
        local cure = cure_for(self, problem.code)
        problem.message = cure and ("%s: %s: %s"):format(self.url, problem.message, cure)
            or problem.message
    end
    error(problem, 0)
end

local function give_up(self, seconds)
    local message = ("%s: others were writing to it for %g s"):format(self.url, seconds)
    error(errors.new("timeout", message, { code = "SQLITE_BUSY" }), 0)
end

-- Calls fn(left, ...) until it gives anything, or a problem other than that others are busy.
local function patiently(self, seconds, fn, ...)
    local deadline, pause = gates.now() + seconds, PAUSE_LEAST
    local result, more = fn(seconds, ...)
    while result == nil and busy[more.code] do
        local left = deadline - gates.now()
        if left <= 0 then
            give_up(self, seconds)
        end
        mt.sleep(math.min(left, pause * (0.5 + math.random() / 2)))
        pause = math.min(2 * pause, PAUSE_MOST)
        result, more = fn(math.max(deadline - gates.now(), PAUSE_LEAST), ...)
    end
    if result == nil then
        fail(self, more, seconds)
    end
    return result, more
end

-- Waits for the turn to write.
local function take_turn(self, turn, seconds)
    local file = self.file
    if file.writer == gates.task() then
        blame("this task has a transaction of %s open: write with that", self.url)
    end
    local place = file.gate:take(seconds)
    if not place then
        give_up(self, seconds)
    end
    turn.place, turn.file, file.writer = place, file, gates.task()
end

local function run_query(left, self, text, params, may_write)
    return self.handle:query(text, params, left, may_write)
end

local function check_transaction(self)
    if not self.handle:in_transaction() then
        error(errors.new("sql", "SQLite has rolled the transaction back, by the error before",
            { code = "SQLITE_ABORT_ROLLBACK" }), 0)
    end
end

-- Begins a statement: its first rows, and a cursor where there are more.
local function start(self, text, params, seconds, turn)
    local may_write = self.is_open
    if may_write then
        check_transaction(self)
    elseif self.handle:writes(text) then
        take_turn(self, turn, seconds)
        may_write = true
    end
    local rows, cursor = patiently(self, seconds, run_query, self, text, params, may_write)
    if rows == false then
        take_turn(self, turn, seconds)
        rows, cursor = patiently(self, seconds, run_query, self, text, params, true)
    end
    return rows, cursor
end

function Connection:query(text, params, seconds)
    local turn <close> = setmetatable({}, Turn)
    local deadline = gates.now() + seconds
    local rows, cursor = start(self, text, params, seconds, turn)
    while cursor do
        local more, problem = cursor:more(rows, deadline - gates.now())
        if more == nil then
            fail(self, problem, seconds)
        end
        cursor = more and cursor
    end
    return rows
end

-- Rows as they are asked for.
local Stream = {}
Stream.__index = Stream

function Connection:rows(text, params, seconds)
    local turn = setmetatable({}, Turn)
    if not self.is_open then
        self.turn = turn
    end
    local rows, cursor = start(self, text, params, seconds, turn)
    return setmetatable({ connection = self, turn = turn, rows = rows, at = 0, cursor = cursor,
        seconds = seconds, columns = rows.columns }, Stream)
end

function Stream:next()
    local row = self.rows[self.at + 1]
    if row then
        self.at = self.at + 1
        return row
    end
    local cursor = self.cursor
    if not cursor then
        return nil
    end
    local rows = {}
    local more, problem = cursor:more(rows, self.seconds)
    self.cursor = more and cursor or nil
    if more == nil then
        fail(self.connection, problem, self.seconds)
    end
    self.rows, self.at = rows, 0
    return self:next()
end

function Stream:close()
    local cursor = self.cursor
    self.cursor, self.rows, self.at = nil, {}, 0
    if cursor then
        cursor:close()
    end
    Turn.__close(self.turn)
end

local function run_script(left, self, text)
    return self.handle:script(text, left)
end

function Connection:script(text, seconds)
    patiently(self, seconds, run_script, self, text)
end

-- SQLite's transactions are serializable, whichever isolation is asked for.
function Connection:begin(options)
    self.turn, self.reads = setmetatable({}, Turn), options.read
    if self.reads then
        self:script("begin; pragma query_only = on", self.seconds)
    else
        take_turn(self, self.turn, self.seconds)
        self:script("begin immediate", self.seconds)
    end
    self.is_open = true
end

local function let_go(self)
    self.is_open, self.reads = false, nil
    if self.turn then
        Turn.__close(self.turn)
    end
end

local function end_by(self, text)
    self:script((self.reads and "pragma query_only = off; " or "") .. text, self.seconds)
    let_go(self)
end

function Connection:commit()
    check_transaction(self)
    end_by(self, "commit")
end

function Connection:rollback()
    if self.handle:in_transaction() then
        end_by(self, "rollback")
    end
end

function Connection:in_transaction()
    return self.handle:in_transaction()
end

function Connection:usable()
    let_go(self)
    return self.handle:usable()
end

function Connection:close()
    let_go(self)
    self.handle:close()
end

function engine.check(url)
    parse(url)
end

function engine.max(url)
    return parse(url).memory and 1 or nil
end

-- Others have changed what this transaction had read.
function engine.is_serialization(problem)
    return problem.code == "SQLITE_BUSY_SNAPSHOT"
end

local function open(left, name, parsed)
    return sqlite.open(name, parsed, left)
end

function engine.connect(url, options)
    local parsed = parse(url)
    local name, seconds = parsed.name, options.timeout
    local self = setmetatable({ url = url, seconds = seconds }, Connection)
    if parsed.memory then
        local memory = memory_of(options)
        name = memory.name
        memory.kept = memory.kept or patiently(self, seconds, open, name, parsed)
    end
    self.file = file_of(name)
    self.handle = patiently(self, seconds, open, name, parsed)
    return self
end

return engine
