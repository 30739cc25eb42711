-- Behind the page: takes half a second to find out what the sky is like.
local mt = require "moontrail"

return function(ctx)
    mt.sleep(0.5)
    if ctx.path ~= "/bonn" then
        ctx:status(404)
    end
    ctx:json({ sky = "cloudy" })
end
