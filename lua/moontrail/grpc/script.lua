-- The script that called into these modules: its file, and its line for errors that are its own.
local script = {}

-- The first level above the caller of whoever calls that is neither ours nor C; nil for none.
local function find_level()
    local level = 3
    local info = debug.getinfo(level, "S")
    while info and (info.what == "C" or info.source:find("^=moontrail/")) do
        level = level + 1
        info = debug.getinfo(level, "S")
    end
    return info and level - 1, info
end

-- Raises an error at the line of the script, whose path Lua itself would cut short.
function script.blame(format, ...)
    local level, info = find_level()
    local text = format:format(...)
    if info and info.source:find("^@") then
        local line = debug.getinfo(level, "l").currentline
        error(("%s:%d: %s"):format(info.source:sub(2), line, text), 0)
    end
    error(text, level or 0)
end

-- The folder of the script's file.
function script.folder()
    local _, info = find_level()
    local source = info and info.source or ""
    return source:match("^@(.*)/[^/]*$") or source:match("^@") and "." or nil
end

return script
