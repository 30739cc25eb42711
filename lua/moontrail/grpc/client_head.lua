-- How a call of another server begins: its time, and the fields that go out.
local blame = require("moontrail.grpc.script").blame
local compression = require "moontrail.grpc.compression"
local metadata = require "moontrail.grpc.metadata"
local mt = require "moontrail"
local options = require "moontrail.grpc.options"
local status = require "moontrail.grpc.status"

local client_head = {}

-- Longer than any call lasts: streams may rest as long as they like.
local FOREVER = 1e8

-- The options of a call.
local defaults = { metadata = false, timeout = false }

local function add_metadata(fields, given)
    for name, values in pairs(given or {}) do
        for _, value in ipairs(type(values) == "table" and values or { values }) do
            local key, text = metadata.check(name, value)
            local list = fields[key] or {}
            list[#list + 1] = text
            fields[key] = list
        end
    end
end

-- The seconds that the request has left that this call is made for, or nil.
local function inherited()
    local ok, left = pcall(mt.ctx.deadline)
    return ok and left or nil
end

-- The seconds for a call, or nil: what the script says, and no more than is left.
local function timeout_of(client, given)
    local wanted, left = given.timeout or client.options.timeout, inherited()
    local seconds = math.min(wanted or FOREVER, left or FOREVER)
    if seconds <= 0 then
        error(status.new(status.codes.DEADLINE_EXCEEDED, "deadline exceeded"), 0)
    end
    return seconds < FOREVER and seconds or nil
end

-- Up to eight digits and a unit.
local function encode_timeout(seconds)
    local ms = math.ceil(seconds * 1000)
    if ms < 1e8 then
        return ("%dm"):format(ms)
    end
    return ("%dS"):format(math.ceil(seconds))
end

local function fields_of(client, given, timeout)
    local fields = {}
    add_metadata(fields, client.options.metadata)
    add_metadata(fields, given.metadata)
    fields["content-type"] = "application/grpc"
    fields["grpc-accept-encoding"] = compression.accepted
    fields["grpc-encoding"] = client.options.compression or nil
    fields["grpc-timeout"] = timeout and encode_timeout(timeout)
    fields["user-agent"] = fields["user-agent"] or "grpc-lua-moontrail/" .. mt.version
    return fields
end

-- The call of mt.http for a method of a client's, by the options given; and when its time is over.
function client_head.open(client, method, given)
    given = options.check("call", given, defaults)
    local timeout = timeout_of(client, given)
    local ok, http = pcall(mt.http.open, {
        url = client.url,
        path = ("/%s/%s"):format(client.name, method.name),
        method = "POST",
        version = "2",
        headers = fields_of(client, given, timeout),
        timeout = timeout,
        connect_timeout = client.options.connect_timeout or nil,
        idle_timeout = FOREVER,
        verify = client.options.verify,
        ca = client.options.ca or nil,
    })
    if not ok and type(http) == "string" then
        blame("%s", http)
    elseif not ok then
        error(http, 0)
    end
    return http, mt.now() + (timeout or FOREVER)
end

return client_head
