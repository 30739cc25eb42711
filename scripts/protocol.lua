-- What this hop speaks, and whether a trailer would be sent.
return function(ctx)
    ctx:text(("%s\ntrailers: %s\n"):format(ctx:protocol(), ctx:supports_trailers()))
end
