-- How values, times and patterns are written for Redis: an integer is its decimal digits, a string
-- has a tag in front.
local value = {}

local TAG = "'"

function value.encode(v)
    if math.type(v) == "integer" then
        return ("%d"):format(v)
    end
    return TAG .. v
end

-- What another program has written there without a tag is a string as it is.
function value.decode(text)
    if text == nil then
        return nil
    elseif text:sub(1, 1) == TAG then
        return text:sub(2)
    end
    return text:find("^-?%d+$") and math.tointeger(tonumber(text)) or text
end

-- Beyond it a time is none that anybody waits for.
local TIME_MAX = 1 << 51

function value.milliseconds(seconds)
    local ms = seconds * 1000
    return ms >= TIME_MAX and TIME_MAX or math.max(1, math.ceil(ms))
end

function value.escape_pattern(text)
    return (text:gsub("[%*%?%[%]\\]", "\\%0"))
end

return value
