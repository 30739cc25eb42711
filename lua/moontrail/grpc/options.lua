-- The options of services, clients and calls: what each is, and what it is unless it is given.
local blame = require("moontrail.runtime.script").blame
local cors = require "moontrail.grpc.cors"
local ways = require "moontrail.grpc.ways"

local options = {}

-- The bytes of a message at the most, unless an option says otherwise.
options.MESSAGE_MAX = 4 << 20

local function is_of(kind)
    return function(value) return type(value) == kind end
end

local function is_bytes(value)
    return math.type(value) == "integer" and value >= 0
end

local compressions = { [false] = true, gzip = true, deflate = true }

local function is_compression(value)
    return compressions[value] ~= nil
end

local function is_name_list(known)
    return function(value)
        if type(value) ~= "table" or #value == 0 then
            return false
        end
        for _, name in ipairs(value) do
            if not known[name] then
                return false
            end
        end
        return true
    end
end

local function is_interceptors(value)
    if type(value) ~= "table" then
        return type(value) == "function"
    end
    for _, one in ipairs(value) do
        if type(one) ~= "function" then
            return false
        end
    end
    return #value > 0
end

local function is_one_of(...)
    local known = {}
    for _, name in ipairs { ... } do
        known[name] = true
    end
    return function(value) return known[value] ~= nil end
end

local function is_list_of_strings(value)
    for _, one in ipairs(type(value) == "table" and value or {}) do
        if type(one) ~= "string" then
            return false
        end
    end
    return type(value) == "table" and #value > 0
end

local function is_seconds(value)
    return type(value) == "number" and value > 0
end

-- By name: whether a value may be, and what it should be.
local rules = {
    ca = { is_of "string", "the name of a file" },
    codec = { is_one_of("proto", "json"), "\"proto\" or \"json\"" },
    compression = { is_compression, "\"gzip\", \"deflate\" or false" },
    connect_timeout = { is_of "number", "a number of seconds" },
    credentials = { is_of "boolean", "true or false" },
    file = { is_of "string", "the name of a .proto or a descriptor set" },
    health = { is_of "boolean", "true or false" },
    intercept = { is_interceptors, "a function, or a list of functions" },
    keepalive = { is_seconds, "a number of seconds" },
    json = { is_of "table", "a table of options of JSON" },
    max_message = { is_bytes, "a number of bytes" },
    metadata = { is_of "table", "a table of values by name" },
    origins = { cors.is_origins, "\"*\", or a list of origins, such as \"https://a.example\"" },
    protocol = {
        is_one_of("grpc", "grpc-web", "connect"),
        "\"grpc\", \"grpc-web\" or \"connect\"",
    },
    protocols = {
        is_name_list(ways.all),
        ("a list of %s"):format('"' .. table.concat(ways.names, '", "') .. '"'),
    },
    reflect = { is_of "boolean", "true or false" },
    reflection = { is_of "boolean", "true or false" },
    retry = { is_of "table", "a table: attempts, codes, backoff" },
    transcode = { is_of "boolean", "true or false" },
    services = { is_list_of_strings, "a list of full names of services" },
    timeout = { is_of "number", "a number of seconds" },
    verify = { is_of "boolean", "true or false" },
}

-- The options given to something, with the defaults of those that are not; false is nothing.
function options.check(of, given, defaults)
    if given ~= nil and type(given) ~= "table" then
        blame("the options of a %s are a %s, not a table", of, type(given))
    end
    local result = setmetatable({}, { __index = defaults })
    for name, value in pairs(given or result) do
        if defaults[name] == nil then
            blame("a %s has no option %s", of, tostring(name))
        end
        if not rules[name][1](value) then
            blame("%s is %s", name, rules[name][2])
        end
        result[name] = value
    end
    return result
end

return options
