-- The same as _linear.lua of the other modules that scripts hand a peer's bytes to.
local cost = require "_cost"
local check = require "_check"
local json = require "moontrail.json"
local zlib = require "moontrail.zlib"

local function rep(element)
    return function(size)
        return element:rep(size // #element)
    end
end

local function list(element)
    return function(size)
        return "[" .. (element .. ","):rep(size // (#element + 1)) .. element .. "]"
    end
end

local function keys(make)
    return function(size)
        local entries, length, i = {}, 0, 0
        while length < size do
            i = i + 1
            entries[i] = make(i)
            length = length + #entries[i] + 1
        end
        return "{" .. table.concat(entries, ",") .. "}"
    end
end

local function deep(element, last)
    return function(size)
        local one = element:rep(90) .. last:rep(90)
        return "[" .. (one .. ","):rep(size // (#one + 1)) .. "0]"
    end
end

local documents = {
    ["empty objects"] = list("{}"),
    ["empty arrays"] = list("[]"),
    ["objects of one key"] = list('{"":0}'),
    ["arrays of one element"] = list("[0]"),
    numbers = list("0"),
    reals = list("1e9"),
    texts = list('""'),
    nulls = list("null"),
    keys = keys(function(i) return ('"%d":0'):format(i) end),
    ["one key"] = keys(function() return '"a":0' end),
    ["long keys"] = keys(function(i) return ('"%d%s":0'):format(i, ("x"):rep(50)) end),
    ["deep arrays"] = deep("[", "]"),
    ["deep objects"] = deep('{"a":[', "]}"),
    ["a long text"] = function(size) return '"' .. ("é"):rep(size // 2) .. '"' end,
    ["a long number"] = function(size) return ("1"):rep(size) end,
    ["a long fraction"] = function(size) return "0." .. ("1"):rep(size) end,
    escapes = function(size) return '"' .. ("\\u00e9\\n"):rep(size // 8) .. '"' end,
    pairs = function(size) return '"' .. ("\\ud83c\\udf19"):rep(size // 12) .. '"' end,
    backslashes = rep("\\"),
    ["a text without an end"] = function(size) return '"' .. ("a"):rep(size) end,
    ["escapes without an end"] = function(size) return '"' .. ("\\n"):rep(size // 2) end,
    brackets = rep("["),
    space = rep(" "),
    ["bytes behind the end"] = function(size) return "0" .. (" "):rep(size) .. "x" end,
}

for name, make in pairs(documents) do
    cost.check("json.decode: " .. name, make, function(text)
        json.decode(text)
    end)
end

local all = {}
for name, make in pairs(documents) do
    cost.check("json.encode: " .. name, make, function(text)
        all[text] = all[text] or { pcall(json.decode, text) }
        json.encode(all[text][2])
    end)
    all = {}
end

-- Of bytes that no code is shorter for.
local function noise(size)
    local parts, n = {}, 1
    for i = 1, size // 8 do
        n = n * 6364136223846793005 + 1442695040888963407
        parts[i] = string.pack("<i8", n ~ n >> 31)
    end
    return table.concat(parts)
end

local member = zlib.compress("")
local streams = {
    noise = function(size) return zlib.compress(noise(size)) end,
    ["empty members"] = rep(member),
    ["short members"] = rep(zlib.compress("a")),
    ["empty blocks"] = function(size) return "\x78\x9c" .. ("\0\0\0\xff\xff"):rep(size // 5) end,
    ["a long name"] = function(size)
        return member:sub(1, 3) .. "\8" .. member:sub(5, 10) .. ("x"):rep(size)
    end,
    ["no stream"] = rep("x"),
}

for name, make in pairs(streams) do
    cost.check("zlib.decompress: " .. name, make, function(bytes)
        zlib.decompress(bytes)
    end)
    cost.check("zlib.inflate, in pieces: " .. name, make, function(bytes)
        local stream <close> = zlib.inflate()
        for at = 1, #bytes, 1000 do
            stream:write(bytes:sub(at, at + 999))
        end
    end)
end

return check.done
