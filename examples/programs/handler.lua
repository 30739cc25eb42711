-- Other programs: a text's words are counted with sort and uniq, for a few requests at once; and a
-- file is followed for as long as the client listens.
local mt = require "moontrail"

-- Who has a turn may run programs: two of each worker's requests at once, however many there are.
local turns = mt.channel(2)
for turn = 1, 2 do turns:send(turn) end

-- Calls a function in turn. A turn is given back whatever ends it: on a request that was aborted
-- send raises, and try_send works.
local function in_turn(fn, ...)
    local turn = turns:recv()
    local _ <close> = setmetatable({}, { __close = function() turns:try_send(turn) end })
    return fn(...)
end

local environment = { LC_ALL = "C" }

-- Runs a program on a text; what it says of errors is the error.
local function through(text, ...)
    local result = mt.exec({ ... }, { stdin = text, env = environment, timeout = 10 })
    if result.code ~= 0 then
        error(("%s: %s%s"):format(..., result.signal or result.code, result.stderr), 0)
    end
    return result.stdout
end

local function count_words(text)
    local words = text:lower():gsub("[^%a]+", "\n")
    local sorted = through(words, "sort")
    return through(through(sorted, "uniq", "-c"), "sort", "-k1,1nr", "-k2")
end

local function count(ctx)
    ctx:text(in_turn(count_words, ctx:body()))
end

-- The program is told to end once the client has left: it never outlives the request.
local function follow(ctx)
    local tail <close> = mt.process({ "tail", "-n", "+1", "-f", ctx.headers["x-file"] })
    tail:finish()
    local piece = tail:read()
    while piece do
        ctx:write(piece)
        piece = tail:read()
    end
end

return { POST = count, GET = follow }
