"""Handlers that loop or hoard: each costs its own request, and its neighbours a moment."""
import pytest

from bystander import Bystander

HELLO = "return function(ctx) ctx:text('hello') end"

LOOPS = {
    "plain": "while true do end",
    "pcall": "while true do pcall(function() while true do end end) end",
    "xpcall": "while true do xpcall(function() while true do end end, function() end) end",
    "coroutine": "coroutine.wrap(function() while true do end end)()",
    "nested": """coroutine.wrap(function() while true do
        pcall(coroutine.wrap(function() while true do end end)) end end)()""",
    "comparator": """local t = {} for i = 1, 50 do t[i] = i end
        while true do pcall(table.sort, t, function() while true do end end) end""",
    "metamethod": """local t = setmetatable({}, {__index = function() while true do end end})
        return t.x""",
    "close": """local _ <close> = setmetatable({}, {__close = function() while true do end end})
        error('first')""",
    "closed": """local co = coroutine.create(function()
            local _ <close> = setmetatable({}, {__close = function() while true do end end})
            coroutine.yield()
        end)
        coroutine.resume(co)
        coroutine.close(co)""",
    "closed again and again": """local function new() local co = coroutine.create(function()
            local _ <close> = setmetatable({}, {__close = function() while true do end end})
            coroutine.yield() end) coroutine.resume(co) return co end
        while true do pcall(coroutine.close, new()) end""",
    "wrapped": """coroutine.wrap(function()
            local _ <close> = setmetatable({}, {__close = function() while true do end end})
            error('first')
        end)()""",
    "close in a chain": """coroutine.wrap(function()
            local _ <close> = setmetatable({}, {__close = function()
                while true do pcall(function() while true do end end) end end})
            while true do end
        end)()""",
    "tostring": """error(setmetatable({}, {__tostring = function()
            while true do pcall(function() while true do end end) end end}))""",
    "handler of errors": "xpcall(error, function() while true do end end)",
    "pcall in xpcall": """while true do xpcall(function()
            while true do pcall(function() while true do end end) end end, debug.traceback) end""",
    "gsub": "while true do pcall(string.gsub, 'x', 'x', function() while true do end end) end",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_loop_costs_its_own_request(loop, start, connect):
    server = start({"hello.lua": HELLO, "loop.lua": f"return function(ctx) {loop} end"},
                   "--max-cpu", "0.1")
    bystander = Bystander(connect(server.https))
    before = server.cpu()
    bystander.start()
    response = connect(server.https).fetch("/loop")
    bystander.stop()
    taken = server.cpu() - before
    assert response.status == 500
    server.wait_for(r"handler failed .*")
    assert bystander.count > 0
    # What the design allows, 0.25 s, times what sanitizers cost, and what the bystander asked for.
    assert taken < 1 + 0.01 * bystander.count


def test_work_that_waits_now_and_then_is_not_stopped(start, connect):
    work = """local mt = require "moontrail"
        return function(ctx)
            local stop = os.clock() + 0.4
            while os.clock() < stop do for i = 1, 1000 do end mt.sleep(0) end
            ctx:text("done")
        end"""
    server = start({"work.lua": work}, "--max-cpu", "0.1")
    assert connect(server.https).fetch("/work").text == "done"


def test_no_limit_when_it_is_zero(start, connect):
    work = """return function(ctx)
            local stop = os.clock() + 0.3
            while os.clock() < stop do end
            ctx:text("done")
        end"""
    server = start({"work.lua": work}, "--max-cpu", "0")
    assert connect(server.https).fetch("/work").text == "done"


def test_hoarding_costs_its_own_request(start, connect):
    hoard = """return function(ctx)
            local t = {}
            while true do t[#t + 1] = ("x"):rep(100000) .. #t end
        end"""
    server = start({"hello.lua": HELLO, "hoard.lua": hoard}, "--max-vm-memory", "32",
                   "--max-cpu", "0")
    connection = connect(server.https)
    for _ in range(3):
        assert connection.fetch("/hoard").status == 500
        server.wait_for(r"not enough memory")
        assert connection.fetch("/hello").text == "hello"


def test_task_that_loops_is_ended(start, connect):
    script = """local mt = require "moontrail"
        return function(ctx)
            local ok, problem = pcall(function()
                mt.spawn(function() while true do end end):join()
            end)
            ctx:text(problem)
        end"""
    server = start({"spawn.lua": script}, "--max-cpu", "0.1")
    assert "ran too long without waiting" in connect(server.https).fetch("/spawn").text


def test_loop_in_a_callback_of_a_c_function(start, connect):
    """A hook that raises leaves its coroutine without hooks; the next request has them."""
    script = """return function(ctx)
            local t = {} for i = 1, 50 do t[i] = i end
            if ctx.query then table.sort(t, function() while true do end end) end
            while true do end
        end"""
    server = start({"loop.lua": script, "hello.lua": HELLO}, "--max-cpu", "0.1")
    client = connect(server.https)
    for path in ("/loop?sort", "/loop", "/loop?sort", "/loop"):
        assert client.fetch(path).status == 500
    assert client.fetch("/hello").text == "hello"
