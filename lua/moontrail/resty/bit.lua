-- LuaJIT's module `bit`: numbers of 32 bits, with a sign.
local bit = {}

local function signed(n)
    n = n & 0xffffffff
    return n >= 0x80000000 and n - 0x100000000 or n
end

local function whole(n)
    return math.tointeger(n) or math.floor(n + 0.5) | 0
end

function bit.tobit(n)
    return signed(whole(n))
end

function bit.bnot(n)
    return signed(~whole(n))
end

local function fold(combine)
    return function(first, ...)
        local n = whole(first)
        for _, more in ipairs { ... } do
            n = combine(n, whole(more))
        end
        return signed(n)
    end
end

bit.band = fold(function(a, b) return a & b end)
bit.bor = fold(function(a, b) return a | b end)
bit.bxor = fold(function(a, b) return a ~ b end)

function bit.lshift(n, by)
    return signed(whole(n) << (whole(by) & 31))
end

function bit.rshift(n, by)
    return signed((whole(n) & 0xffffffff) >> (whole(by) & 31))
end

function bit.arshift(n, by)
    return signed(signed(whole(n)) // (1 << (whole(by) & 31)))
end

function bit.rol(n, by)
    n, by = whole(n) & 0xffffffff, whole(by) & 31
    return signed(n << by | n >> (32 - by))
end

function bit.ror(n, by)
    return bit.rol(n, 32 - (whole(by) & 31))
end

function bit.bswap(n)
    return signed((string.unpack("<I4", string.pack(">I4", whole(n) & 0xffffffff))))
end

-- The last digits, eight unless told otherwise; a negative number of them gives large letters.
function bit.tohex(n, digits)
    digits = digits or 8
    local text = string.format(digits < 0 and "%08X" or "%08x", whole(n) & 0xffffffff)
    return text:sub(-math.min(math.abs(digits), 8))
end

return bit
