-- The routes of google.api.http annotations: one table for all services of a generation of scripts.
--
-- Templates of the same shape are one place, whatever their variables are called, and what is bound
-- there is told apart by its method of HTTP. The server's own routes find the place.
local blame = require("moontrail.runtime.script").blame
local cors = require "moontrail.grpc.cors"
local http_rule = require "moontrail.grpc.http_rule"
local mt = require "moontrail"
local protocol = require "moontrail.grpc.protocol_http"
local serve = require "moontrail.grpc.serve"
local ways = require "moontrail.grpc.ways"

local transcode = {}

-- By shape: { pattern, by_method, handlers, failed, rules }.
local places = {}

-- The bindings of each method.
local bindings_of = {}

-- Ways.

local function make_way(rpc, binding, by, kind)
    local way = ways.make(rpc, by, kind, "json")
    way.binding = binding
    way.decode = protocol.decode
    way.encode = protocol.encoder(binding, rpc.output, rpc.json)
    way.run = rpc.runner(way)
    return way
end

-- Whether a list of media ranges has that of events, and wants it.
local function accepts_events(accept)
    for range in (accept or ""):lower():gmatch("[^,]+") do
        if range:find("^%s*text/event%-stream") then
            local quality = range:match(";%s*q=([%d.]+)")
            return not quality or tonumber(quality) ~= 0
        end
    end
    return false
end

-- Which way a call goes; of a stream the client has a say in it.
local function picker(rpc, binding)
    if not rpc.server_streaming then
        local only = make_way(rpc, binding, protocol, "application/json")
        return function() return only end
    end
    if binding.reply_is_raw then
        local pieces = make_way(rpc, binding, protocol.pieces, "application/octet-stream")
        return function() return pieces end
    end
    local lines = make_way(rpc, binding, protocol.lines, "application/x-ndjson")
    local events = make_way(rpc, binding, protocol.events, "text/event-stream")
    return function(ctx)
        ctx:add_header("vary", "Accept")
        return accepts_events(ctx:request_header("accept")) and events or lines
    end
end

-- Places.

-- The methods that a place has, as the server itself would list them.
local function allowed(place)
    local names = {}
    for name in pairs(place.by_method) do
        names[#names + 1] = name
    end
    table.sort(names)
    for _, more in ipairs { place.by_method.GET and "HEAD", "OPTIONS" } do
        if more and not place.by_method[more] then
            names[#names + 1] = more
        end
    end
    return table.concat(names, ", ")
end

-- What no binding of a place has.
local function refuse(place)
    return function(ctx)
        ctx:header("allow", allowed(place))
        if ctx.method == "OPTIONS" then
            return ctx:status(204)
        end
        ctx:status(405)
        ctx:text("Method Not Allowed\n")
    end
end

-- The rules for pages that a request has to do with: those of the method that it asks about, or of
-- whatever there is.
local function rules_of(place, ctx)
    local asked = ctx:request_header("access-control-request-method") or ctx.method
    return place.rules[asked] or place.rules["*"] or select(2, next(place.rules))
end

-- The handler of the methods that a place has none for, which all who are bound there share.
local function other_of(place)
    local otherwise = refuse(place)
    return function(ctx)
        return (place.handlers["*"] or otherwise)(ctx)
    end
end

-- The rules for pages, around that handler.
local function outer_of(place)
    return function(ctx, next)
        local rules = rules_of(place, ctx)
        if not rules then
            return next()
        end
        return cors.outer(rules, { allowed = allowed(place) })(ctx, next)
    end
end

local tell_failed = serve.failed()

local function failed_of(place)
    return function(ctx, problem)
        return (place.failed["*"] or tell_failed)(ctx, problem)
    end
end

local function place_of(binding)
    local parsed = binding.template
    local place = places[parsed.shape]
    if not place then
        place = { pattern = parsed.pattern, by_method = {}, handlers = {}, failed = {},
            rules = {} }
        place.other = mt.wrap(other_of(place),
            { outer = outer_of(place), failed = failed_of(place) })
        places[parsed.shape] = place
    end
    return place
end

local function show(binding)
    return ("%s %s"):format(binding.method, binding.template.text)
end

-- The same method of the same place cannot be bound twice.
local function claim(place, binding)
    local other = place.by_method[binding.method]
    if other and other.rpc == binding.rpc then
        blame("%s has %s twice", binding.rpc, show(binding))
    elseif other then
        blame("%s and %s both have %s%s", other.rpc, binding.rpc, show(other),
            show(other) == show(binding) and "" or ", or " .. show(binding))
    end
    place.by_method[binding.method] = binding
end

-- What answers the requests of a binding, and what tells of a status that middleware raised.
function transcode.handler(rpc, binding)
    local pick = picker(rpc, binding)
    return serve.by(pick), serve.failed(pick)
end

local function add_binding(self, rpc, binding, routes, notes)
    local place = place_of(binding)
    local handler, failed = transcode.handler(rpc, binding)
    claim(place, binding)
    binding.place = place
    place.handlers[binding.method], place.rules[binding.method] = handler, self.cors
    place.failed[binding.method] = failed
    local route = routes[place.pattern] or {}
    routes[place.pattern] = route
    if binding.method ~= "*" then
        route[binding.method] = cors.around({ handler }, self.cors, rpc, failed)[1]
    end
    if binding.method == "*" or self.cors then
        route["*"] = place.other
    end
    local note = ("%s: %s"):format(show(binding), binding.rpc)
    notes[place.pattern] = notes[place.pattern] and notes[place.pattern] .. "; " .. note or note
end

-- Adds the routes of a method of a service, and notes on them.
function transcode.add(self, method, rpc, routes, notes)
    local bindings = http_rule.bindings(("%s/%s"):format(self.name, method.name), method)
    if method.client_streaming then
        if #bindings > 0 then
            notes[rpc.path] = notes[rpc.path]
                .. ", without its routes of google.api.http: the requests are a stream"
        end
        return
    end
    for _, binding in ipairs(bindings) do
        add_binding(self, rpc, binding, routes, notes)
    end
    bindings_of[rpc] = bindings
end

-- Says which bindings a method has whose requests come by no route of its own.
function transcode.set(rpc, bindings)
    for _, binding in ipairs(bindings) do
        binding.place = { pattern = binding.template.pattern }
    end
    bindings_of[rpc] = bindings
end

-- The bindings of a method that have routes.
function transcode.of(rpc)
    return bindings_of[rpc] or {}
end

return transcode
