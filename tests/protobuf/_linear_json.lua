-- The same as _linear.lua of JSON, read and written.
local cost = require "_cost"
local pb = require "moontrail.protobuf"
local check = require "_check"

local schema = pb.parse([[
    syntax = "proto3";
    import "google/protobuf/any.proto";
    import "google/protobuf/struct.proto";
    import "google/protobuf/field_mask.proto";
    enum Colour { NONE = 0; RED = 1; }
    message Sub { int32 number = 1; string text = 2; bytes raw = 3; double real = 4;
        Colour colour = 5; repeated Sub subs = 6;
        map<int64, bool> plain = 7; map<string, Sub> named = 8;
        google.protobuf.Any any = 9; google.protobuf.Value value = 10; repeated Colour colours = 11;
        google.protobuf.FieldMask mask = 12; repeated google.protobuf.Any anys = 13;
        repeated int64 longs = 14; repeated double reals = 15; repeated string texts = 16;
        Sub sub = 17; }
]], "json.proto")
local Sub = schema:message("Sub")

local function list(name, element, by)
    return function(size)
        local n = size // (#element + 1)
        return ('{"%s":[%s]}'):format(name, (element .. ","):rep(n - 1) .. element), by
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

local function within(name, make)
    return function(size)
        return ('{"%s":%s}'):format(name, make(size))
    end
end

local function quoted(name, element)
    return within(name, function(size)
        return '"' .. element:rep(size // #element) .. '"'
    end)
end

-- Anys within each other, whose types stand behind all that they have.
local function deep_any(size)
    local text = '{"text":"' .. ("x"):rep(size) .. '","@type":"x/Sub"}'
    for _ = 1, 90 do
        text = '{"value":' .. text .. ',"@type":"x/google.protobuf.Any"}'
    end
    return '{"any":' .. text .. "}"
end

local texts = {
    ["empty elements"] = list("subs", "{}"),
    numbers = list("longs", '"-1"'),
    ["numbers of bits"] = list("reals", "0.1"),
    ["long numbers"] = within("real", function(size)
        return "1" .. ("0"):rep(size) .. "e-" .. size
    end),
    ["long integers"] = within("number", function(size)
        return "1." .. ("0"):rep(size)
    end),
    ["long exponents"] = within("real", function(size)
        return "0e" .. ("9"):rep(size)
    end),
    texts = list("texts", '""'),
    text = quoted("text", "é"),
    escapes = quoted("text", "\\u00e9\\n"),
    pairs = quoted("text", "\\ud83c\\udf19"),
    bytes = quoted("raw", "YWJj"),
    paths = quoted("mask", "aB,c,"),
    enums = list("colours", '"RED"'),
    ["unknown enums"] = list("colours", '"BLUE"'),
    ["unknown fields"] = keys(function() return '"x":[{"a":1}]' end),
    ["one field"] = keys(function() return '"number":null' end),
    ["keys of one slot"] = within("plain", keys(function(i)
        return ('"%d":true'):format(i * 4095 * 8191 * 32767)
    end)),
    ["ordinary keys"] = within("plain", keys(function(i) return ('"%d":true'):format(i) end)),
    names = within("named", keys(function(i) return ('"%d":{}'):format(i) end)),
    values = within("value", function(size) return "[" .. ("0,"):rep(size // 2) .. "0]" end),
    structs = within("value", keys(function(i) return ('"%d":{}'):format(i) end)),
    space = function(size) return (" "):rep(size) .. "{}" end,
    anys = list("anys", '{"number":1,"@type":"x/Sub"}'),
    ["deep anys"] = deep_any,
    ["brackets"] = within("value", function(size) return ("["):rep(size) end),
}

for name, make in pairs(texts) do
    cost.check("reading " .. name, make, function(text)
        Sub:from_json(text, { unknown = "ignore" })
    end)
end

local function rep(element)
    return function(size)
        return element:rep(size // #element)
    end
end

local messages = {
    ["empty elements"] = rep("\x32\0"),
    ["deep elements"] = rep("\x32\6\x32\4\x32\2\x32\0"),
    texts = rep((Sub:encode({ texts = { "é\1" } }))),
    text = function(size) return (Sub:encode({ text = ("\1"):rep(size) })) end,
    bytes = function(size) return (Sub:encode({ raw = ("\1"):rep(size) })) end,
    numbers = function(size) return "\x72\x80\x80" .. (size == 65536 and "\4" or size == 1048576
        and "\x40" or "\x80\2") .. ("\1"):rep(size) end,
    anys = rep((Sub:encode({ anys = { { type_url = "x/Sub" } } }))),
    entries = rep("\x42\0"),
}

for name, make in pairs(messages) do
    cost.check("writing " .. name, make, function(bytes)
        Sub:to_json(bytes, { defaults = true })
    end)
end

return check.done
