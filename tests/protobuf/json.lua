-- The JSON mapping: what is written, and what is read or refused.
local pb = require "moontrail.protobuf"
local check = require "_check"
local Everything, Scalars = check.message("Everything"), check.message("Scalars")
local Choice, Lists, Maps = check.message("Choice"), check.message("Lists"), check.message("Maps")
local schema = check.load("known.proto")
local Known, Names = schema:message("known.Known"), schema:message("known.Names")
local Old = check.load("old.proto"):message("old.Old")

-- Writing.
local function writes(message, value, text, options)
    check.same(message:to_json(value, options), text)
end

writes(Scalars, {}, "{}")
writes(Scalars, { an_int64 = math.maxinteger, a_bytes = "\xff", an_enum = "RED" },
    '{"anInt64":"9223372036854775807","aBytes":"/w==","anEnum":"RED"}')
writes(Scalars, { a_uint64 = -1, a_sint32 = -5, a_sint64 = math.mininteger, a_fixed32 = 7 },
    '{"aUint64":"18446744073709551615","aSint32":-5,"aSint64":"-9223372036854775808","aFixed32":7}')
writes(Scalars, { a_double = 0.1, a_float = 0.1 }, '{"aDouble":0.1,"aFloat":0.1}')
writes(Scalars, { a_double = 1 / 0, a_float = -1 / 0 },
    '{"aDouble":"Infinity","aFloat":"-Infinity"}')
writes(Scalars, { a_double = 0 / 0, a_float = 1e-45 }, '{"aDouble":"NaN","aFloat":1e-45}')
writes(Scalars, { an_enum = 77 }, '{"anEnum":77}')
writes(Scalars, { a_string = "\"\\\b\f\n\r\t\1\x7fé" },
    '{"aString":"\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7fé"}')
writes(Scalars, Scalars:encode({ a_bool = true }), '{"aBool":true}')
writes(Everything, { time = { seconds = 1, nanos = 500000000 } },
    '{"time":"1970-01-01T00:00:01.500Z"}')
writes(Maps, { by_bool = { [true] = "x" }, by_int32 = { [-1] = 2.5 } },
    '{"byInt32":{"-1":2.5},"byBool":{"true":"x"}}')
writes(Choice, { number = 0 }, '{"number":0}')
writes(Names, { snake_case_name = 1, named = 2, camelCase = 3, with_1_digit = 4, maybe = 0 },
    '{"snakeCaseName":1,"other":2,"camelCase":3,"with1Digit":4,"maybe":0}')
writes(Scalars, { a_bytes = ("\0"):rep(3000) }, '{"aBytes":"' .. ("A"):rep(4000) .. '"}')

-- Messages with a way of their own.
writes(Known, {
    duration = { seconds = -1, nanos = -500 },
    empty = {},
    mask = { paths = { "a_b.c_d", "e" } },
    struct = { fields = { a = { list_value = { values = { { bool_value = true } } } } } },
    value = { null_value = "NULL_VALUE" },
    list = {},
    time = { seconds = -62135596800 },
    an_int64 = { value = 5 },
    a_bool = {},
    null = "NULL_VALUE",
    text = "",
}, '{"duration":"-1.000000500s","empty":{},"mask":"aB.cD,e","struct":{"a":[true]},"value":null,'
    .. '"list":[],"time":"0001-01-01T00:00:00Z","anInt64":"5","aBool":false,"text":""}')

-- Options.
writes(Names, { snake_case_name = 1 },
    '{"snakeCaseName":1,"other":0,"camelCase":0,"with1Digit":0,"innerNames":[]}',
    { defaults = true })
writes(Names, { snake_case_name = 1, named = 2 }, '{"snake_case_name":1,"named":2}',
    { names = "proto" })
writes(Scalars, { an_enum = "RED" }, '{"anEnum":1}', { enums = "number" })
writes(Choice, {}, '{"before":""}', { defaults = true })
check.same(Names:from_json('{"none":{"a":[1,{}]},"other":2}', { unknown = "ignore" }).named, 2)
check.same(Lists:from_json('{"enums":["RED","NOPE"]}', { unknown = "ignore" }).enums, { "RED" })
for message, options in pairs {
    ["protobuf: there is no option none"] = { none = true },
    ["protobuf: there is no option number"] = { 1 },
    ['protobuf: the option names is "proto" or nil'] = { names = "json" },
    ['protobuf: the option enums is "number" or nil'] = { enums = true },
    ["protobuf: the option defaults is true or false"] = { defaults = "yes" },
} do
    check.raises(message, Names.to_json, Names, {}, options)
    check.raises(message, Names.from_json, Names, "{}", options)
end
writes(Names, {}, "{}", { defaults = false })

-- What a table may not be.
check.raises('everything.Scalars: there is no field "x"', Scalars.to_json, Scalars, { x = 1 })
check.raises("everything.Scalars.a_string: not UTF-8", Scalars.to_json, Scalars,
    { a_string = "\xff" })
check.raises("everything.Scalars.an_int32: expected an integer, got string", Scalars.to_json,
    Scalars, { an_int32 = "1" })
for message, value in pairs {
    ["known.Known.value: none of its kinds is set"] = { value = {} },
    ["known.Known.value.number_value: JSON has no number for it"] =
        { value = { number_value = 1 / 0 } },
    ["known.Known.time: 253402300800 seconds and 0 nanos are no time of the years 1 to 9999"] =
        { time = { seconds = 253402300800 } },
    ["known.Known.duration: 1 seconds and -1 nanos are no duration of up to 10,000 years"] =
        { duration = { seconds = 1, nanos = -1 } },
    ['known.Known.mask.paths[2]: "aB" is no path of names in lower case with underscores'] =
        { mask = { paths = { "a", "aB" } } },
    ["known.Known.any.type_url: unknown type no.Such"] = { any = { type_url = "x/no.Such" } },
    ["known.Known.any.type_url: a value without the URL of its type"] = { any = { value = "x" } },
} do
    check.raises(message, Known.to_json, Known, value)
end
for _, bytes in ipairs { "\x18", "\x07" } do
    local ok, message = pcall(Scalars.to_json, Scalars, bytes)
    assert(not ok and tostring(message):find("truncated or malformed message", 1, true), message)
end

-- Reading.
check.same(Everything:from_json('{"time":"1970-01-01T00:00:01.5Z"}').time, { seconds = 1,
    nanos = 500000000 })
check.same(Scalars:from_json(' {\n\t"an_int32" : 5 , "anEnum": "GREEN"}\r\n').an_int32, 5)
check.same(Scalars:from_json("{}"), Scalars:decode(""))
check.same(Old:from_json("{}").number, -7)

-- Each text reads as the value of the field.
local function reads(message, key, values)
    for text, value in pairs(values) do
        check.same(message:from_json("{" .. text .. "}")[key], value)
    end
end

reads(Scalars, "an_int32", { ['"anInt32":1e2'] = 100, ['"anInt32":"-5"'] = -5,
    ['"anInt32":1.0'] = 1,
    ['"anInt32":-0'] = 0, ['"anInt32":2.147483647e9'] = 2147483647, ['"anInt32":null'] = 0,
    ['"anInt32":1000e-3'] = 1, ['"anInt32":0e99999999999999999999'] = 0 })
reads(Scalars, "an_int64", { ['"anInt64":"-9223372036854775808"'] = math.mininteger,
    ['"anInt64":9223372036854775807'] = math.maxinteger, ['"anInt64":9.007199254740993e15'] =
    9007199254740993 })
reads(Scalars, "a_uint64", { ['"aUint64":"18446744073709551615"'] = -1, ['"aUint64":-0'] = 0 })
reads(Scalars, "a_double", { ['"aDouble":"1.5"'] = 1.5, ['"aDouble":"Infinity"'] = 1 / 0,
    ['"aDouble":1e-999'] = 0.0, ['"aDouble":1.7976931348623157e308'] = 1.7976931348623157e308 })
reads(Scalars, "a_float", { ['"aFloat":"-Infinity"'] = -1 / 0, ['"aFloat":16777217'] = 16777216.0 })
reads(Scalars, "a_bytes", { ['"aBytes":"-_8="'] = "\xfb\xff", ['"aBytes":"+/8"'] = "\xfb\xff",
    ['"aBytes":""'] = "" })
reads(Scalars, "a_string", { ['"aString":"\\u00e9\\ud83c\\udf19\\/\\u0000"'] = "é\u{1f319}/\0",
    ['"a\\u0053tring":"x"'] = "x" })
reads(Scalars, "an_enum", { ['"anEnum":1'] = "RED", ['"anEnum":99'] = 99 })
reads(Choice, "text", { ['"number":null,"text":"x"'] = "x", ['"text":"x","number":null'] = "x" })
reads(Maps, "by_int32", { ['"byInt32":{"1":2,"-1":0}'] = { [1] = 2.0, [-1] = 0.0 },
    ['"byInt32":null'] = {} })
reads(Lists, "int32s", { ['"int32s":[1,"2"]'] = { 1, 2 }, ['"int32s":[]'] = {} })
reads(Known, "value", { ['"value":null'] = { null_value = "NULL_VALUE" },
    ['"value":-1'] = { number_value = -1.0 }, ['"value":[]'] = { list_value = { values = {} } } })
reads(Known, "struct", { ['"struct":{"":{}}'] =
    { fields = { [""] = { struct_value = { fields = {} } } } } })
reads(Known, "an_int64", { ['"anInt64":"7"'] = { value = 7 }, ['"anInt64":0'] = { value = 0 } })
reads(Known, "nothing", { ['"nothing":null'] = "NULL_VALUE" })
reads(Known, "something", { ['"something":null'] = { null_value = "NULL_VALUE" } })
reads(Known, "nulls", { ['"nulls":[null,0]'] = { "NULL_VALUE", "NULL_VALUE" } })
reads(Known, "time", { ['"time":"2000-02-29T23:59:59.123456789-01:30"'] = { seconds = 951874199,
    nanos = 123456789 }, ['"time":null'] = nil })
reads(Known, "duration", { ['"duration":"-0.5s"'] = { seconds = 0, nanos = -500000000 } })
reads(Known, "mask", { ['"mask":"aB,c.dE"'] = { paths = { "a_b", "c.d_e" } }, ['"mask":""'] =
    { paths = {} } })

-- An Any, with its type in any place.
local inner = Names:encode({ named = 3 })
reads(Known, "any", {
    ['"any":{"@type":"x/known.Names","other":3}'] = { type_url = "x/known.Names", value = inner },
    ['"any":{"other":3,"@type":"x/known.Names"}'] = { type_url = "x/known.Names", value = inner },
    ['"any":{}'] = { type_url = "", value = "" },
    ['"any":{"value":"1s","@type":"x/google.protobuf.Duration"}'] =
        { type_url = "x/google.protobuf.Duration", value = "\8\1" },
})
for _, text in ipairs {
    '{"any":{"@type":"x/known.Names","other":3}}',
    '{"any":{"@type":"x/google.protobuf.Empty"}}',
    '{"any":{"@type":"x/google.protobuf.Value","value":null}}',
    '{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/known.Names","maybe":0}}}',
} do
    writes(Known, Known:from_json(text), text)
end

-- What is refused, and where.
local function refuses(message, text, wanted)
    check.raises(wanted, message.from_json, message, text)
end

local function is_no_json(texts)
    for _, text in ipairs(texts) do
        local ok, message = pcall(Scalars.from_json, Scalars, text)
        message = tostring(message)
        assert(not ok and message:find("^everything.Scalars[%w_.]*: not JSON: ")
            and message:find(" %(line %d+, byte %d+%)$"), text .. ": " .. message)
    end
end

is_no_json { "", "{", "{'aString':\"x\"}", '{aString:"x"}', '{"aString":"x",}', '{,"aString":"x"}',
    '{"aDouble":1.}', '{"aDouble":.5}', '{"aDouble":01}', '{"aDouble":+1}', '{"aDouble":0x1}',
    '{"aDouble":1e}', '{"aDouble":NaN}', '{"aDouble":-Infinity}', '{"aString":"\t"}',
    '{"aString":"\\x41"}', '{"aString":"\\ud800"}', '{"aString":"\\udc00"}', '{"aString":"\xff"}',
    '{"aString":"\xed\xa0\x80"}', '{"aString":"x}', '{"aBool":True}', '{"aBool":tru}', '{} {}',
    '{"aBool" true}', '{"aBool":true "aString":""}', "\xef\xbb\xbf{}", "{/**/}", "// x\n{}",
    '{"aString":"\\u12g4"}', "{}\0", '{"aString":"\\' }

refuses(Scalars, "[]", "everything.Scalars: expected an object, got a list (line 1, byte 1)")
refuses(Scalars, '{\n "x":1}', 'everything.Scalars: there is no field "x" (line 2, byte 2)')
refuses(Scalars, '{"aString":"a","a_string":"b"}',
    "everything.Scalars.a_string: given twice (line 1, byte 16)")
refuses(Scalars, '{"aString":null,"aString":"b"}',
    "everything.Scalars.a_string: given twice (line 1, byte 17)")
refuses(Scalars, '{"anInt32":"x"}',
    "everything.Scalars.an_int32: expected an integer, got a string (line 1, byte 12)")
refuses(Choice, '{"number":1,"text":"x"}',
    "everything.Choice: both number and text of the oneof choice are set (line 1, byte 13)")
refuses(Lists, '{"messages":[{},{"left":{"name":1}}]}',
    "everything.Lists.messages[2].left.name: expected a string, got a number (line 1, byte 33)")
refuses(Maps, '{"byInt32":{"1":1,"1.0":2}}',
    "everything.Maps.by_int32: a key is given twice (line 1, byte 19)")
refuses(Known, '{"any":{"@type":"x/known.Names","other":"y"}}',
    "known.Known.any.named: expected an integer, got a string (line 1, byte 41)")
refuses(Old, '{"point":{"x":1}}', "old.Old.point.y: required, but missing")

-- Each is refused for its type, or for its range.
local wrong = {
    [Scalars] = { '"anInt32":true', '"anInt32":1.5', '"anInt32":2147483648', '"anInt32":""',
        '"anInt32":" 1"', '"anInt32":"1x"', '"aUint32":-1', '"aUint64":18446744073709551616',
        '"aBool":"true"', '"aBool":1', '"aString":1', '"aString":{}', '"aBytes":"a"',
        '"aBytes":"a==="', '"aBytes":"a b="', '"aBytes":"YQ="', '"anEnum":"NOPE"', '"anEnum":1.5',
        '"anEnum":true', '"aDouble":"nan"', '"aDouble":"1e400"', '"aDouble":1e400',
        '"aFloat":3.5e38', '"aDouble":"0x1"', '"anInt64":9223372036854775808', '"anInt32":[1]' },
    [Lists] = { '"int32s":1', '"int32s":{}', '"int32s":[null]', '"messages":{}',
        '"messages":[null]' },
    [Maps] = { '"byInt32":[]', '"byInt32":{"":1}', '"byInt32":{"x":1}', '"byInt32":{"1.5":1}',
        '"byBool":{"True":"x"}', '"byString":{"a":null}', '"byInt32":{"2147483648":1}',
        '"byString":{"a":{},"a":{}}' },
    [Known] = { '"time":{"seconds":1}', '"time":"1970-01-01"', '"time":"1970-01-01T00:00:00"',
        '"time":"1970-01-01t00:00:00Z"', '"time":"1970-01-01T00:00:00z"',
        '"time":"1970-02-29T00:00:00Z"', '"time":"1970-01-01T24:00:00Z"',
        '"time":"1970-01-01T00:00:60Z"', '"time":"0000-01-01T00:00:00Z"',
        '"time":"1970-01-01T00:00:00.1234567890Z"', '"time":"0001-01-01T00:00:00+01:00"',
        '"time":"10000-01-01T00:00:00Z"', '"time":"1970-01-01T00:00:00.Z"', '"duration":"1"',
        '"duration":1', '"duration":"s"', '"duration":"1.0000000001s"', '"duration":"--1s"',
        '"duration":"315576000001s"', '"duration":"1s "', '"mask":["a"]', '"mask":"a_b"',
        '"mask":"a,"', '"mask":",a"', '"mask":"a b"', '"struct":[]', '"list":{}',
        '"struct":{"a":1,"a":1}', '"any":[]', '"any":{"x":1}', '"any":{"@type":"known.Names"}',
        '"any":{"@type":1}', '"any":{"@type":"x/known.Names","@type":"x/known.Names"}',
        '"any":{"@type":"x/known.Names","x":1}', '"any":{"@type":"x/google.protobuf.Duration"}',
        '"any":{"@type":"x/google.protobuf.Duration","value":"1s","x":1}',
        '"any":{"@type":"x/google.protobuf.Duration","value":"1s","value":"1s"}', '"empty":[]',
        '"empty":{"x":1}', '"anInt64":{"value":1}', '"times":["x"]', '"durations":{"a":null}' },
    [Old] = { '"size":99', '"[old.more]":"x"' },
}
for message, texts in pairs(wrong) do
    for _, text in ipairs(texts) do
        local ok, got = pcall(message.from_json, message, "{" .. text .. "}")
        got = tostring(got)
        assert(not ok and got:find("%(line 1, byte %d+%)$"), text .. ": " .. got)
        assert(not got:find("not JSON"), got)
    end
end

-- An object where a list is wanted is no list of its values.
local L = pb.parse([[syntax = "proto3"; message T { string path = 1; }
    message M { T diffuse_map = 1; }
    message L { repeated M parsed_meta_json = 1; }]], "l.proto"):message("L")
refuses(L, '{"parsedMetaJson":{"":{"":{"":{}}}}}',
    "L.parsed_meta_json: expected a list, got an object (line 1, byte 19)")

-- Depth.
local function nested(n)
    return ('{"left":'):rep(n) .. "{}" .. ("}"):rep(n)
end

local Tree = check.message("Tree")
check.same(Tree:to_json(Tree:from_json(nested(99))), nested(99))
assert(not pcall(Tree.from_json, Tree, nested(100)))
assert(not pcall(Names.from_json, Names, ('{"none":'):rep(100000), { unknown = "ignore" }))
assert(not pcall(Known.from_json, Known, '{"value":' .. ("["):rep(100000)))

return check.done
