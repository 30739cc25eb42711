-- What the gateway knows of the other server's types: its methods by path and by the templates of
-- google.api.http, and what answers each.
local gateway_call = require "moontrail.grpc.gateway_call"
local http_rule = require "moontrail.grpc.http_rule"
local serve = require "moontrail.grpc.serve"
local served = require "moontrail.grpc.served"
local service = require "moontrail.grpc.service"
local transcode = require "moontrail.grpc.transcode"
local ways = require "moontrail.grpc.ways"
local percent = require "moontrail.runtime.percent"

local gateway_types = {}

-- A message type whose messages are bytes, which become JSON and come of it.
local function bytes_of(type)
    return {
        name = type.name,
        decoder = function()
            return function(bytes, first)
                return first and first > 1 and bytes:sub(first) or bytes
            end
        end,
        encode = function(_, bytes)
            return bytes
        end,
        from_json = function(_, text, options)
            return type:encode(type:from_json(text, options))
        end,
        to_json = function(_, bytes, options)
            return type:to_json(bytes, options)
        end,
    }
end

-- A method as it is served by the protocols whose messages are whole.
local function describe(self, name, method)
    local path = ("/%s/%s"):format(name, method.name)
    local handler = gateway_call.handler(self.backend, {
        path = path,
        client_streaming = method.client_streaming,
        server_streaming = method.server_streaming,
    })
    return {
        path = path,
        schema = self.schema,
        handler = handler,
        given_handler = handler,
        input = bytes_of(method.input),
        output = bytes_of(method.output),
        client_streaming = method.client_streaming,
        server_streaming = method.server_streaming,
        idempotency = method.idempotency,
        limit = self.options.max_message,
        compression = false,
        protocols = ways.all,
        json = self.options.json or nil,
    }
end

-- The same by the templates, which take requests apart and put replies together: with tables.
local function describe_for_http(rpc, method)
    local made, pass = {}, rpc.handler
    for key, value in pairs(rpc) do
        made[key] = value
    end
    made.input, made.output = method.input, method.output
    made.handler = function(request, call)
        local send = call.send
        function call:send(bytes)
            return send(self, method.output:decode(bytes))
        end
        local bytes = pass(method.input:encode(request), call)
        return bytes and method.output:decode(bytes)
    end
    return made
end

-- Templates.

local function split(path)
    local segments = {}
    for segment in path:gmatch("/([^/]*)") do
        segments[#segments + 1] = segment
    end
    return segments
end

-- By kind: what of two templates comes first, a segment at a time.
local ranks = { literal = "a", one = "b", rest = "c" }

-- Of templates that match the same path, the one whose rank is the least in the order of texts.
local function rank_of(parsed)
    local list = {}
    for i, part in ipairs(parsed.parts) do
        list[i] = ranks[part.kind]
    end
    return (parsed.verb and "a" or "b") .. table.concat(list)
end

local function matches_part(part, segment)
    if part.kind == "literal" then
        return segment ~= nil and percent.decode(segment) == part.text
    end
    return segment ~= nil and segment ~= ""
end

-- Whether a template matches a path, given as its segments, which stay escaped.
local function matches(parsed, segments)
    local parts, last = parsed.parts, segments[#segments] or ""
    local ending = parsed.verb and ":" .. parsed.verb or ""
    if last:sub(#last - #ending + 1) ~= ending then
        return false
    end
    segments = table.move(segments, 1, #segments, 1, {})
    segments[#segments] = last:sub(1, #last - #ending)
    for i, part in ipairs(parts) do
        if part.kind == "rest" then
            return true
        end
        if not matches_part(part, segments[i]) then
            return false
        end
    end
    return #segments == #parts
end

-- Making.

local function bindings_of(self, rpc, method)
    if method.client_streaming or not self.options.transcode then
        return {}
    end
    return http_rule.bindings(rpc.path:sub(2), method)
end

local function add_bindings(self, rpc, method)
    local made, bindings = describe_for_http(rpc, method), bindings_of(self, rpc, method)
    table.insert(self.described, { rpc = made, bindings = bindings })
    for _, binding in ipairs(bindings) do
        table.insert(self.bindings, {
            method = binding.method,
            template = binding.template,
            rank = rank_of(binding.template),
            handler = transcode.handler(made, binding),
            note = ("%s %s: %s"):format(binding.method, binding.template.text, binding.rpc),
        })
    end
end

local function add_service(self, name)
    self.services[name] = true
    for _, method in ipairs(service.find(self.schema, name).methods) do
        local rpc = describe(self, name, method)
        self.methods[rpc.path] = serve.route(rpc)
        self.notes[rpc.path] = service.describe(method)
        add_bindings(self, rpc, method)
    end
end

-- What is known of a schema; services are the names of those that are meant, all unless given.
function gateway_types.new(backend, schema, services, options)
    local self = { backend = backend, schema = schema, options = options, services = {},
        methods = {}, bindings = {}, notes = {}, described = {} }
    for _, name in ipairs(services or schema:services()) do
        add_service(self, name)
    end
    return self
end

-- Tells of all methods where those of services are told of.
function gateway_types.tell(self)
    for _, one in ipairs(self.described) do
        served[#served + 1] = one.rpc
        transcode.set(one.rpc, one.bindings)
    end
end

-- Finding.

-- Whether a path is below a service's.
function gateway_types.has_service(self, path)
    return self.services[path:match("^/([^/]+)/") or ""] ~= nil
end

-- The bindings of the best template that matches, by method of HTTP; nil for none.
local function find_bindings(self, path)
    local segments, best, found = split(path), nil, nil
    for _, binding in ipairs(self.bindings) do
        if (not best or binding.rank <= best) and matches(binding.template, segments) then
            if binding.rank ~= best then
                best, found = binding.rank, {}
            end
            found[binding.method] = found[binding.method] or binding.handler
        end
    end
    return found
end

local function refuse_method(found)
    return function(ctx)
        local names = {}
        for name in pairs(found) do
            names[#names + 1] = name
        end
        table.sort(names)
        ctx:header("allow", table.concat(names, ", "))
        ctx:status(ctx.method == "OPTIONS" and 204 or 405)
        if ctx.method ~= "OPTIONS" then
            ctx:text("Method Not Allowed\n")
        end
    end
end

-- What answers a request, or nil.
function gateway_types.find(self, ctx)
    local handlers = self.methods[ctx.path]
    if handlers then
        return handlers[ctx.method] or handlers["*"]
    end
    local found = find_bindings(self, ctx.path)
    if not found then
        return nil
    end
    local method = ctx.method == "HEAD" and not found.HEAD and "GET" or ctx.method
    return found[method] or found["*"] or refuse_method(found)
end


return gateway_types
