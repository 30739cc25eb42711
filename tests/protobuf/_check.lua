-- What the scripts of this folder share.
local pb = require "moontrail.protobuf"

local check = {}

check.folder = debug.getinfo(1, "S").source:match("^@(.*)/")

-- What files of types end in: a test has them as descriptor sets.
local ending = os.getenv("TYPES") or ".proto"

function check.load(file)
    return pb.load((file:gsub("%.proto$", ending)), { check.folder })
end

local everything = check.load("everything.proto")

-- The message type of that name in everything.proto.
function check.message(name)
    return everything:message("everything." .. name)
end

local function show(value)
    if type(value) ~= "table" then
        return math.type(value) and tostring(value) or string.format("%q", tostring(value))
    end
    local parts = {}
    for k, v in pairs(value) do
        parts[#parts + 1] = tostring(k) .. "=" .. show(v)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, ",") .. "}"
end

-- Equal to the last bit: a float is no integer, 0.0 is not -0.0, and not a number is itself.
local function is_same(a, b)
    if type(a) == "table" and type(b) == "table" then
        for k in pairs(b) do
            if a[k] == nil then
                return false
            end
        end
        for k, v in pairs(a) do
            if not is_same(v, b[k]) then
                return false
            end
        end
        return true
    end
    if math.type(a) == "float" and math.type(b) == "float" then
        return a ~= a and b ~= b or string.pack("n", a) == string.pack("n", b)
    end
    return a == b and math.type(a) == math.type(b)
end

function check.same(got, wanted)
    if not is_same(got, wanted) then
        error("got " .. show(got) .. ", not " .. show(wanted), 2)
    end
end

-- The call raises that message, exactly.
function check.raises(message, f, ...)
    local ok, got = pcall(f, ...)
    if ok or got ~= message then
        error(ok and "does not raise: " .. message or "got " .. got .. ", not " .. message, 2)
    end
end

-- Bytes from their hexadecimal digits.
function check.bytes(digits)
    return (digits:gsub("%s", ""):gsub("%x%x", function(two)
        return string.char(tonumber(two, 16))
    end))
end

local function digits_of(bytes)
    return (bytes:gsub(".", function(c)
        return string.format("%02x", c:byte())
    end))
end

-- The table becomes those bytes, and these become the table, but for what is only there when read.
function check.wire(message, value, digits)
    check.same(digits_of(message:encode(value)), (digits:gsub("%s", "")))
    local got = message:decode(check.bytes(digits))
    for k, v in pairs(value) do
        if not is_same(got[k], v) then
            error(k .. " reads as " .. show(got[k]) .. ", not " .. show(v), 2)
        end
    end
    return got
end

-- What a script of this folder returns: it is not there to be served.
function check.done() end

return check
