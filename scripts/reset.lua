-- Resets its own stream with the code that ?code= gives, by number or by name.
return function(ctx)
    local code = ctx.query and ctx.query:match("code=([%w_]+)")
    ctx:reset(math.tointeger(code) or code)
end
