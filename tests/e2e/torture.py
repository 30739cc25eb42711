"""Scripts that do all that scripts may do wrong, and what their clients must get for it.

Each of KINDS is a handler and a Kind: how it is asked, and a test of the response.
"""
import gzip
import json
import random
from dataclasses import dataclass
from typing import Callable

from test_budget import LOOPS

# Counts handlers and callbacks, and lets the collector step on every allocation, in turns by each
# of its two ways.
COUNTS = """
    local counts = { open = {}, aborted = 0, called = 0 }
    local guard = { __close = function(self) counts.open[self.name] = nil end }
    local turns = 0
    function counts.guard(ctx)
        turns = turns + 1
        if turns % 64 < 32 then collectgarbage("incremental", 1, 1000, 4)
        else collectgarbage("generational", 1, 1) end
        if turns % 16 == 0 then collectgarbage() end
        local name = ctx.id .. " " .. ctx.path .. "?" .. (ctx.query or "")
        local one = setmetatable({ name = name }, guard)
        counts.open[name] = true
        return one
    end
    return counts"""

HANDLER = """
    local mt, counts = require "moontrail", require "_counts"
    local json, zlib = require "moontrail.json", require "moontrail.zlib"
    return function(ctx)
        local guard <close> = counts.guard(ctx)
        %s
    end"""

ERRORS = [
    "error('text')", "error()", "error({})", "error({message = 'm', code = 1})",
    "error(setmetatable({}, {__tostring = error}))", "local t = nil; return t.x",
    "local t = {} t.t = t error(t)", "local function f() return f() + 1 end f()",
    "local function f() coroutine.wrap(f)() end f()",
    "local function f() local ok, e = pcall(f) error(e, 0) end f()",
    "xpcall(error, function(e) error(e) end) error('behind')",
    "local a <close> = setmetatable({}, {__close = error}) error('before')",
    "coroutine.wrap(function() mt.sleep(0.001) error('inner') end)()",
    "mt.spawn(error, 'of a task'):join()", "mt.all(function() mt.sleep(1) end, error)",
    "setmetatable({}, {__gc = error}) collectgarbage() error('behind')",
    "ctx:header('x-lost', 'x') ctx:write('lost') error('written')",
    "return ('x'):find(('('):rep(40))", "json.decode('[')", "zlib.decompress('no')",
    "ctx:status(9)", "mt.sleep(-1)", "os.exit()", "coroutine.yield()",
]


# A __close that swallows its own end takes those that follow it along: there is no ledger of it.
ENDLESS = [loop for name, loop in LOOPS.items() if name != "close in a chain"]


@dataclass
class Kind:
    script: str
    weight: int
    check: Callable  # of the response and the request's query
    method: str = "GET"
    body: Callable = lambda query: b""
    headers: tuple = ()
    cancels: bool = False  # the client resets after a moment


def fails(response, query):
    return response.status == 500 and response.text == "Internal Server Error\n"


def says(text):
    return lambda response, query: (response.status, response.text) == (200, text)


def choose(branches):
    """A handler that takes a branch by its query."""
    return "".join(f"if tonumber(ctx.query) % {len(branches)} == {number} then {branch} end\n"
                   for number, branch in enumerate(branches))


def big(query):
    return random.Random(query).randbytes(50000 + int(query) % 100000)


KINDS = {
    "wait": Kind("mt.sleep(ctx.query % 20 / 1000) ctx:text(ctx.query)", 20,
                 lambda response, query: response.text == query),
    "loop": Kind(choose(ENDLESS), 2, fails),
    "fail": Kind(choose(ERRORS), 30, fails),
    "fail_late": Kind("ctx:write('x') ctx:flush() error('late')", 5,
                      lambda response, query: response.reset == 2),
    "hoard": Kind("""
        local piece = ('x'):rep(1 << 10):rep(1 << 10)
        local ok, problem = pcall(function()
            for i = 1, math.huge do hoard = {hoard, piece .. i} end
        end)
        hoard = nil
        collectgarbage()
        ctx:text(tostring(ok) .. ' ' .. problem)""", 5, says("false not enough memory")),
    "hoard_fail": Kind("""
        local hoard, piece = nil, ('x'):rep(1 << 10):rep(1 << 10)
        for i = 1, math.huge do hoard = {hoard, piece .. i} end""", 5, fails),
    "leak": Kind("leaks = {leaks, ('x'):rep(10000) .. ctx.id} ctx:text('leaked')", 10,
                 says("leaked")),
    "reset": Kind("""
        ctx:on_abort(function() counts.called = counts.called + 1 end)
        counts.aborted = counts.aborted + 1
        ctx:write('x')
        ctx:reset(tonumber(ctx.query))
        ctx:write('x')""", 10, lambda response, query: response.reset == int(query)),
    "cancel": Kind("""
        ctx:on_abort(function() counts.called = counts.called + 1 end)
        counts.aborted = counts.aborted + 1
        """ + choose(["mt.sleep(3600)", "ctx:body()", "while true do ctx:read() mt.sleep(0.01) end",
                      "while true do ctx:write(('x'):rep(100000)) mt.sleep(0.1) end",
                      "coroutine.wrap(function() pcall(mt.sleep, 3600) mt.sleep(3600) end)()",
                      "while true do pcall(mt.sleep, 3600) end",
                      "while true do xpcall(mt.sleep, print, 3600) end",
                      "mt.all(function() ctx:body() end, function() mt.sleep(3600) end)",
                      "local t <const> = mt.spawn(ctx.read, ctx) t:join() mt.sleep(3600)"]),
                   15, None, "POST", cancels=True),
    "nested": Kind("""
        local function nest(n)
            if n == 0 then mt.sleep(0.002) return ctx.query end
            local co = coroutine.wrap(function() coroutine.yield(n) return nest(n - 1) end)
            assert(co() == n)
            return co()
        end
        ctx:text(nest(10))""", 15, lambda response, query: response.text == query),
    "spawn": Kind("""
        local tasks, sum = {}, 0
        for i = 1, 5 do tasks[i] = mt.spawn(function(n) mt.sleep(0.001 * n) return n end, i) end
        for _, task in ipairs(tasks) do sum = sum + task:join() end
        local late = mt.spawn(mt.sleep, 3600)
        late:cancel()
        local ok, problem = pcall(late.join, late)
        local a, b = mt.all(function() mt.sleep(0) return 1 end, function() return 2 end)
        ctx:text(sum .. a .. b .. tostring(ok) .. problem)""", 10,
                  says("1512falsetask cancelled: cancelled")),
    "deadline": Kind("""
        ctx:deadline(0.005)
        local _, problem = pcall(mt.sleep, 3600)
        ctx:text(problem)""", 10, says("timeout: deadline exceeded")),
    "echo": Kind("""
        local piece = ctx:read()
        while piece do ctx:write(piece) piece = ctx:read(ctx.query % 30000 + 500) end
        ctx:append_trailer('x-t', ctx.query)""", 8,
                 lambda response, query: response.body == big(query)
                 and response.trailers == [("x-t", query)], "POST", big),
    "form": Kind("local form = ctx:form() ctx:text(form.a .. form.b)", 10, says("one two"),
                 "POST", lambda query: b"a=one+&b=two",
                 (("content-type", "application/x-www-form-urlencoded"),)),
    "json": Kind("local value = json.decode(ctx:body()) value.more = {1, 2.5} ctx:json(value)", 10,
                 lambda response, query: json.loads(response.body) ==
                 {"n": int(query), "l": [], "more": [1, 2.5]},
                 "POST", lambda query: json.dumps({"n": int(query), "l": []}).encode()),
    "gzip": Kind("ctx:write(zlib.compress(ctx:body() .. ctx.query))", 10,
                 lambda response, query:
                 gzip.decompress(response.body) == big(query) + query.encode(), "POST", big),
    "keep": Kind("""
        kept = kept or {}
        local old = kept[ctx.query % 7]
        kept[ctx.query % 7] = ctx
        if old and old ~= ctx then
            local ok, problem = pcall(old.on_abort, old, print)
            assert(ok or problem == 'request has ended', problem)
            assert(not pcall(function() old.path = 1 end))
        end
        mt.sleep(ctx.query % 3 / 1000)
        ctx:text('kept')""", 15, says("kept")),
}

SCRIPTS = {
    "_counts.lua": COUNTS,
    "hello.lua": "return function(ctx) ctx:text('hello') end",
    "counts.lua": """
        return function(ctx)
            local counts, open = require "_counts", {}
            for name in pairs(counts.open) do open[#open + 1] = name end
            ctx:json {open = open, aborted = counts.aborted, called = counts.called}
        end""",
    **{f"{name}.lua": HANDLER % kind.script for name, kind in KINDS.items()},
}
