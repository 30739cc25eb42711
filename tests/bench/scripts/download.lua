local piece = ("\0"):rep(65536)

return function(ctx)
    for _ = 1, 16 do
        ctx:write(piece)
    end
end
