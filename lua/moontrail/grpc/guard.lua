-- The request beneath a call, as its handler sees it: what answers a request of HTTP would break
-- the call, and says what does so in gRPC.
local mt = require "moontrail"
local script = require "moontrail.runtime.script"

-- The nearest code of gRPC, where there is one.
local nearest = {
    [400] = "INVALID_ARGUMENT",
    [401] = "UNAUTHENTICATED",
    [403] = "PERMISSION_DENIED",
    [404] = "NOT_FOUND",
    [409] = "ALREADY_EXISTS",
    [412] = "FAILED_PRECONDITION",
    [413] = "RESOURCE_EXHAUSTED",
    [429] = "RESOURCE_EXHAUSTED",
    [500] = "INTERNAL",
    [501] = "UNIMPLEMENTED",
    [503] = "UNAVAILABLE",
    [504] = "DEADLINE_EXCEEDED",
}

local guarded = {}

function guarded.status(ctx, code)
    if code == nil then
        return mt.ctx.status(ctx)
    end
    script.blame('ctx:status is for HTTP, not for a call of gRPC: raise grpc.error("%s", message)',
        nearest[code] or "UNKNOWN")
end

for _, name in ipairs { "text", "html", "json", "write", "finish", "redirect", "proxy" } do
    guarded[name] = function()
        script.blame("ctx:%s is for HTTP, not for a call of gRPC: return the reply, a table, or "
            .. "call:send(reply); an error is raised with grpc.error(code, message)", name)
    end
end

-- Gives the ctx, once it has the functions in place of its own.
return function(ctx)
    for name, fn in pairs(guarded) do
        rawset(ctx, name, fn)
    end
    return ctx
end
