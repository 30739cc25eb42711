-- The body of a request to another server, written by a task of its own (lua/client/http.c).

local function write_all(call, body)
    if type(body) == "string" then
        return call:finish(body)
    end
    local piece = body()
    while piece do
        if not call:write(piece) then
            return
        end
        piece = body()
    end
    call:finish()
end

-- fail(call, problem) ends the call, and whoever reads the response is told of the problem; false
-- where that is whole, and nobody would hear of it.
return function(call, body, fail)
    local ok, problem = pcall(write_all, call, body)
    if not ok and not fail(call, problem) then
        error(problem, 0)
    end
end
