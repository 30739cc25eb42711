-- Server-sent events, one a second: as many as ?n= says, or until the client goes, which ends the
-- loop by raising from whatever waits.
local mt = require "moontrail"

return function(ctx)
    local count = ("&" .. (ctx.query or "")):match("&n=(%d+)")
    ctx:header { ["content-type"] = "text/event-stream", ["cache-control"] = "no-store" }
    for i = 1, tonumber(count) or math.huge do
        if i > 1 then
            mt.sleep(1)
        end
        ctx:write("id: ", i, "\ndata: ", os.date("!%H:%M:%S UTC"), "\n\n")
    end
end
