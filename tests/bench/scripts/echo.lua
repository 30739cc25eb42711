return function(ctx)
    local piece = ctx:read()
    while piece do
        ctx:write(piece)
        piece = ctx:read()
    end
end
