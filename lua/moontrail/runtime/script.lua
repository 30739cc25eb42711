-- The script that called into these modules: its file, and its line for errors that are its own.
local script = {}

-- The innermost frame that is neither ours nor C; nil for none.
local function find_frame()
    local level = 1
    local info = debug.getinfo(level, "Sl")
    while info and (info.what == "C" or info.source:find("^=moontrail/")) do
        level = level + 1
        info = debug.getinfo(level, "Sl")
    end
    return info
end

-- A line of a function's file, whose path Lua itself would cut short.
local function show(info, line)
    return ("%s:%d"):format(info.source:match("^[@=](.*)") or info.short_src, line)
end

-- The line of the script that runs; nil where none does.
function script.line()
    local info = find_frame()
    return info and show(info, info.currentline)
end

-- The line where a function begins.
function script.line_of(fn)
    local info = debug.getinfo(fn, "S")
    return show(info, info.linedefined)
end

-- Raises an error at the line of the script.
function script.blame(format, ...)
    local info = find_frame()
    local place = info and show(info, info.currentline) .. ": " or ""
    error(place .. format:format(...), 0)
end

-- The text of an error or a message, which a script may make of anything; nil for a table that
-- has none but its address.
function script.text(value)
    local text = tostring(value)
    if type(value) == "table" and text:find(("%p"):format(value), 1, true) then
        return nil
    end
    return text
end

-- The folder of the script's file.
function script.folder()
    local info = find_frame()
    local source = info and info.source or ""
    return source:match("^@(.*)/") or source:match("^@") and "." or nil
end

return script
