-- What the largest message of each pattern costs: no more for a byte than a small one of it does,
-- whether it is read or refused. Each pattern is the worst that a part of the decoder can be given.
local cost = require "_cost"
local pb = require "moontrail.protobuf"
local check = require "_check"

-- As many fields, from that number on.
local function fields(label, first, last)
    local list = {}
    for i = first, last do
        list[#list + 1] = ("%s int32 f%d = %d;"):format(label, i, i)
    end
    return table.concat(list, " ")
end

local schema = pb.parse(([[
    syntax = "proto2";
    message Many { oneof o { %s } }
    message Wide { %s oneof o { %s } }
    message Sub { optional Sub sub = 1; repeated Sub subs = 2; optional Many many = 3;
        map<int32, Sub> map = 4; map<int64, bool> plain = 5;
        repeated int32 packed = 6 [packed = true];
        map<string, Sub> names = 7; optional Filled filled = 8; repeated Filled filleds = 9;
        optional Loose loose = 10; repeated Loose looses = 11; repeated int32 unpacked = 12;
        optional Wide wide = 13; map<int32, Many> choices = 14; map<int64, bool> other = 15;
        repeated Doubly doubly = 16; optional string text = 17; }
    message Doubly { optional Many many = 1; }
    message Filled { repeated int32 a = 1; repeated int32 b = 2; repeated int32 c = 3;
        repeated int32 d = 4; repeated int32 e = 5; repeated int32 f = 6; repeated int32 g = 7; }
    message Needy { required int32 a = 1; }
    message Loose { optional Needy needy = 500; %s }
]]):format(fields("", 1, 200), fields("optional", 1, 127), fields("", 201, 400),
    fields("optional", 1, 400)), "linear.proto")
local Sub = schema:message("Sub")

local function varint(n)
    local bytes = {}
    while n < 0 or n > 127 do
        bytes[#bytes + 1] = string.char(n & 127 | 128)
        n = n >> 7
    end
    return table.concat(bytes) .. string.char(n)
end

local function field(number, bytes)
    return varint(number << 3 | 2) .. varint(#bytes) .. bytes
end

-- The message of about that size that repeats an element; each is made from its number.
local function many(size, make)
    local list, length, i = {}, 0, 0
    while length < size do
        i = i + 1
        list[i] = make(i)
        length = length + #list[i]
    end
    return table.concat(list)
end

local function rep(element)
    return function(size)
        return element:rep(size // #element)
    end
end

local function entry(number, key)
    return field(number, "\x08" .. varint(key) .. "\x10\x01")
end

-- The lowest key that Lua puts into one slot with all of its multiples, for that many keys.
local function step(count)
    local slots = 1
    while slots < count do
        slots = slots * 2
    end
    return slots - 1
end

local pair = "\x08\x01\x10\x01"

local patterns = {
    oneof = function(size)
        return field(3, pair:rep(size // 4))
    end,
    ["oneof merged"] = function(size)
        return field(3, "") .. field(3, pair:rep(size // 4))
    end,
    ["oneof merged often"] = rep(field(3, "\x08\x01") .. field(3, "\x10\x01")),
    ["oneof in each element"] = rep(field(16, field(1, "") .. field(1, ""))),
    ["oneof of a wide message"] = function(size)
        local all = {}
        for i = 1, 127 do
            all[i] = varint(i << 3) .. "\x01"
        end
        return field(13, table.concat(all) .. many(size, function(i)
            return varint((201 + i % 200) << 3) .. "\x01"
        end))
    end,
    ["oneof in values"] = rep(field(14, field(2, "\x08\x01") .. field(2, "\x10\x01"))),
    ["keys of one slot"] = function(size)
        local one = step(size // 10)
        return many(size, function(i)
            return entry(5, i * one)
        end)
    end,
    ["keys of one slot of many sizes"] = function(size)
        local one = 4095 * 8191 * 32767
        return many(size, function(i)
            return entry(5, i * one)
        end)
    end,
    ["keys of one slot, by turns"] = function(size)
        local one = step(size // 20)
        return many(size, function(i)
            return entry(5, i * one) .. entry(15, i * one)
        end)
    end,
    ["ordinary keys"] = function(size)
        return many(size, function(i)
            return entry(5, i)
        end)
    end,
    ["ordinary keys, by turns"] = function(size)
        return many(size, function(i)
            return entry(5, i) .. entry(15, -i)
        end)
    end,
    ["one key"] = rep(entry(5, 7)),
    ["maps merged often"] = rep(field(1, entry(5, 1) .. entry(5, 2))),
    ["empty entries"] = rep(field(4, "")),
    ["values given twice"] = rep(field(4, field(2, "") .. field(2, ""))),
    ["keys that are strings"] = function(size)
        return many(size, function(i)
            return field(7, field(1, tostring(i)))
        end)
    end,
    ["empty elements"] = rep(field(2, "")),
    ["elements of empty lists"] = rep(field(9, "")),
    ["elements that may lack something"] = rep(field(11, "")),
    ["merged"] = rep(field(1, "")),
    ["merged and deep"] = function(size)
        local one = ""
        for _ = 1, 60 do
            one = field(1, one)
        end
        return one:rep(size // #one)
    end,
    ["deep elements"] = function(size)
        local one = ""
        for _ = 1, 60 do
            one = field(2, one)
        end
        return one:rep(size // #one)
    end,
    packed = function(size)
        return field(6, ("\0"):rep(size))
    end,
    ["packed by pieces"] = rep(field(6, "\0")),
    ["not packed"] = rep("\x60\0"),
    ["lists by turns"] = rep("\x60\0" .. field(6, "\0")),
    ["unknown fields"] = rep("\xa0\x06\0"),
    ["unknown groups"] = rep("\xa3\x06\xa4\x06"),
    text = function(size)
        return field(17, ("é"):rep(size // 2))
    end,
    texts = rep(field(17, "abc")),
}

for name, make in pairs(patterns) do
    cost.check(name, make, function(bytes)
        Sub:decode(bytes)
    end)
end

return check.done
