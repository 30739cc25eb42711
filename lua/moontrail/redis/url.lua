-- Where a server is, and how it is spoken to: a URL and the options of redis.connect.
local connection = require "moontrail.redis.connection"
local digest = require("moontrail.crypto.primitives").digest
local script = require "moontrail.runtime.script"
local wire = require "moontrail.redis.wire"
local percent = require "moontrail.runtime.percent"

local url = {}

local PORT = 6379

-- Those that the socket takes as they are.
local of_socket = {
    ca = "string",
    cert = "string",
    connect_timeout = "number",
    key = "string",
    pool = "string",
    pool_idle = "number",
    pool_size = "number",
    server_name = "string",
    timeout = "number",
    verify = "boolean",
}

-- What it says beside the URL.
local of_login = { db = "number", password = "string", user = "string" }

-- A URL as errors show it.
local function without_password(text)
    return (text:gsub("//[^/]*@", "//"))
end

local function blame_url(text, why)
    script.blame("redis.connect: %s: %s", without_password(text), why)
end

-- USER:PASSWORD@, where it is there.
local function read_login(text, userinfo)
    local user, password = userinfo:match("^([^:]*):(.*)$")
    if not user then
        blame_url(text, "a password follows USER:, which may be empty")
    end
    return user ~= "" and percent.decode(user) or nil, percent.decode(password)
end

-- HOST[:PORT], the host of IPv6 in brackets.
local function read_authority(text, authority)
    local host, port = authority:match("^(%[[%x:.]+%])(.*)$")
    if not host then
        host, port = authority:match("^([^%s:%[%]]+)(.*)$")
    end
    if not host then
        blame_url(text, "no host")
    end
    if port == "" then
        return host, PORT
    end
    local number = math.tointeger(tonumber(port:match("^:(%d+)$")))
    if not number or number < 1 or number > 65535 then
        blame_url(text, "no such port")
    end
    return host, number
end

local function read_db(text, path)
    if path == "" or path == "/" then
        return nil
    end
    local db = path:match("^/(%d+)$")
    if not db or #db > 9 then
        blame_url(text, "the path is the number of a database")
    end
    return math.tointeger(tonumber(db))
end

-- redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss://…, unix:FILE
local function parse(text)
    if type(text) ~= "string" then
        script.blame("redis.connect: a URL is a string, not a %s", type(text))
    end
    local file = text:match("^unix:(.+)$")
    if file then
        return { address = "unix:" .. file }
    end
    local scheme, rest = text:match("^(rediss?)://(.*)$")
    if not scheme then
        blame_url(text, "a URL is redis://HOST, rediss://HOST or unix:FILE")
    end
    local authority, path = rest:match("^([^/?#]*)(.*)$")
    local userinfo, place = authority:match("^(.*)@(.*)$")
    local user, password
    if userinfo then
        user, password = read_login(text, userinfo)
    end
    local host, port = read_authority(text, place or authority)
    local transport = scheme == "rediss" and "tls" or "tcp"
    return {
        address = ("%s://%s:%d"):format(transport, host, port),
        db = read_db(text, path),
        host = host,
        password = password,
        tls = transport == "tls",
        user = user,
    }
end

local function check_options(options)
    if type(options) ~= "table" then
        script.blame("redis.connect: options are a table, not a %s", type(options))
    end
    for name, value in pairs(options) do
        local kind = of_socket[name] or of_login[name]
        if not kind then
            script.blame("redis.connect: no option is named %q", tostring(name))
        elseif type(value) ~= kind then
            script.blame("redis.connect: %s is a %s, not a %s", name, kind, type(value))
        end
    end
    if options.user and not options.password then
        script.blame("redis.connect: a user has a password")
    end
    if options.pool_size and (not math.tointeger(options.pool_size) or options.pool_size < 0) then
        script.blame("redis.connect: pool_size is a number of connections")
    end
    if options.db and (not math.tointeger(options.db) or options.db < 0) then
        script.blame("redis.connect: db is the number of a database")
    end
end

-- What is sent at the beginning of a connection: an array of commands, nil for none.
local function greeting(server)
    local list = {}
    if server.password then
        list[1] = server.user and wire.command("AUTH", server.user, server.password)
            or wire.command("AUTH", server.password)
    end
    if server.db and server.db > 0 then
        list[#list + 1] = wire.command("SELECT", server.db)
    end
    return list[1] and list
end

-- Connections that are logged in as somebody, or have chosen a database, are used again by those
-- alone that would do the same.
local function pool_name(server, options)
    local name = "redis " .. (options.pool or "")
    if not server.greeting then
        return name
    end
    return name .. digest("sha256", table.concat(server.greeting)):sub(1, 16)
end

local function name_of(address)
    return (address:gsub("^tcp:", "redis:"):gsub("^tls:", "rediss:"))
end

-- Completes a server by the options, which were checked: its name in errors, what its sockets are
-- given, and what is sent at the beginning of each.
local function complete(server, options)
    for name in pairs(of_login) do
        if server[name] == nil then
            server[name] = options[name]
        end
    end
    local given = {}
    for name in pairs(of_socket) do
        given[name] = options[name]
    end
    server.greeting = greeting(server)
    given.pool = pool_name(server, options)
    server.options = given
    server.name = name_of(server.address)
    return connection.prepare(server)
end

-- Another server of the same cluster.
function url.at(model, host, address)
    local server = { address = address, host = host, name = name_of(address) }
    return connection.prepare(setmetatable(server, { __index = model }))
end

-- The server that a URL tells.
function url.read(text, options)
    check_options(options)
    return complete(parse(text), options)
end

return url
