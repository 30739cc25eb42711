-- What no other worker has: their own random numbers are the same in all that were forked together.
local token = {}

local state, name, count

local function begin()
    local file <close> = assert(io.open("/dev/urandom", "rb"))
    state = ("i8"):unpack(file:read(8)) | 1
    name = file:read(12):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
    count = 0
end

-- A text that nobody makes again.
function token.new()
    if not name then
        begin()
    end
    count = count + 1
    return name .. "." .. count
end

-- A fraction from 0 up to 1, for waits that should not be those of others (xorshift).
function token.fraction()
    if not state then
        begin()
    end
    state = state ~ state << 13
    state = state ~ state >> 7
    state = state ~ state << 17
    return (state >> 11) * 0x1p-53
end

return token
