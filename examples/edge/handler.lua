-- Behind the edge: says what its own hop speaks, and what it was told of the client's.
return function(ctx)
    local came = ctx.headers
    ctx:text(("this hop speaks %s; the request came by %s for %s\n"):format(
        ctx:protocol(), came.via, came["x-forwarded-for"]))
    if ctx:supports_trailers() then
        ctx:append_trailer("x-behind", "a trailer from behind the edge")
    end
end
