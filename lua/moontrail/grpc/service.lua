-- Services: what a script fills with functions, and the routes that come of it.
local blame = require("moontrail.runtime.script").blame
local cors = require "moontrail.grpc.cors"
local intercept = require "moontrail.grpc.intercept"
local mt = require "moontrail"
local nearest = require "moontrail.grpc.nearest"
local options = require "moontrail.grpc.options"
local serve = require "moontrail.grpc.serve"
local served = require "moontrail.grpc.served"
local transcode = require "moontrail.grpc.transcode"
local ways = require "moontrail.grpc.ways"

local service = {}

local defaults = {
    max_message = options.MESSAGE_MAX,
    compression = false,
    health = true,
    reflection = true,
    protocols = ways.names,
    origins = false,
    credentials = false,
    intercept = false,
    json = false,
    transcode = true,
}

-- A method as --check shows it, in the words of a .proto.
function service.describe(method)
    return ("rpc (%s%s) returns (%s%s)"):format(
        method.client_streaming and "stream " or "", method.input_name,
        method.server_streaming and "stream " or "", method.output_name)
end

-- Raises that a service has no method of that name, and tells which was meant, or which it has.
function service.blame_method(name, given, names)
    given = tostring(given)
    local meant = nearest(given, names)
    if meant then
        blame("%s has no method %s: is it %s?", name, given, meant)
    end
    blame("%s has no method %s; it has %s", name, given,
        #names > 0 and table.concat(names, ", ") or "none")
end

-- What a method is set to. Nobody would pass the self of one that is defined with a colon.
local function check_handler(self, name, value)
    if type(value) ~= "function" then
        blame("the method %s of %s is a %s, not a function", name, self.name, type(value))
    end
    if debug.getlocal(value, 1) == "self" then
        blame("the method %s of %s is given no self: define it with a dot, not a colon",
            name, self.name)
    end
end

-- A function under a name that is no method's is a mistake; anything else is the script's own.
local function check_field(self, name, value)
    if self.methods[name] and value ~= nil then
        check_handler(self, name, value)
    elseif type(value) == "function" then
        service.blame_method(self.name, name, self.names)
    end
end

-- handler is nil for a method that the script leaves out.
local function describe_rpc(self, method, handler)
    return {
        path = ("/%s/%s"):format(self.name, method.name),
        schema = self.schema,
        handler = handler and intercept.around(handler, self.options.intercept, method),
        given_handler = handler,
        missing = "the method is not implemented",
        input = method.input,
        output = method.output,
        client_streaming = method.client_streaming,
        server_streaming = method.server_streaming,
        idempotency = method.idempotency,
        limit = self.options.max_message,
        compression = self.options.compression,
        protocols = self.protocols,
        json = self.options.json or nil,
    }
end

-- Methods that a script leaves out are told of in one line, as it loads.
local function warn_of_missing(self, object)
    local missing = {}
    for _, name in ipairs(self.names) do
        if not rawget(object, name) then
            missing[#missing + 1] = name
        end
    end
    if #missing > 0 then
        mt.log.warn("grpc methods without a function", {
            service = self.name,
            methods = table.concat(missing, ", "),
        })
    end
end

-- Adds the routes of a service, whose functions the script has set by now, and notes on them.
local function add_routes(self, object, routes, notes)
    for name, value in next, object do
        check_field(self, name, value)
    end
    warn_of_missing(self, object)
    for _, name in ipairs(self.names) do
        local method, handler = self.methods[name], rawget(object, name)
        local rpc = describe_rpc(self, method, handler)
        routes[rpc.path] = cors.around(serve.route(rpc), self.cors, rpc, serve.failed())
        notes[rpc.path] = service.describe(method) .. (handler and "" or ", not implemented")
        if self.options.transcode then
            transcode.add(self, method, rpc, routes, notes)
        end
        if self.is_told then
            served[#served + 1] = rpc
        end
    end
    local rest = ("/%s/[...method]"):format(self.name)
    routes[rest] = cors.around(
        { ["*"] = serve.unknown() }, self.cors, { protocols = ways.all }, serve.failed())
    notes[rest] = "any other method, not implemented"
end

-- A service of a schema, as the .proto has it.
function service.find(schema, name)
    local found = schema:service(name)
    if not found then
        local names = schema:services()
        blame("there is no service %s; %s", name, #names == 0 and "the file has no services"
            or "there is " .. table.concat(names, ", "))
    end
    return found
end

local function as_set(list)
    local set = {}
    for _, name in ipairs(list) do
        set[name] = true
    end
    return set
end

-- What JSON may differ in is known by who writes it.
local function check_json(self)
    local method = self.methods[self.names[1]]
    local given = self.options.json
    if given and method then
        local ok, problem = pcall(method.input.to_json, method.input, "", given)
        if not ok and problem:find("^protobuf: ") then
            blame("json: %s", problem:match("^protobuf: (.*)"))
        end
    end
end

-- A service of a schema: the object for the script, and what it is to us. Beside it others may be
-- served, such as health: extras(self) gives their routes.
function service.new(schema, name, given, extras)
    local self = {
        schema = schema,
        name = name,
        options = options.check("service", given, defaults),
        is_told = extras ~= nil, -- of what is served beside it nobody is told
        methods = {},
        names = {}, -- of the methods, in the order of the .proto
    }
    for i, method in ipairs(service.find(schema, name).methods) do
        self.methods[method.name] = method
        self.names[i] = method.name
    end
    self.protocols = as_set(self.options.protocols)
    self.cors = cors.new(self.options)
    check_json(self)
    local metatable = { __name = "moontrail.grpc.service" }
    function metatable.__newindex(object, key, value)
        check_field(self, key, value)
        rawset(object, key, value)
    end
    function metatable.__routes(object)
        local routes, notes = {}, {}
        if extras then
            extras(self, routes, notes)
        end
        add_routes(self, object, routes, notes)
        return routes, notes
    end
    return setmetatable({}, metatable)
end

-- The routes of a service that is made once, so that all who serve it have the same functions.
function service.routes(object)
    return getmetatable(object).__routes(object)
end

return service
