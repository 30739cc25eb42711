-- A chat: what one sends, all get as server-sent events, whichever worker they are connected to.
local mt = require "moontrail"
local store = require "moontrail.store"

local s = store.open "chat"

return {
    GET = function(ctx)
        local sub <close> = s:subscribe("room")
        local hook <close> = mt.on_reload(function() sub:close() end)
        ctx:header("content-type", "text/event-stream")
        ctx:write("event: welcome\ndata: ", mt.worker.id, "\n\n")
        ctx:flush()
        for message in sub do
            ctx:write("id: ", s:get("count"), "\ndata: ", message, "\n\n")
            ctx:flush()
        end
        hook:close()
    end,
    POST = function(ctx)
        local line = ctx:body(1000):gsub("%c", " ")
        s:incr("count")
        s:publish("room", line)
        ctx:status(204)
    end,
}
