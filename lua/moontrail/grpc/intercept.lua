-- Interceptors: functions that a call passes through on its way to the method's.
local blame = require("moontrail.runtime.script").blame

local intercept = {}

-- The interceptor around what is inside of it.
local function wrap(interceptor, inner)
    return function(self)
        local called = false
        return interceptor(self, function()
            if called then
                blame("next was called before: a call runs once")
            end
            called = true
            return inner(self)
        end)
    end
end

-- The function of a method behind its interceptors, the first of which is the outermost; none are
-- false.
function intercept.around(handler, interceptors, method)
    if not interceptors then
        return handler
    end
    local function run(self)
        return handler(self.request, self)
    end
    local chain = method.client_streaming and handler or run
    local list = type(interceptors) == "table" and interceptors or { interceptors }
    for i = #list, 1, -1 do
        chain = wrap(list[i], chain)
    end
    if method.client_streaming then
        return chain
    end
    return function(request, self)
        self.request = request
        return chain(self)
    end
end

return intercept
