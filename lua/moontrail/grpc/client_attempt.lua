-- One attempt of a call: a call of mt.http on one of the client's servers.
local blame = require("moontrail.runtime.script").blame
local client_head = require "moontrail.grpc.client_head"
local mt = require "moontrail"
local servers = require "moontrail.grpc.client_servers"
local status = require "moontrail.grpc.status"

local codes = status.codes

local attempt = {}

local FOREVER = client_head.FOREVER

local function fields_of(self, left)
    local fields = client_head.fields(self.metadata_out or {})
    self.rpc.way.prepare(self, fields, left < FOREVER and left or nil)
    fields["user-agent"] = fields["user-agent"] or "grpc-lua-moontrail/" .. mt.version
    if self.tries and self.tries.before > 0 and self.rpc.way.name ~= "connect" then
        fields["grpc-previous-rpc-attempts"] = self.tries.before
    end
    if self.payload and not self.rpc.way.version then
        fields["content-length"] = #self.payload[1] + #(self.payload[2] or "")
    end
    return fields
end

-- The seconds that are left for an attempt; of the first it is all that was given.
local function left_of(self)
    local left = self.left or (self.timed and self.due - mt.now() or FOREVER)
    self.left = nil
    if left <= 0 then
        error(client_head.late(), 0)
    end
    return left
end

local function options_of(self, server)
    local options, rpc = self.client.options, self.rpc
    local left = left_of(self)
    return {
        url = server.url,
        path = rpc.path,
        method = "POST",
        version = rpc.way.version,
        headers = fields_of(self, left),
        timeout = left < FOREVER and left or nil,
        connect_timeout = options.connect_timeout or nil,
        idle_timeout = FOREVER,
        keepalive = options.keepalive or nil,
        spread = true,
        verify = options.verify,
        ca = options.ca or nil,
    }
end

local function open(self, server)
    local ok, http = pcall(mt.http.open, options_of(self, server))
    if not ok and type(http) == "string" then
        blame("%s", http)
    elseif not ok then
        error(http, 0)
    end
    return http
end

-- Over HTTP/1.1 no reply is to be hoped for before the last request has gone.
local function refuse_http_1(self)
    error(status.new(codes.UNIMPLEMENTED,
        ("%s has streams both ways, which need HTTP/2: %s"):format(self.rpc.name,
            "the URL is h2c://… or https://…")), 0)
end

local function is_bidirectional(rpc)
    return rpc.client_streaming and rpc.server_streaming and not rpc.way.version
end

-- Waits for the connection, where it matters to a stream of requests whether there is one: such a
-- call cannot be made again elsewhere later. False where there is none; the failure is kept.
local function await(self, http)
    local both = is_bidirectional(self.rpc)
    if not self.rpc.client_streaming or not both and #self.client.servers.list == 1 then
        return true
    end
    local ok, result = pcall(http.connected, http)
    if not ok and not http.failure then
        error(result, 0)
    end
    if ok and both and result ~= "HTTP/2" then
        http:close()
        refuse_http_1(self)
    end
    return ok
end

-- Whether a failure means that the server has not seen the request.
function attempt.is_unseen(http)
    return http.failure == "unreachable" or http.failure == "refused"
end

local function begin(self, server)
    if server.is_http_1 and is_bidirectional(self.rpc) then
        refuse_http_1(self)
    end
    self.asked[server] = true
    self.server = server
    self.http = open(self, server)
    return await(self, self.http)
end

-- Begins an attempt on the next server that has not been asked: self.http, which may have failed
-- already. False where all have been.
function attempt.open(self)
    local server = servers.pick(self.client.servers, self.asked)
    local opened = server ~= nil
    while server do
        if begin(self, server) or not attempt.is_unseen(self.http) then
            return true
        end
        servers.note(server, true)
        server = servers.pick(self.client.servers, self.asked)
    end
    return opened
end

-- The attempt came to an end: whether the server could not be reached.
function attempt.note(self)
    servers.note(self.server, self.http.failure == "unreachable")
end

return attempt
