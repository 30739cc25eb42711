-- The service that the tutorials of every gRPC language build: a guide to places along a route.
local grpc = require "moontrail.grpc"
local json = require "moontrail.json"
local mt = require "moontrail"

local RouteGuide = grpc.service("route_guide.proto", "routeguide.RouteGuide")

local function load_features()
    local file <close> = assert(io.open(mt.options.folder .. "/features.json"))
    return json.decode(file:read("a"))
end

local features = load_features()

-- A string that equal points share.
local function key(point)
    return point.latitude .. "," .. point.longitude
end

local by_point = {}
for _, feature in ipairs(features) do
    by_point[key(feature.location)] = feature
end

-- The distance of two points in metres, along a great circle.
local function distance(a, b)
    local to_radians <const> = math.pi / 180 / 1e7
    local a_latitude, b_latitude = a.latitude * to_radians, b.latitude * to_radians
    local delta_latitude = b_latitude - a_latitude
    local delta_longitude = (b.longitude - a.longitude) * to_radians
    local h = math.sin(delta_latitude / 2) ^ 2
        + math.cos(a_latitude) * math.cos(b_latitude) * math.sin(delta_longitude / 2) ^ 2
    return 2 * 6371000 * math.atan(math.sqrt(h), math.sqrt(1 - h))
end

local function is_between(value, one, other)
    return math.min(one, other) <= value and value <= math.max(one, other)
end

local function is_within(point, rectangle)
    local lo, hi = rectangle.lo, rectangle.hi
    return is_between(point.latitude, lo.latitude, hi.latitude)
        and is_between(point.longitude, lo.longitude, hi.longitude)
end

function RouteGuide.GetFeature(point)
    return by_point[key(point)] or { location = point }
end

function RouteGuide.ListFeatures(rectangle, call)
    if not rectangle.lo or not rectangle.hi then
        grpc.error("INVALID_ARGUMENT", "a rectangle has two corners")
    end
    for _, feature in ipairs(features) do
        if feature.name ~= "" and is_within(feature.location, rectangle) then
            call:send(feature)
        end
    end
end

function RouteGuide.RecordRoute(call)
    local began = mt.now()
    local points, found, metres, last = 0, 0, 0.0, nil
    for point in call:messages() do
        local feature = by_point[key(point)]
        points = points + 1
        found = found + (feature and feature.name ~= "" and 1 or 0)
        metres = metres + (last and distance(last, point) or 0)
        last = point
    end
    return {
        point_count = points,
        feature_count = found,
        distance = math.floor(metres),
        elapsed_time = math.floor(mt.now() - began),
    }
end

-- What was noted where; all calls that this process serves share it.
local notes = {}

function RouteGuide.RouteChat(call)
    for note in call:messages() do
        local place = key(note.location or { latitude = 0, longitude = 0 })
        notes[place] = notes[place] or {}
        for _, earlier in ipairs(notes[place]) do
            call:send(earlier)
        end
        table.insert(notes[place], note)
    end
end

return RouteGuide
