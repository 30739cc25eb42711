-- Resets its own stream with the code that ?code= gives, a number or a name; with none, CANCEL.
return function(ctx)
    local given = ("&" .. (ctx.query or "")):match("&code=([^&]*)")
    local known = pcall(ctx.reset, ctx, math.tointeger(given) or given)
    if not known then
        ctx:status(400)
        ctx:text("code is a number up to 4294967295, or a name such as INTERNAL_ERROR\n")
    end
end
