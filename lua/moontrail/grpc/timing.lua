-- The deadlines of calls, as each protocol writes them.
local status = require "moontrail.grpc.status"

local codes = status.codes

local timing = {}

-- Seconds in each unit of grpc-timeout.
local units = { H = 3600, M = 60, S = 1, m = 1e-3, u = 1e-6, n = 1e-9 }

-- A ctx takes no longer deadline than this.
local LONGEST = 1e8

-- The seconds that a grpc-timeout says.
function timing.of_units(text)
    local digits, unit = text:match("^(%d+)([HMSmun])$")
    if not digits or #digits > 8 then
        error(status.new(codes.INTERNAL, "grpc-timeout is malformed"), 0)
    end
    return tonumber(digits) * units[unit]
end

-- The seconds that a connect-timeout-ms says.
function timing.of_milliseconds(text)
    if not text:find("^%d+$") or #text > 10 then
        error(status.new(codes.INVALID_ARGUMENT, "connect-timeout-ms is malformed"), 0)
    end
    return tonumber(text) / 1000
end

-- Gives a call so many seconds from now.
function timing.set(self, seconds)
    local ctx = self.http
    ctx:deadline(math.min(seconds, LONGEST))
    self.timed = true
    if ctx:deadline() == 0 then
        error(status.new(codes.DEADLINE_EXCEEDED, "deadline exceeded"), 0)
    end
end

-- Whether a call's time is over.
function timing.is_over(self)
    return self.http:deadline() == 0
end

return timing
