-- The gateway: a server of gRPC behind gRPC-Web, Connect, JSON and its templates of
-- google.api.http.
--
-- gRPC goes through whole. gRPC-Web is another framing of the same bytes, and needs no types. The
-- rest is served by types, which are a file's, or the server's own, by its reflection.
local blame = require("moontrail.runtime.script").blame
local cors = require "moontrail.grpc.cors"
local gateway_call = require "moontrail.grpc.gateway_call"
local gateway_reflection = require "moontrail.grpc.gateway_reflection"
local gateway_types = require "moontrail.grpc.gateway_types"
local media = require "moontrail.grpc.media"
local mt = require "moontrail"
local options = require "moontrail.grpc.options"
local serve = require "moontrail.grpc.serve"
local status = require "moontrail.grpc.status"
local ways = require "moontrail.grpc.ways"

local codes = status.codes

local gateway = {}

local defaults = {
    ca = false,
    connect_timeout = false,
    credentials = false,
    file = false,
    json = false,
    keepalive = false,
    max_message = options.MESSAGE_MAX,
    origins = false,
    reflect = true,
    services = false,
    transcode = true,
    verify = true,
}

-- Seconds that a call waits for types, and between two times that they are asked for.
local PATIENCE, PAUSE = 5, 5

-- Types.

local function refresh(self)
    self.asked = mt.now()
    self.problem = status.new(codes.UNAVAILABLE, "they could not be read in time")
    local ok, schema, names =
        pcall(gateway_reflection.read, self.backend, self.options.services or nil, PATIENCE)
    if ok then
        self.types = gateway_types.new(self.backend, schema, names, self.options)
        self.problem = nil
    else
        self.problem = schema
    end
    self.stale, self.backend.lost = not ok, false
end

-- Whether the request that the types were asked for has ended, which says nothing of the server.
local function is_abandoned(problem)
    return type(problem) == "table" and problem.kind == "abort"
end

-- Asks for types unless somebody does so already, and waits for them.
local function await_refresh(self)
    local task = self.task or mt.spawn(refresh, self)
    self.task = task
    pcall(task.join, task)
    if self.task == task then
        self.task = nil
    end
    if is_abandoned(self.problem) then
        refresh(self)
    end
end

-- Whether to ask for types now; missing: those that there are do not do.
local function is_due(self, missing)
    if not self.options.reflect or self.options.file then
        return false
    end
    return self.task ~= nil
        or mt.now() >= self.asked + PAUSE
            and (not self.types or self.stale or self.backend.lost or missing)
end

local function update(self, missing)
    if is_due(self, missing) then
        await_refresh(self)
        return true
    end
    return false
end

-- The status of calls that need types where there are none.
local function without_types(self)
    local problem = self.problem
    if not self.options.reflect then
        return status.new(codes.UNIMPLEMENTED,
            "this needs the service's types: the gateway has no file, and may not reflect")
    end
    if status.is(problem) and problem.code == codes.UNIMPLEMENTED then
        return status.new(codes.UNIMPLEMENTED,
            "this needs the service's types: there is no file, and the server does not reflect")
    end
    return status.new(codes.UNAVAILABLE,
        "the types of the service cannot be had now: " .. tostring(problem))
end

-- Requests.

-- Whether only a client of an RPC would say so.
local function is_rpc(ctx, kind)
    return kind:find("^application/connect%+") or kind == "application/proto"
        or ctx:request_header("connect-protocol-version") ~= nil
end

-- What answers where no method does.
local function answer_none(self, ctx, kind)
    if self.types and gateway_types.has_service(self.types, ctx.path) then
        return self.unknown(ctx)
    end
    local is_call = is_rpc(ctx, kind) or kind == "application/json" and ctx.method == "POST"
    if not self.types and is_call then
        return self.without_types(ctx)
    end
    if is_rpc(ctx, kind) then
        return self.unknown(ctx)
    end
    ctx:status(404)
    ctx:text("Not Found\n")
end

local function answer_by_types(self, ctx, kind)
    local asked = update(self, false)
    local found = self.types and gateway_types.find(self.types, ctx)
    if not found and not asked and update(self, true) then
        found = self.types and gateway_types.find(self.types, ctx)
    end
    if found then
        return found(ctx)
    end
    answer_none(self, ctx, kind)
end

-- gRPC as it is; where the other server is behind a socket in the file system, frame by frame,
-- since there is no URL for HTTP/2 over one.
local function answer_grpc(self, ctx)
    if self.upstream and ctx:supports_trailers() then
        ctx:proxy(self.upstream)
        return
    end
    self.framed(ctx)
end

local function answer(self, ctx)
    local kind = media.type_of(ctx:request_header("content-type"))
    if media.is_any_grpc(kind) then
        return answer_grpc(self, ctx)
    end
    if kind:find("^application/grpc%-web") then
        return self.framed(ctx)
    end
    answer_by_types(self, ctx, kind)
end

-- Making.

-- The handler of methods of which nothing is known but how their messages are framed.
local function make_framed(self)
    local identity = {
        name = "bytes",
        decoder = function() return function(bytes) return bytes end end,
        encode = function(_, bytes) return bytes end,
        from_json = function(_, text) return text end,
        to_json = function(_, text) return text end,
    }
    local handler = gateway_call.handler_of_any(self.backend)
    local handlers = serve.route {
        path = "/any", -- each call has its own
        schema = { message = function() return nil end },
        handler = handler,
        given_handler = handler,
        input = identity,
        output = identity,
        client_streaming = true,
        server_streaming = true,
        limit = self.options.max_message,
        compression = false,
        protocols = { grpc = true, ["grpc-web"] = true },
    }
    return function(ctx)
        return (handlers[ctx.method] or handlers["*"])(ctx)
    end
end

-- The URL for ctx:proxy, by which HTTP/2 is spoken; nil where there is none.
local function upstream_of(url)
    if url:find("^unix:") then
        return nil
    end
    return (url:gsub("^http:", "h2c:"))
end

local function check_url(url)
    if type(url) ~= "string" then
        blame("grpc.gateway takes the URL of a gRPC server, not a %s", type(url))
    end
    if not (url:find("^%w+://[^/?#]+/?$") or url:find("^unix:.")) then
        blame("the URL of a gRPC server is h2c://HOST:PORT, https://HOST or unix:FILE, not %s", url)
    end
end

-- What --check and --openapi list: the methods that a file tells of.
local function add_notes(self, routes, notes, handle)
    if self.types then
        gateway_types.tell(self.types)
    end
    for path, note in pairs(self.types and self.types.notes or {}) do
        routes[path] = { ["*"] = handle }
        notes[path] = note
    end
    local list = {}
    for i, binding in ipairs(self.types and self.types.bindings or {}) do
        list[i] = binding.note
    end
    notes["/[...path]"] = "gateway to " .. self.url
        .. (#list > 0 and "; " .. table.concat(list, "; ") or "")
end

-- A handler, for a script that takes all paths. load(file) gives the schema of a file.
function gateway.new(url, given, load)
    check_url(url)
    local self = { url = url, options = options.check("gateway", given, defaults), asked = -PAUSE }
    self.backend = gateway_call.backend(url, self.options)
    self.upstream = upstream_of(url)
    if self.options.file then
        self.types = gateway_types.new(self.backend, load(self.options.file),
            self.options.services or nil, self.options)
    end
    self.framed, self.unknown = make_framed(self), serve.unknown()
    self.without_types = serve.unknown(function() return without_types(self) end)
    local rpc = { protocols = ways.all, allowed = "GET, POST, PUT, DELETE, PATCH" }
    local rules = cors.new(self.options)
    local function handle(ctx) answer(self, ctx) end
    local outer = rules and cors.outer(rules, rpc)
    mt.wrap(handle, { outer = outer, failed = serve.failed() })
    return setmetatable({}, {
        __name = "moontrail.grpc.gateway",
        __call = function(_, ctx)
            if outer then
                return outer(ctx, function() handle(ctx) end)
            end
            return handle(ctx)
        end,
        __routes = function()
            local routes, notes = { ["/[...path]"] = { ["*"] = handle } }, {}
            add_notes(self, routes, notes, handle)
            return routes, notes
        end,
    })
end

return gateway
