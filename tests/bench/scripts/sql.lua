-- One row by its key, from the database that the query names.
local sql = require "moontrail.sql"

local statement <const> = "select greeting from greetings where id = $1"
local url = "postgres://bench@127.0.0.1:%d/postgres?sslmode=disable"
local postgres = sql.open(url:format(tonumber(os.getenv "POSTGRES_PORT") or 5432))
local sqlite = sql.open "sqlite:"
local is_filled = false

local function fill()
    is_filled = true
    sqlite:query("create table greetings (id integer primary key, greeting text)")
    sqlite:query("insert into greetings values (7, 'Hello world\n')")
end

return function(ctx)
    if ctx.query == "sqlite" then
        if not is_filled then
            fill()
        end
        ctx:text(sqlite:value(statement, 7))
    else
        ctx:text(postgres:value(statement, 7))
    end
end
