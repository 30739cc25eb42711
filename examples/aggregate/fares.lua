-- Behind the page: a service that knows one fare, after half a second.
local grpc = require "moontrail.grpc"
local mt = require "moontrail"
local Fares = grpc.service("fares.proto", "travel.Fares")

function Fares.Find(journey)
    mt.sleep(0.5)
    if journey.to ~= "bonn" then
        grpc.error("NOT_FOUND", "no train goes there")
    end
    return { euros = 49 }
end

return Fares
