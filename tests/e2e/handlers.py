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

HELLO = "return function(ctx) ctx:text('hello') end"

# Which worker answers.
WHO = "return function(ctx) ctx:text(ctx.id:match('%d+')) end"

# Begins, and goes on with the request's body.
WAIT = """
    return function(ctx)
        ctx:write("begun")
        ctx:write(ctx:body())
    end"""
