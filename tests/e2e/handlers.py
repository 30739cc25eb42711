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
