return function(ctx)
    ctx:declare_trailer("trailername")
    ctx:text("Hello world\n")
    ctx:append_trailer("trailername", "trailervalue")
end
