---@meta

-- An editor looks for a module under its file's name; what it has is told in ../moontrail.lua.

---@type moontrail.sql
local sql

return sql
