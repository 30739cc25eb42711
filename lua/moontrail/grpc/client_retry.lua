-- Whether a call that has failed is made again, and when.
local blame = require("moontrail.runtime.script").blame
local status = require "moontrail.grpc.status"

local retry = {}

local defaults = { attempts = 3, codes = { "UNAVAILABLE" }, backoff = { 0.1, 2 } }

local function check_attempts(value)
    if math.type(value) ~= "integer" or value < 1 then
        blame("retry.attempts is a number of calls, 1 or more")
    end
    return value
end

local function check_codes(list)
    if type(list) ~= "table" then
        blame("retry.codes is a list of statuses")
    end
    local codes = {}
    for _, code in ipairs(list) do
        codes[status.check_code(code)] = true
    end
    return codes
end

local function check_backoff(value)
    local first, most = table.unpack(type(value) == "table" and value or {}, 1, 2)
    if type(first) ~= "number" or type(most) ~= "number" or first < 0 or most < first then
        blame("retry.backoff is { first, max }, numbers of seconds")
    end
    return value
end

-- A client's option.
function retry.check(given)
    for name in pairs(given) do
        if defaults[name] == nil then
            blame("retry has no option %s", tostring(name))
        end
    end
    local backoff = check_backoff(given.backoff or defaults.backoff)
    return {
        attempts = check_attempts(given.attempts or defaults.attempts),
        codes = check_codes(given.codes or defaults.codes),
        first = backoff[1],
        most = backoff[2],
    }
end

-- What is known of a call: attempts made before this one, and waits since the server has named one.
function retry.start(policy)
    return { policy = policy, before = 0, waits = 0 }
end

-- The milliseconds that a server asks for, which may be none that it can be waited for: then it
-- wants no other attempt (gRFC A6).
local function of_pushback(text)
    local ms = #text < 10 and text:match("^%d+$")
    return ms and ms / 1000
end

-- The seconds until the next attempt of a call that has failed so, or nil for none. pushback is the
-- server's grpc-retry-pushback-ms.
function retry.wait(self, code, pushback)
    local policy = self.policy
    if self.before + 1 >= policy.attempts or not policy.codes[code] then
        return nil
    end
    local seconds = pushback and of_pushback(pushback)
    if pushback and not seconds then
        return nil
    end
    self.before = self.before + 1
    if seconds then
        self.waits = 0
        return seconds
    end
    local most = math.min(policy.most, policy.first * 2.0 ^ self.waits)
    self.waits = self.waits + 1
    return math.random() * most
end

return retry
