-- A report whose size and sum are known only at its end: the trailers tell them. With ?rows=0 the
-- trailers come without a body.
return function(ctx)
    local rows = tonumber((ctx.query or ""):match("^rows=(%d+)$")) or 3
    local sum = 0
    ctx:header("content-type", "text/csv")
    ctx:declare_trailer("x-rows")
    ctx:declare_trailer("x-sum")
    for i = 1, rows do
        sum = sum + i * i
        ctx:write(i, ",", i * i, "\n")
    end
    ctx:append_trailer("x-rows", rows)
    ctx:append_trailer("x-sum", sum)
    ctx:append_trailer("x-note", "a trailer need not be declared,")
    ctx:append_trailer("x-note", "and a name may be used again")
end
