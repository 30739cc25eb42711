-- A counter, and a limit, that all workers share: each request may meet another one.
local mt = require "moontrail"
local store = require "moontrail.store"

local visits = store.open "visits"
local limit = mt.limit { name = "votes", rate = 3, per = 60 }

return {
    GET = function(ctx)
        ctx:text(("%d visits of %s\n"):format(visits:incr(ctx.path), ctx.path))
    end,
    POST = function(ctx)
        local ok, seconds = limit:take(ctx.headers["x-user"] or "nobody")
        if not ok then
            ctx:status(429)
            ctx:header("retry-after", math.ceil(seconds))
            return ctx:text("that was one too many\n")
        end
        ctx:text(("%d votes\n"):format(visits:incr("votes")))
    end,
}
