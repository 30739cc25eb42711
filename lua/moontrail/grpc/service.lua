-- Services: what a script fills with functions, and the routes that come of it.
local blame = require("moontrail.grpc.script").blame
local options = require "moontrail.grpc.options"
local serve = require "moontrail.grpc.serve"

local service = {}

local defaults = {
    max_message = options.MESSAGE_MAX,
    compression = false,
    health = true,
    reflection = true,
}

-- A method as --check shows it, in the words of a .proto.
local function describe(method)
    return ("rpc (%s%s) returns (%s%s)"):format(
        method.client_streaming and "stream " or "", method.input_name,
        method.server_streaming and "stream " or "", method.output_name)
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
        blame("%s has no method %s", self.name, name)
    end
end

-- handler is nil for a method that the script leaves out.
local function make_route(self, method, handler)
    local input, output = method.input, method.output
    return serve.route {
        path = ("/%s/%s"):format(self.name, method.name),
        schema = self.schema,
        handler = handler,
        input = input,
        output = output,
        decode = input.decode,
        encode = output.encode,
        client_streaming = method.client_streaming,
        server_streaming = method.server_streaming,
        limit = self.options.max_message,
        compression = self.options.compression,
    }
end

-- Adds the routes of a service, whose functions the script has set by now, and notes on them.
local function add_routes(self, object, routes, notes)
    for name, value in next, object do
        check_field(self, name, value)
    end
    for name, method in pairs(self.methods) do
        local path = ("/%s/%s"):format(self.name, name)
        local handler = rawget(object, name)
        routes[path] = { POST = make_route(self, method, handler) }
        notes[path] = describe(method) .. (handler and "" or ", not implemented")
    end
end

-- A service of a schema, as the .proto has it.
function service.find(schema, name)
    local found = schema:service(name)
    if not found then
        blame("there is no service %s; there is %s",
            name, table.concat(schema:services(), ", "))
    end
    return found
end

-- A service of a schema: the object for the script, and what it is to us. Beside it others may be
-- served, such as health: extras(self) gives their routes.
function service.new(schema, name, given, extras)
    local self = {
        schema = schema,
        name = name,
        options = options.check("service", given, defaults),
        methods = {},
    }
    for _, method in ipairs(service.find(schema, name).methods) do
        self.methods[method.name] = method
    end
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
