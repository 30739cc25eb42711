-- Percent-encoding (RFC 3986, 2.1).
local percent = {}

local function byte_of(digits)
    return string.char(tonumber(digits, 16))
end

-- What stands for no byte stays as it is.
function percent.decode(text)
    return (text:gsub("%%(%x%x)", byte_of))
end

return percent
