-- How a call of another server begins: its time, and the fields that go out.
local blame = require("moontrail.runtime.script").blame
local metadata = require "moontrail.grpc.metadata"
local mt = require "moontrail"
local status = require "moontrail.grpc.status"

local client_head = {}

-- Longer than any call lasts: streams may rest as long as they like.
client_head.FOREVER = 1e8

local FOREVER = client_head.FOREVER

local function each(value)
    return ipairs(type(value) == "table" and value or { value })
end

-- The values of one name and of another.
local function join(before, values)
    if before == nil then
        return values
    end
    local list = {}
    for _, from in ipairs { before, values } do
        for _, value in each(from) do
            list[#list + 1] = value
        end
    end
    return list
end

-- The metadata of two tables, either of which may be nil, in a new one.
function client_head.merge(one, two)
    local result = {}
    for _, given in ipairs { one or {}, two or {} } do
        for name, values in pairs(given) do
            result[name] = join(result[name], values)
        end
    end
    return result
end

-- The seconds that the request has left that this call is made for, or nil.
local function inherited()
    local ok, left = pcall(mt.ctx.deadline)
    return ok and left or nil
end

-- The seconds for a call that begins now: so many, or nil for no limit, and no more than is left.
function client_head.seconds(seconds)
    if seconds ~= nil and type(seconds) ~= "number" then
        blame("the timeout of a call is a number of seconds, not a %s", type(seconds))
    end
    local left = math.min(seconds or FOREVER, inherited() or FOREVER)
    if left <= 0 then
        error(client_head.late(), 0)
    end
    return left
end

-- The status of a call whose time is over.
function client_head.late()
    return status.new(status.codes.DEADLINE_EXCEEDED, "deadline exceeded")
end

-- A grpc-timeout: up to eight digits and a unit.
function client_head.in_units(seconds)
    local ms = math.ceil(seconds * 1000)
    if ms < 1e8 then
        return ("%dm"):format(ms)
    end
    return ("%dS"):format(math.ceil(seconds))
end

-- The fields that metadata is.
function client_head.fields(given)
    local fields = {}
    for name, values in pairs(given) do
        for _, value in each(values) do
            local key, text = metadata.check(name, value)
            local list = fields[key] or {}
            list[#list + 1] = text
            fields[key] = list
        end
    end
    return fields
end

return client_head
