-- A value of Redis, or the last of those that a pipeline gives, by the query.
local redis = require "moontrail.redis"

local r = redis.connect(
    "redis://127.0.0.1:" .. (tonumber(os.getenv "REDIS_PORT") or 6379),
    { pool_size = 1024 }
)

local function ask(p)
    for _ = 1, 20 do
        p:get("key")
    end
end

return function(ctx)
    if ctx.query == "pipeline" then
        ctx:text(r:pipeline(ask)[20])
    else
        ctx:text(r:get("key"))
    end
end
