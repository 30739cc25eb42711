return function(ctx)
    for piece in ctx.read, ctx do
        ctx:write(piece)
    end
end
