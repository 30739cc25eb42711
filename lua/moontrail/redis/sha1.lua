-- SHA-1 (FIPS 180-4) as lower-case hexadecimal: the name by which Redis knows a script.

local function rotate(x, n)
    return (x << n | x >> (32 - n)) & 0xffffffff
end

-- The 80 words of a block.
local function expand(text, at)
    local w = { (">I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4"):unpack(text, at) }
    for i = 17, 80 do
        w[i] = rotate(w[i - 3] ~ w[i - 8] ~ w[i - 14] ~ w[i - 16], 1)
    end
    return w
end

-- The function and the constant of a round, from 1.
local function mix(round, b, c, d)
    if round <= 20 then
        return (b & c | ~b & d) + 0x5a827999
    elseif round <= 40 then
        return (b ~ c ~ d) + 0x6ed9eba1
    elseif round <= 60 then
        return (b & c | b & d | c & d) + 0x8f1bbcdc
    end
    return (b ~ c ~ d) + 0xca62c1d6
end

local function digest_block(h, text, at)
    local w = expand(text, at)
    local a, b, c, d, e = table.unpack(h)
    for i = 1, 80 do
        local f = rotate(a, 5) + mix(i, b, c, d) + e + w[i]
        a, b, c, d, e = f & 0xffffffff, a, rotate(b, 30), c, d
    end
    for i, word in ipairs { a, b, c, d, e } do
        h[i] = h[i] + word & 0xffffffff
    end
end

return function(text)
    local h = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 }
    local zeros = ("\0"):rep((55 - #text) % 64)
    local padded = text .. "\x80" .. zeros .. (">I8"):pack(#text * 8)
    for at = 1, #padded, 64 do
        digest_block(h, padded, at)
    end
    return ("%08x%08x%08x%08x%08x"):format(table.unpack(h))
end
