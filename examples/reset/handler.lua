-- Three moments to reset a stream, each of which tells the client something else.
local answers = {}

-- Nothing was done yet: the client may try again (RFC 9113 8.7).
answers["/busy"] = function(ctx)
    ctx:reset("REFUSED_STREAM")
end

-- In the middle of the body: nobody takes the half for the whole.
answers["/broken"] = function(ctx)
    ctx:write("the first half,")
    ctx:flush()
    ctx:reset("INTERNAL_ERROR")
end

-- The answer is whole, and the rest of the upload is of no use (RFC 9113 8.1).
answers["/enough"] = function(ctx)
    ctx:text("that will do\n")
    ctx:finish()
    ctx:reset("NO_ERROR")
end

return function(ctx)
    local answer = answers[ctx.path]
    if not answer then
        ctx:status(404)
        return ctx:text("try /busy, /broken or /enough\n")
    end
    answer(ctx)
end
