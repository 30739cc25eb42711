-- What a call costs for a byte that it is given: no more for many bytes than for few.
local cost = {}

-- What large memory costs beside small, and a machine that is busy: what is quadratic takes 16 and 64
-- times as much.
local SLACK = 6
local ATTEMPTS = 8

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

-- How many times the cost of a byte of the small one a byte of the large one has, both measured in
-- the same moment.
local function compare(f, small, large)
    local least = math.max(measure(3, f, small) / #small, 1e-9)
    return measure(1, f, large) / #large / least
end

-- Calls f with what make gives for some sizes, whether it raises or not. A busy machine is given
-- more attempts; what costs too much does so in each.
function cost.check(name, make, f)
    local small = make(65536)
    for _, size in ipairs { 1048576, 4194304 } do
        local large, times, attempts = make(size), math.huge, 0
        while times >= SLACK and attempts < ATTEMPTS do
            times, attempts = math.min(times, compare(f, small, large)), attempts + 1
        end
        assert(times < SLACK, ("%s: %.1f times the cost"):format(name, times))
    end
end

return cost
