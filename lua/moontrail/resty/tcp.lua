-- ngx.socket.tcp, on mt.socket.
local mt = require "moontrail"
local until_mark = require "moontrail.resty.until_mark"

local ENDLESS = 1e8 -- seconds: the longest time that there is
local UNBOUNDED = math.maxinteger
local POOL_SIZE = 30

local Tcp = {}
Tcp.__index = Tcp

-- How the connections of each pool were last secured: those that it keeps are found only by that.
local secured = {}

local function seconds(milliseconds)
    milliseconds = tonumber(milliseconds) or 0
    return milliseconds > 0 and math.min(milliseconds / 1000, ENDLESS) or 60
end

-- What happened, as OpenResty says it. Whatever ends the request is raised.
local function failure(err)
    local kind = type(err) == "table" and err.kind
    if kind == "timeout" then
        return "timeout"
    elseif kind == "lost" then
        return "closed"
    elseif kind == "unreachable" or kind == "protocol" then
        local colon = err.message:match("^.*(): ")
        local text = colon and err.message:sub(colon + 2) or err.message
        return (text:gsub("^%u", string.lower))
    end
    error(err, 0)
end

-- Gives what came in part, which a read that has failed leaves there.
local function leftover(socket)
    socket:set_timeout(1e-9)
    local ok, rest = pcall(socket.read, socket)
    if ok then
        return rest or ""
    end
    failure(rest)
    return ""
end

function Tcp:_lose()
    if self.socket then
        self.socket:close()
        self.socket = nil
    end
end

-- Goes on with the results of a protected read: one that has failed gives what had come too, and
-- one that has met the end is closed.
function Tcp:_taken(ok, data, rest)
    if not ok then
        local text = failure(data)
        local partial = leftover(self.socket)
        if text ~= "timeout" then
            self:_lose()
        end
        return nil, text, partial
    end
    if data then
        return data
    end
    self:_lose()
    return nil, "closed", rest or ""
end

function Tcp:_read(name, ...)
    local socket = self.socket
    if not socket then
        return nil, "closed"
    end
    socket:set_timeout(self.read_timeout)
    return self:_taken(pcall(socket[name], socket, ...))
end

-- Times, in milliseconds.

function Tcp:settimeout(milliseconds)
    return self:settimeouts(milliseconds, milliseconds, milliseconds)
end

function Tcp:settimeouts(connect, send, read)
    self.connect_timeout = seconds(connect)
    self.send_timeout = seconds(send)
    self.read_timeout = seconds(read)
end

-- Connecting.

local function url_of(host, port)
    if host:find("^unix:") then
        return host
    end
    if host:find(":", 1, true) and not host:find("^%[") then
        host = "[" .. host .. "]"
    end
    return ("tcp://%s:%d"):format(host, port)
end

-- connect(host, port [, options]), or connect("unix:…" [, options])
function Tcp:connect(host, port, options)
    host = tostring(host)
    if host:find("^unix:") then
        options = type(port) == "table" and port or options
    else
        port = math.tointeger(tonumber(port))
        if not port or port < 1 or port > 65535 then
            return nil, "bad port number"
        end
    end
    self:_lose()
    self.url = url_of(host, port)
    self.pool = options and options.pool or self.url
    return self:_dial(secured[self.pool])
end

function Tcp:_dial(tls)
    self.tls = tls
    local order = { connect_timeout = self.connect_timeout, pool = self.pool }
    for name, value in pairs(tls or {}) do
        order[name] = value
    end
    local ok, socket = pcall(mt.socket.connect, self.url, order)
    if not ok then
        return nil, failure(socket)
    end
    self.socket = socket
    return 1
end

local function same(a, b)
    return a and a.verify == b.verify and a.server_name == b.server_name and a.cert == b.cert
        and a.key == b.key
end

-- One that was kept has TLS already. If that was secured in another way than is asked for now, a
-- new connection takes its place.
function Tcp:sslhandshake(reused_session, server_name, verify)
    if not self.socket then
        return nil, "closed"
    end
    local tls = { verify = verify and true or false, server_name = server_name, cert = self.cert,
        key = self.cert_key }
    if self.socket.tls and not same(self.tls, tls) then
        self:_lose()
        local ok, problem = self:_dial { pool_size = 0 }
        if not ok then
            return nil, problem
        end
    end
    if not self.socket.tls then
        local ok, problem = self:_secure(tls)
        if not ok then
            return nil, problem
        end
    end
    return reused_session ~= false and {} or true
end

function Tcp:_secure(tls)
    if self.url:find("^unix:") and not tls.server_name then
        tls.server_name = "localhost"
    end
    self.socket:set_timeout(self.connect_timeout)
    local ok, err = pcall(self.socket.start_tls, self.socket, tls)
    if not ok then
        local text = failure(err)
        self:_lose()
        return nil, text
    end
    self.tls = tls
    secured[self.pool] = tls
    return true
end

-- Files, where OpenResty takes what it has read from them.
function Tcp:setclientcert(cert, key)
    self.cert, self.cert_key = cert, key
    return true
end

-- Sending: strings and numbers, and arrays of them.

local function flatten(value, out)
    local kind = type(value)
    if kind == "table" then
        for _, one in ipairs(value) do
            flatten(one, out)
        end
    elseif kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then
        out[#out + 1] = tostring(value)
    else
        error(("bad argument #1 to 'send' (string or array expected, got %s)"):format(kind), 3)
    end
    return out
end

function Tcp:send(data)
    local text = type(data) == "string" and data or table.concat(flatten(data, {}))
    local socket = self.socket
    if not socket then
        return nil, "closed"
    end
    socket:set_timeout(self.send_timeout)
    local ok, err = pcall(socket.write, socket, text)
    if not ok then
        local problem = failure(err)
        self:_lose()
        return nil, problem
    end
    return #text
end

-- Receiving.

-- "*l", unless told otherwise, is a line; "*a" all that comes until the end.
function Tcp:receive(pattern)
    local size = tonumber(pattern)
    if size then
        return self:_receive_exactly(math.tointeger(size))
    elseif pattern == nil or pattern == "*l" then
        return self:_read("read_line", UNBOUNDED)
    elseif pattern == "*a" then
        return self:_receive_all()
    end
    error("bad argument #1 to 'receive' (bad pattern argument: " .. tostring(pattern) .. ")", 2)
end

function Tcp:_receive_exactly(size)
    if not size or size < 0 then
        error("bad argument #1 to 'receive' (bad number argument)", 3)
    end
    local data, err, partial = self:_read("read_exactly", size)
    if data and #data < size then
        self:_lose()
        return nil, "closed", data
    end
    return data, err, partial
end

function Tcp:_receive_all()
    local pieces = {}
    repeat
        local piece, err, partial = self:_read("read")
        pieces[#pieces + 1] = piece or partial
        if err and err ~= "closed" or not partial and not piece then
            return nil, err, table.concat(pieces)
        end
    until err
    return table.concat(pieces)
end

function Tcp:receiveany(max)
    return self:_read("read", max)
end

function Tcp:receiveuntil(mark, options)
    return until_mark.iterator(self, mark, options and options.inclusive)
end

-- The end.

function Tcp:shutdown(direction)
    if not self.socket then
        return nil, "closed"
    end
    if direction ~= "send" then
        return nil, "bad shutdown argument"
    end
    local ok, err = pcall(self.socket.finish, self.socket)
    if not ok then
        return nil, failure(err)
    end
    return 1
end

function Tcp:close()
    if not self.socket then
        return nil, "closed"
    end
    self:_lose()
    return 1
end

function Tcp:setkeepalive(milliseconds, size)
    local socket = self.socket
    if not socket then
        return nil, "closed"
    end
    self.socket = nil
    local idle = milliseconds == 0 and ENDLESS or seconds(milliseconds)
    if socket:keep { pool_idle = idle, pool_size = size or POOL_SIZE } then
        return 1
    end
    return nil, "connection in dubious state"
end

function Tcp:getreusedtimes()
    if not self.socket then
        return nil, "closed"
    end
    return self.socket.reused and 1 or 0
end

-- Nothing that can be set makes a difference here.
function Tcp.setoption()
    return 1
end

local tcp = {}

function tcp.new()
    local self = setmetatable({}, Tcp)
    self:settimeout(60000)
    return self
end

function tcp.connect(...)
    local self = tcp.new()
    local ok, err = self:connect(...)
    if not ok then
        return nil, err
    end
    return self
end

return tcp
