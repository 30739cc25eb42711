-- The same as _linear.lua of what a gRPC peer says beside its messages: metadata, and the details
-- of a status.
local cost = require "_cost"
local check = require "_check"
local details = require "moontrail.grpc.details"
local metadata = require "moontrail.grpc.metadata"
local pb = require "moontrail.protobuf"

local schema = pb.parse('syntax = "proto3"; message M { repeated M m = 1; }', "m.proto")

-- 16 times what a head may have by default.
local SIZES = { 1048576 }

local function rep(element)
    return function(size)
        return element:rep(size // #element)
    end
end

local function around(first, element, last)
    return function(size)
        return first .. element:rep(size // #element) .. last
    end
end

-- One field of that value, and that value cut into as many fields.
local values = {
    ["empty members"] = rep(",,"),
    ["members of white space"] = rep(" \t,"),
    ["white space within"] = around("a", " ", "b"),
    ["white space between"] = rep("a , "),
    ["white space alone"] = rep(" "),
    members = rep("YWJj,"),
    ["one long member"] = rep("YWJj"),
    padding = rep("="),
    ["padding within"] = around("YWJj", "=", "a"),
    ["padding everywhere"] = rep("a="),
    ["no base64"] = rep("\xff"),
}

for name, make in pairs(values) do
    for _, field in ipairs { "x-bin", "x" } do
        cost.check(field .. ", " .. name, make, function(value)
            metadata.read { { field, value } }
        end, SIZES)
    end
end

cost.check("one name often", rep("YWI,"), function(value)
    local fields = {}
    for text in value:gmatch("[^,]+") do
        fields[#fields + 1] = { "x-bin", text }
    end
    metadata.read(fields)
end, SIZES)

cost.check("many names", rep("YWI,"), function(value)
    local fields = {}
    for text in value:gmatch("[^,]+") do
        fields[#fields + 1] = { "x-" .. #fields .. "-bin", text }
    end
    metadata.read(fields)
end, SIZES)

-- A field of at most 2^28 bytes.
local function field(number, bytes)
    local length = {}
    for shift = 0, 21, 7 do
        length[#length + 1] = string.char(#bytes >> shift & 0x7f | (shift < 21 and 0x80 or 0))
    end
    return string.char(number << 3 | 2) .. table.concat(length) .. bytes
end

local function any(url, value)
    return field(3, field(1, url) .. field(2, value))
end

local statuses = {
    ["empty details"] = rep("\x1a\0"),
    ["unknown fields"] = rep("\x20\0"),
    ["long numbers"] = rep("\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\1"),
    ["numbers without an end"] = rep("\x80"),
    ["fields cut short"] = rep("\x1a\xff\xff\xff\x7f"),
    ["a long type"] = function(size) return any(("x"):rep(size), "") end,
    ["a long type, and a slash"] = function(size) return any(("x"):rep(size) .. "/", "") end,
    ["slashes"] = function(size) return any(("/"):rep(size), "") end,
    ["types given twice"] = rep(field(3, "\x0a\1a\x0a\1b")),
    ["unknown fields of details"] = function(size) return field(3, ("\x20\0"):rep(size // 2)) end,
    ["messages that are known"] = function(size) return any("x/M", ("\x0a\0"):rep(size // 2)) end,
    ["many that are known"] = rep(any("x/M", "\x0a\0")),
}

for name, make in pairs(statuses) do
    cost.check("details: " .. name, make, function(bytes)
        details.decode(bytes, schema)
    end, SIZES)
end

return check.done
