-- A page from three servers, which are asked at once: by HTTP/1.1, by HTTP/2 and by gRPC. It takes
-- as long as the slowest of them, and what fails is left out of it.
local grpc = require "moontrail.grpc"
local json = require "moontrail.json"
local mt = require "moontrail"

local weather_url = os.getenv "WEATHER" or "http://127.0.0.1:9001"
local events_url = os.getenv "EVENTS" or "h2c://127.0.0.1:9002"
local fares_url = os.getenv "FARES" or "h2c://127.0.0.1:9003"

local fares = grpc.client(fares_url, "fares.proto", "travel.Fares", { timeout = 5 })

local function find_weather(city)
    local res = mt.http.get(weather_url .. "/" .. city, { version = "1.1", timeout = 5 })
    if res.status ~= 200 then
        error("no weather: " .. res.status)
    end
    return ("%s, by %s"):format(json.decode(res:body()).sky, res.protocol)
end

-- The events come one by one; how many they were comes behind them.
local function find_events(city)
    local res = mt.http.get(events_url .. "/" .. city, { timeout = 5 })
    local names = res:body():gsub("\n", ", ")
    return ("%s%s in all, by %s"):format(names, res:trailers()["x-count"], res.protocol)
end

local function find_fare(city)
    return ("%d euros, by gRPC"):format(fares:Find({ to = city }).euros)
end

-- A function that gives a line with what find(city) gives, or with the end of its error's text.
local function line(name, find, city)
    return function()
        local ok, result = pcall(find, city)
        if not ok then
            result = "unknown, " .. tostring(result):match("[^ :][^:]*$")
        end
        return name .. ": " .. result .. "\n"
    end
end

return function(ctx)
    local city = ctx.path:sub(2)
    local began = mt.now()
    ctx:write(mt.all(
        line("weather", find_weather, city),
        line("events", find_events, city),
        line("fare", find_fare, city)))
    ctx:write("one after the other? ", mt.now() - began < 1.4 and "no" or "yes", "\n")
end
