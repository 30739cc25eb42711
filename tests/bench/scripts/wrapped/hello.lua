return function(ctx)
    ctx:text("Hello world\n")
end
