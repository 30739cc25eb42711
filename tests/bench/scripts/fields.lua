local NAMES = { "user-agent", "accept", "accept-language", "x-request-id", "cookie" }

return function(ctx)
    local values = {}
    for i, name in ipairs(NAMES) do
        values[i] = ctx.headers[name]
    end
    ctx:text(table.concat(values, ",") .. "," .. ctx.query .. "\n")
end
