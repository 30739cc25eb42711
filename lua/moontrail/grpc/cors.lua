-- Which pages may call a service, by the rules of browsers (CORS, of the Fetch standard). A page of
-- an origin that may not gets no word of it, and its browser keeps the reply from it.
local blame = require("moontrail.runtime.script").blame
local exposed = require "moontrail.grpc.exposed"
local mt = require "moontrail"
local ways = require "moontrail.grpc.ways"

local cors = {}

-- Seconds that a browser may keep the answer to a preflight: it keeps none for longer.
local MAX_AGE = 7200

-- The fields that requests of the protocols have.
local REQUEST_FIELDS = {
    "content-type", "content-encoding", "accept-encoding", "connect-protocol-version",
    "connect-timeout-ms", "connect-content-encoding", "connect-accept-encoding", "grpc-timeout",
    "grpc-encoding", "grpc-accept-encoding", "x-grpc-web", "x-user-agent", "user-agent",
    "authorization",
}

-- The fields of replies that a page sees although no field of the call's sets them.
local REPLY_FIELDS = {
    "grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding",
    "grpc-accept-encoding", "connect-content-encoding", "connect-accept-encoding",
    "content-encoding", "accept-encoding",
}

-- Names that no page can set, whatever it is allowed (Fetch, 2.2.2).
local forbidden = {}
for name in ([[accept-charset accept-encoding access-control-request-headers
        access-control-request-method access-control-request-private-network connection
        content-length cookie cookie2 date dnt expect host keep-alive origin referer set-cookie te
        trailer transfer-encoding upgrade via]]):gmatch("%S+") do
    forbidden[name] = true
end

local function is_forbidden(name)
    return forbidden[name] or name:find("^proxy%-") or name:find("^sec%-")
end

-- An origin as browsers write it: a scheme and a host in lower case, and perhaps a port.
local function is_origin(value)
    if type(value) ~= "string" then
        return false
    end
    local scheme, rest = value:match("^([a-z][a-z0-9+.-]*)://([^/?#@%s]+)$")
    return value == "null" or scheme ~= nil and rest == rest:lower()
end

-- Whether a value may be the option origins.
function cors.is_origins(value)
    if type(value) ~= "table" then
        return value == "*"
    end
    for _, one in ipairs(value) do
        if not is_origin(one) then
            return false
        end
    end
    return #value > 0
end

-- Whether an origin's host is this machine's own.
local function is_local(origin)
    local host = origin:match("^%a[%w+.-]*://(%b[])") or origin:match("^%a[%w+.-]*://([^:/]+)")
    if not host then
        return false
    end
    return host == "localhost" or host:find("%.localhost$") ~= nil or host == "[::1]"
        or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- The rules of a service, by its options; nil where no page may call it.
function cors.new(options)
    local origins = options.origins
    if origins == "*" and options.credentials then
        blame("credentials cannot go with origins = \"*\": name the origins")
    end
    if not origins and not mt.options.dev then
        return nil
    end
    local rules = { any = origins == "*", named = {}, credentials = options.credentials,
        locals = not origins }
    for _, one in ipairs(type(origins) == "table" and origins or {}) do
        rules.named[one] = true
    end
    return rules
end

local function allows(rules, origin)
    return origin and (rules.any or rules.named[origin] or rules.locals and is_local(origin))
end

-- The names in a list of a field's value that a page may set, beside those of the protocols.
local function request_fields(asked)
    local names, seen = {}, {}
    local function add(name)
        if not seen[name] then
            seen[name], names[#names + 1] = true, name
        end
    end
    for _, name in ipairs(REQUEST_FIELDS) do
        add(name)
    end
    for name in (asked or ""):lower():gmatch("[%w!#$%%&'*+.^_`|~-]+") do
        if not is_forbidden(name) then
            add(name)
        end
    end
    return table.concat(names, ", ")
end

-- Says that a page of the origin may see the reply.
local function let_in(ctx, rules, origin)
    ctx:header("access-control-allow-origin", rules.any and "*" or origin)
    if rules.credentials then
        ctx:header("access-control-allow-credentials", "true")
    end
end

-- Whether a request asks what a page may do.
local function is_preflight(ctx, origin)
    return origin and ctx.method == "OPTIONS"
        and ctx:request_header("access-control-request-method") ~= nil
end

local function answer_preflight(ctx, rpc)
    ctx:status(204)
    ctx:header {
        ["access-control-allow-methods"] = rpc.allowed
            or ways.has_get(rpc) and "GET, POST" or "POST",
        ["access-control-allow-headers"] =
            request_fields(ctx:request_header("access-control-request-headers")),
        ["access-control-max-age"] = MAX_AGE,
    }
end

-- What goes around a handler by the rules, outside of all middleware.
function cors.outer(rules, rpc)
    return function(ctx, next)
        local origin = ctx:request_header("origin")
        ctx:add_header("vary", "Origin")
        if not allows(rules, origin) then
            return next()
        end
        let_in(ctx, rules, origin)
        if is_preflight(ctx, origin) then
            return answer_preflight(ctx, rpc)
        end
        exposed.begin(ctx, REPLY_FIELDS, rules.credentials)
        next()
    end
end

-- Puts the rules, nil for none, around the handlers of a route; failed tells of what middleware
-- raises.
function cors.around(handlers, rules, rpc, failed)
    local around = { outer = rules and cors.outer(rules, rpc), failed = failed }
    for _, handler in pairs(handlers) do
        mt.wrap(handler, around)
    end
    return handlers
end

return cors
