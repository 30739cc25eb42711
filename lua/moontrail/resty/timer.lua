-- ngx.timer, on tasks: a timer outlives the request that started it.
local mt = require "moontrail"

local timer = {}

-- Sleeps; returns whether that was cut short, since the scripts or the worker end.
local function ends_early(seconds)
    return not pcall(mt.sleep, seconds)
end

-- Calls the function after so many seconds, with whether that is before its time, and the rest.
function timer.at(seconds, fn, ...)
    mt.spawn(function(...)
        fn(ends_early(seconds), ...)
    end, ...)
    return 1
end

function timer.every(seconds, fn, ...)
    mt.spawn(function(...)
        while not ends_early(seconds) do
            timer.at(0, fn, ...)
        end
    end, ...)
    return 1
end

return timer
