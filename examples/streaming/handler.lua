-- Bodies that flow: an upload that is answered line by line, and a download without an end.
local function shout(ctx)
    local rest = ""
    local piece = ctx:read()
    while piece do
        local lines, open = (rest .. piece):match("^(.*\n)(.*)$")
        if lines then
            ctx:write(lines:upper())
        end
        rest = open or rest .. piece
        piece = ctx:read()
    end
    ctx:write(rest:upper())
end

-- write waits while the client is slower, and raises once it has left.
local function count(ctx)
    ctx:on_abort(function() print("the client has left") end)
    for i = 1, math.huge do
        ctx:write(i, "\n")
    end
end

return { GET = count, POST = shout, PUT = shout }
