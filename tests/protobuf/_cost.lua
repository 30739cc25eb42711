-- What a call costs for a byte that it is given: no more for many bytes than for few.
local cost = {}

-- What large memory costs beside small, and a machine that is busy: what is quadratic takes 16 and
-- 64 times as much.
local SLACK = 6

-- The processor's time that the call took, the least of so many runs.
local function measure(runs, f, bytes)
    local best = math.huge
    for _ = 1, runs do
        collectgarbage()
        collectgarbage("stop")
        local from = os.clock()
        pcall(f, bytes)
        best = math.min(best, os.clock() - from)
        collectgarbage("restart")
    end
    return best
end

-- To make one more text of many bytes costs this for each: what costs less is bound by memory,
-- whose caches hold the small inputs.
local plain
do
    local text = ("X"):rep(4194304)
    plain = measure(3, text.lower, text) / #text
end

-- How many times the cost of a byte grows from a small input to a large one; a machine that is
-- busy just then is asked again.
local function growth(f, small, large)
    local least = math.huge
    for _ = 1, 5 do
        local before = math.max(measure(3, f, small) / #small, plain)
        least = math.min(least, measure(1, f, large) / #large / before)
        if least < SLACK then
            break
        end
    end
    return least
end

-- Calls f with what make gives for some sizes, whether it raises or not.
function cost.check(name, make, f, sizes)
    local small = make(65536)
    for _, size in ipairs(sizes or { 1048576, 4194304 }) do
        local times = growth(f, small, make(size))
        assert(times < SLACK, ("%s: %.1f times the cost"):format(name, times))
    end
end

return cost
