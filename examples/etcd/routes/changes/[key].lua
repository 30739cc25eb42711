-- What becomes of a key of etcd, a line for each change, for as long as the client listens.
local etcd = require "_etcd"

local function tell(ctx, event)
    if event.type == "DELETE" then
        ctx:write("gone\n")
    else
        ctx:write("set ", event.kv.value, "\n")
    end
end

return function(ctx)
    local call <close> = etcd.watch:Watch()
    call:send { create_request = { key = ctx.params.key } }
    for reply in call:messages() do
        if reply.canceled then
            error("etcd ends the watch: " .. reply.cancel_reason)
        elseif reply.created then
            ctx:write("watching\n")
        end
        for _, event in ipairs(reply.events) do
            tell(ctx, event)
        end
        ctx:flush()
    end
end
