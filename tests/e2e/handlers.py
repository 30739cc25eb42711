"""Handlers that several tests serve."""

ECHO = """
    return function(ctx)
        local piece = ctx:read()
        while piece do
            ctx:write(piece)
            piece = ctx:read()
        end
    end"""

SIZE = """
    return function(ctx)
        local size, piece = 0, ctx:read()
        while piece do
            size, piece = size + #piece, ctx:read()
        end
        ctx:text(size)
    end"""

BIG = """
    local piece = ("x"):rep(65536)
    return function(ctx)
        for _ = 1, tonumber(ctx.query) do ctx:write(piece) end
    end"""

UPPER = """
    return function(ctx)
        ctx:flush()
        local piece = ctx:read()
        while piece do
            ctx:write(piece:upper())
            piece = ctx:read()
        end
    end"""

PIECES = """
    return function(ctx)
        local sizes, piece = {}, ctx:read(3)
        while piece do
            sizes[#sizes + 1] = #piece
            piece = ctx:read(3)
        end
        ctx:text(table.concat(sizes, " "))
    end"""

HEADERS = """
    return function(ctx)
        ctx:header { ["X-Set"] = "twice", ["x-number"] = 7 }
        ctx:header("x-set", "once")
        ctx:add_header("X-Added", "a")
        ctx:add_header("x-added", "b")
        ctx:header("x-gone", "soon")
        ctx:header("x-gone", nil)
        ctx:text((ctx.headers["x-two"] or "") .. "|" .. (ctx.headers.cookie or ""))
    end"""

STATUS = """
    return function(ctx)
        ctx:status(math.tointeger(ctx.params.code))
        ctx:header("x-method", ctx.method)
        ctx:text("some text")
    end"""

STREAM = """
    return function(ctx)
        for i = 1, 3 do
            ctx:write("piece ", i, "\\n")
            ctx:flush()
        end
    end"""

INFORM = """
    return function(ctx)
        ctx:inform(103, { link = "</style.css>; rel=preload" })
        ctx:inform(103, { link = "</code.js>; rel=preload" })
        ctx:body()
        ctx:text("page")
    end"""

PROTOCOL = """
    return function(ctx)
        ctx:text(ctx:protocol() .. " " .. tostring(ctx:supports_trailers()))
    end"""

FAIL = """
    return function(ctx)
        ctx:header("x-never", "sent")
        ctx:write("never sent")
        error("broke early")
    end"""

FAIL_LATE = """
    return function(ctx)
        ctx:write("sent")
        ctx:flush()
        local nothing
        return nothing.field
    end"""

DRIP = """
    return function(ctx)
        ctx:write("drop")
        ctx:flush()
        require("moontrail").sleep(3600)
    end"""

PARK = """
    return function() require("moontrail").sleep(3600) end"""

# Answers with each name of the API and its kind, by class.
WALK = """
    local mt, zlib, pb = require "moontrail", require "moontrail.zlib", require "moontrail.protobuf"
    local schema = pb.parse([[
        syntax = "proto3"; message A {} service S { rpc Chat(stream A) returns (stream A); }
        ]], "a.proto")
    local classes

    local function add(class, names)
        local kinds = {}
        for name, value in pairs(names) do
            kinds[name] = type(value) == "function" and "function" or "field"
            if type(value) == "table" and value ~= mt.ctx then
                add(class .. "." .. name, value)
            end
        end
        classes[class] = kinds
    end

    -- What a class in Lua has beside its metamethods.
    local function plain(names)
        local others = {}
        for name, value in pairs(names) do
            if not name:find "^__" then others[name] = value end
        end
        return others
    end

    -- The metatable of a call has a function as its __index, which looks into its methods.
    local function call_names(call, names)
        for i = 1, 9 do
            local name, value = debug.getupvalue(getmetatable(call).__index, i)
            for key, method in pairs(name == "methods" and value or {}) do
                names[key] = method
            end
        end
        return names
    end

    return function(ctx)
        classes = {}
        local task = mt.spawn(function() end)
        for name in pairs(package.preload) do
            if name:find("^moontrail%.?%w*$") then -- those below are for the modules' own use
                add(name, require(name))
            end
        end
        local _, names = debug.getupvalue(getmetatable(ctx).__index, 1)
        add("moontrail.ctx", names)
        add("moontrail.grpc.call", call_names(require("moontrail.grpc.call").new(),
            { ctx = true, metadata = true, compressed = true, request = true, protocol = true,
              codec = true, method = true }))
        local client = require("moontrail.grpc.client").new(schema, "http://127.0.0.1:1", "S")
        add("moontrail.grpc.client_call", call_names(client:Chat(),
            { metadata = true, trailers = true, protocol = true, codec = true, method = true,
              request = true, metadata_out = true, timeout = true }))
        local res = mt.http.open { url = "http://127.0.0.1:1" }
        _, names = debug.getupvalue(debug.getmetatable(res).__index, 1)
        add("moontrail.http.response", names)
        local s <close> = mt.socket.connect("tcp://" .. ctx.authority)
        _, names = debug.getupvalue(debug.getmetatable(s).__index, 1)
        add("moontrail.socket.connection", names)
        local redis = require "moontrail.redis"
        add("moontrail.redis.client", getmetatable(redis.connect "redis://h").__index)
        add("moontrail.redis.script", getmetatable(redis.script "").__index)
        add("moontrail.task", debug.getmetatable(task).__index)
        add("moontrail.hook", debug.getmetatable(mt.on_reload(print)).__index)
        local process <close> = mt.process { "true" }
        add("moontrail.process", debug.getmetatable(process).__index)
        add("moontrail.channel", debug.getmetatable(mt.channel()).__index)
        local map = require("moontrail.store").open "walk"
        local lock <close> = map:lock("walk", 10)
        local sub <close> = map:subscribe("walk")
        add("moontrail.store.map", debug.getmetatable(map).__index)
        add("moontrail.store.lock", debug.getmetatable(lock).__index)
        _, names = debug.getupvalue(debug.getmetatable(sub).__index, 1)
        add("moontrail.store.subscription", { dropped = true, close = names.close })
        local sql = require "moontrail.sql"
        local db, transaction = sql.open "sqlite:", nil
        db:transaction(function(tx) transaction = plain(getmetatable(tx)) end)
        add("moontrail.sql.database", plain(getmetatable(db)))
        add("moontrail.sql.transaction", transaction)
        local rows <close> = db:rows "select 1"
        add("moontrail.sql.rows", plain(getmetatable(rows)))
        classes["moontrail.sql.rows"].columns = "field"
        add("moontrail.limiter", debug.getmetatable(mt.limit { name = "walk", rate = 1 }).__index)
        add("moontrail.zlib.deflate", debug.getmetatable(zlib.deflate()).__index)
        add("moontrail.zlib.inflate", debug.getmetatable(zlib.inflate()).__index)
        add("moontrail.protobuf", pb)
        add("moontrail.protobuf.schema", debug.getmetatable(schema).__index)
        add("moontrail.protobuf.message", debug.getmetatable(schema:message("A")).__index)
        ctx:json(classes)
    end"""

# Runs the Lua code of the request's field "run", with ctx and mt, and answers with what it returns.
RUN = """
    local mt = require "moontrail"
    return function(ctx)
        local code = assert(load("local ctx, mt = ... " .. ctx.headers.run, "=run"))
        local results = table.pack(code(ctx, mt))
        for i = 1, results.n do
            results[i] = tostring(results[i])
        end
        if results.n > 0 then
            ctx:write(table.concat(results, "|"))
        end
    end"""


def begin_lua(client, code, method="GET", headers=(), **request):
    """Begins a request that has RUN, served at /, run the code, and gives its stream."""
    run = [("run", " ".join(code.split()))]
    return client.request("/", method, headers=run + list(headers), **request)


def run_lua(client, code, method="GET", **request):
    """The response of a request as begin_lua begins it."""
    return client.response(begin_lua(client, code, method, **request))
HELLO = "return function(ctx) ctx:text('hello') end"

# Which worker answers.
WHO = "return function(ctx) ctx:text(ctx.id:match('%d+')) end"

# Begins, and goes on with the request's body.
WAIT = """
    return function(ctx)
        ctx:write("begun")
        ctx:write(ctx:body())
    end"""
