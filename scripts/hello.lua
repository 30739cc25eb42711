-- A body, a declared trailer and an appended one.
return function(ctx)
    if ctx:supports_trailers() then
        ctx:declare_trailer("trailername")
    end
    ctx:text("Hello world\n")
    if ctx:supports_trailers() then
        ctx:append_trailer("trailername", "TrailerValue")
    end
end
