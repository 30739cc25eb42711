-- grpc.health.v1.Health: whether each service serves, as its script says with grpc.health.set.
local mt = require "moontrail"
local blame = require("moontrail.grpc.script").blame
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

-- Longer than any server runs; a wait that another task ends.
local FOREVER = 1e8

-- The services that List tells of at the most.
local LIST_MAX = 1000

-- By the name of a service; "" is the whole server.
local statuses = { [""] = "SERVING" }

-- The tasks that each call of Watch waits for, which end when its service's status changes.
local watchers = {}

local known = { UNKNOWN = true, SERVING = true, NOT_SERVING = true }

function health.set(name, value)
    if type(name) ~= "string" then
        blame("health.set takes a service's full name, or \"\" for the server")
    end
    if not known[value] then
        blame("no status of a service: %s", value)
    end
    statuses[name] = value
    for watcher in pairs(watchers[name] or {}) do
        watcher:cancel()
    end
end

-- A service is served from now on; what its script has set stays.
function health.add(name)
    statuses[name] = statuses[name] or "SERVING"
end

local function add_watcher(name, watcher)
    watchers[name] = watchers[name] or {}
    watchers[name][watcher] = true
end

local function remove_watcher(name, watcher)
    watcher:cancel()
    watchers[name][watcher] = nil
    if not next(watchers[name]) then
        watchers[name] = nil
    end
end

-- Waits for health.set of a name; raises when the call ends.
local function wait_for_change(call, name)
    local watcher = mt.spawn(mt.sleep, FOREVER)
    local _ <close> = setmetatable({}, {
        __close = function() remove_watcher(name, watcher) end,
    })
    add_watcher(name, watcher)
    local ok, problem = pcall(watcher.join, watcher)
    if not ok and call:cancelled() then
        error(problem, 0)
    end
end

health.name, health.schema = NAME, pb.parse(PROTO, "grpc/health/v1/health.proto")

local Health = service.new(health.schema, NAME)

function Health.Check(request)
    local value = statuses[request.service]
    if not value then
        status.raise("NOT_FOUND", "unknown service")
    end
    return { status = value }
end

-- A client is to be told where there are too many for one reply.
function Health.List()
    local list, count = {}, 0
    for name, value in pairs(statuses) do
        list[name], count = { status = value }, count + 1
    end
    if count > LIST_MAX then
        status.raise("RESOURCE_EXHAUSTED", ("there are more than %d services"):format(LIST_MAX))
    end
    return { statuses = list }
end

function Health.Watch(request, call)
    local name, sent = request.service, nil
    while true do
        local value = statuses[name] or "SERVICE_UNKNOWN"
        if value ~= sent then
            call:send({ status = value })
            sent = value
        else
            wait_for_change(call, name)
        end
    end
end

health.routes, health.notes = service.routes(Health)

return health
