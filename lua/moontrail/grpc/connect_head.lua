-- What the heads of Connect's requests say: the version of the protocol, and the time for the call.
local status = require "moontrail.grpc.status"
local timing = require "moontrail.grpc.timing"

local connect_head = {}

-- A request may leave the version out; if it names one, it is the one that there is.
function connect_head.check_version(name, given, known)
    if given and given ~= known then
        error(status.new(status.codes.INVALID_ARGUMENT,
            ("%s is %q: this is version %s"):format(name, given, known)), 0)
    end
end

function connect_head.prepare(self, version, timeout)
    connect_head.check_version("connect-protocol-version", version, "1")
    if timeout then
        timing.set(self, timing.of_milliseconds(timeout))
    end
end

return connect_head
