-- What a call costs for a byte that it is given: no more for many bytes than for few.
local cost = {}

local SLACK = 3 -- what large memory costs beside small, and a machine that is busy

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

-- Calls f with what make gives for some sizes, whether it raises or not.
function cost.check(name, make, f)
    local small = make(65536)
    local least = math.max(measure(3, f, small) / #small, 1e-9)
    for _, size in ipairs { 1048576, 4194304 } do
        local bytes = make(size)
        local each = measure(1, f, bytes) / #bytes
        assert(each < SLACK * least, ("%s: %.1f times the cost"):format(name, each / least))
    end
end

return cost
