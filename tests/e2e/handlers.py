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

PARK = """
    return function() require("moontrail").sleep(3600) end"""

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
