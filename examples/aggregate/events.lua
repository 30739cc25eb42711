-- Behind the page: lists the events of a city, and says behind them how many there are. Of other
-- cities it breaks off in the middle.
local mt = require "moontrail"

return function(ctx)
    for _, event in ipairs { "a concert", "a fair" } do
        mt.sleep(0.25)
        ctx:write(event, "\n")
        ctx:flush()
        if ctx.path ~= "/bonn" then
            ctx:reset("INTERNAL_ERROR")
        end
    end
    ctx:append_trailer("x-count", 2)
end
