-- The database, with the tables that ../migrations makes.
local sql = require "moontrail.sql"

local db = sql.open(os.getenv "DATABASE_URL" or "sqlite:notes.db")
db:migrate "../migrations"

return db
