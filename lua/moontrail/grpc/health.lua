-- grpc.health.v1.Health: whether each service serves, as its script says with grpc.health.set.
local mt = require "moontrail"
local blame = require("moontrail.runtime.script").blame
local fleeting = require "moontrail.store.fleeting"
local on_drain = require "moontrail.runtime.on_drain"
local pb = require "moontrail.protobuf"
local service = require "moontrail.grpc.service"
local status = require "moontrail.grpc.status"

local health = {}

local PROTO = [[
syntax = "proto3";
package grpc.health.v1;

message HealthCheckRequest {
  string service = 1;
}

message HealthListRequest {
}

message HealthListResponse {
  map<string, HealthCheckResponse> statuses = 1;
}

message HealthCheckResponse {
  enum ServingStatus {
    UNKNOWN = 0;
    SERVING = 1;
    NOT_SERVING = 2;
    SERVICE_UNKNOWN = 3;
  }
  ServingStatus status = 1;
}

service Health {
  rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
  rpc List(HealthListRequest) returns (HealthListResponse);
  rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
}
]]

local NAME = "grpc.health.v1.Health"

-- Longer than any server runs; a wait that the call's end ends.
local FOREVER = 1e8

-- The services that List tells of at the most.
local LIST_MAX = 1000

-- By the name of a service; "" is the whole server. What a script sets while it loads counts until
-- one sets something else later, which is for all workers: that is in the store, under "/" and the
-- name.
local statuses = { [""] = "SERVING" }
local shared = fleeting.open(NAME)
local SHARED_MAX = 399

-- Once this worker drains nothing here is served any more.
local draining = false

-- The subscriptions of the calls of Watch.
local watches = {}

on_drain(function()
    draining = true
    for watch in pairs(watches) do watch:close() end
end)

local known = { UNKNOWN = true, SERVING = true, NOT_SERVING = true }

function health.set(name, value)
    if type(name) ~= "string" or #name > SHARED_MAX then
        blame("health.set takes a service's full name, or \"\" for the server")
    end
    if not known[value] then
        blame("no status of a service: %s", value)
    end
    if not fleeting.tell(shared, "/" .. name, value) then
        statuses[name] = value
    end
end

-- A service is served from now on; what its script has set stays.
function health.add(name)
    statuses[name] = statuses[name] or "SERVING"
end

-- nil for a service that is not known.
local function status_of(name)
    local value = #name <= SHARED_MAX and shared:get("/" .. name) or statuses[name]
    return value and draining and "NOT_SERVING" or value
end

health.name, health.schema = NAME, pb.parse(PROTO, "grpc/health/v1/health.proto")

local Health = service.new(health.schema, NAME)

function Health.Check(request)
    local value = status_of(request.service)
    if not value then
        status.raise("NOT_FOUND", "unknown service")
    end
    return { status = value }
end

-- A client is to be told where there are too many for one reply.
function Health.List()
    local list, count = {}, 0
    local function add(name)
        if not list[name] then
            list[name], count = { status = status_of(name) }, count + 1
        end
    end
    for name in pairs(statuses) do add(name) end
    for key in shared:keys("/", LIST_MAX + 1) do add(key:sub(2)) end
    if count > LIST_MAX then
        status.raise("RESOURCE_EXHAUSTED", ("there are more than %d services"):format(LIST_MAX))
    end
    return { statuses = list }
end

-- Waits for a change of the name; raises when the call ends. In a drain there is none.
local function wait_for_change(watch)
    if draining then
        mt.sleep(FOREVER)
    else
        watch()
    end
end

function Health.Watch(request, call)
    local name, sent = request.service, nil
    local watch <close> = shared:subscribe("/" .. name:sub(1, SHARED_MAX))
    local _ <close> = setmetatable({}, { __close = function() watches[watch] = nil end })
    watches[watch] = true
    while true do
        local value = status_of(name) or "SERVICE_UNKNOWN"
        if value ~= sent then
            call:send({ status = value })
            sent = value
        else
            wait_for_change(watch)
        end
    end
end

health.routes, health.notes = service.routes(Health)

return health
