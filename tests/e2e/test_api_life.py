"""What a request's end does to the functions of its ctx, in its handler and in other tasks."""
import re

import pytest

from handlers import RUN, begin_lua, run_lua

# Each function of ctx, with arguments that it takes.
CALLS = """{
    protocol = {}, supports_trailers = {}, declare_trailer = {"x"}, append_trailer = {"x", "y"},
    reset = {}, read = {}, body = {}, request_trailers = {}, args = {}, form = {}, cookie = {"a"},
    status = {}, header = {"a"}, add_header = {"a", "b"}, set_cookie = {"a", "b"}, inform = {103},
    write = {"x"}, try_write = {"x"}, flush = {}, finish = {}, text = {"x"}, html = {"x"}, json = {1},
    redirect = {"/"}, proxy = {"http://a"}, aborted = {}, on_abort = {function() end},
    on_head = {function() end}, basic_auth = {},
    deadline = {}, request_header = {"a"}, read_exactly = {1} }"""

# Calls each function of the ctx that is named; those that come out otherwise are listed.
TRY_ALL = f"""
    local calls = {CALLS}
    return function(ctx, wanted)
        local _, names = debug.getupvalue(getmetatable(ctx).__index, 1)
        local others = {{}}
        for name, f in pairs(names) do
            if type(f) == "function" then
                local ok, problem = pcall(f, ctx, table.unpack(calls[name]))
                problem = ok and "works" or tostring(problem)
                if problem ~= wanted then
                    others[#others + 1] = name
                end
            end
        end
        table.sort(others)
        return table.concat(others, " ")
    end"""

SCRIPTS = {
    "index.lua": RUN,
    "_try_all.lua": TRY_ALL,
    "_kept.lua": "return {}",
    "wait.lua": "return function() require('moontrail').sleep(3600) end",
}


# Ended.

def test_every_function_of_a_kept_ctx_raises(client):
    run_lua(client, "require('_kept').ctx = ctx")
    others = run_lua(client, """
        return require("_try_all")(require("_kept").ctx, "request has ended")""")
    assert (others.status, others.text) == (200, "")


def test_a_task_that_outlives_its_request_goes_on_without_it(server, client):
    assert run_lua(client, """
        mt.spawn(function()
            mt.sleep(0.01)
            print("functions", require("_try_all")(ctx, "request has ended"))
            print("field", select(2, pcall(function() return ctx.path end)))
            print("dot", select(2, pcall(ctx.aborted)))
        end)""").status == 200
    server.wait_for(r'text="functions\\t"')
    server.wait_for(r'text="field\\trun:1: request has ended"')
    server.wait_for(r'text="dot\\trequest has ended"')


@pytest.mark.parametrize("wait", [
    "ctx:read()", "ctx:body()", "ctx:flush()", "ctx:write(('x'):rep(1e6))"])
def test_a_task_that_waits_for_the_request_ends_with_it(server, client, wait):
    client.reading = False
    begin_lua(client, f"""
        ctx:write(("x"):rep(70000))
        mt.spawn(function() print("waited", [[{wait}]], pcall(function() {wait} end)) end)
        mt.sleep(0.01)""", "POST", end=False)
    server.wait_for(r'text="waited\\t' + re.escape(wait) + r'\\tfalse\\trun:1: request has ended"')


# Aborted.

def test_while_aborted_few_functions_work(server, client):
    client.response(begin_lua(client, """
        local path = ctx.path
        ctx:reset()
        print("others", require("_try_all")(ctx, "request aborted: reset"))
        print("field", path == ctx.path, pcall(function() return ctx.query end))
        print("sleep", pcall(mt.sleep, 0))
        print("all", pcall(mt.all, function() end))
        ctx.own = "kept"
        mt.log.info("own field", { value = ctx.own, aborted = ctx:aborted() })"""))
    server.wait_for(r'text="others\\taborted on_abort reset"')
    server.wait_for(r'text="field\\ttrue\\tfalse\\trequest aborted: reset"')
    server.wait_for(r'text="sleep\\tfalse\\trequest aborted: reset"')
    server.wait_for(r'text="all\\tfalse\\trequest aborted: reset"')
    line = server.wait_for("own field .*").group()
    assert "value=kept" in line and "aborted=reset" in line


def test_on_abort_is_told_in_order_and_late_at_once(server, client):
    client.response(begin_lua(client, """
        local told = {}
        for i = 1, 3 do
            ctx:on_abort(function(reason) told[#told + 1] = i .. reason end)
        end
        ctx:reset()
        ctx:reset()
        ctx:on_abort(function(reason) told[#told + 1] = "late " .. reason end)
        ctx:on_abort(function() told[#told + 1] = select(2, pcall(mt.sleep, 0)) end)
        print("told", table.concat(told, ", "))"""))
    server.wait_for(r'text="told\\t1reset, 2reset, 3reset, late reset, cannot wait ')


def test_reset_after_finish_follows_the_end(client):
    stream = begin_lua(client, "ctx:write('whole') ctx:finish() ctx:reset('NO_ERROR')")
    assert client.response(stream).text == "whole"
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.frames(stream) == ["HEADERS", "DATA END_STREAM", "RST_STREAM"]


@pytest.mark.parametrize("code, task", [
    ("ctx:read()", "handler"), ("mt.spawn(mt.sleep, 3600):join()", "handler"), ("mt.spawn(function() ctx:read() end) mt.sleep(3600)", "task"),
    ("local t = mt.spawn(ctx.read, ctx) pcall(mt.sleep, 3600)", "task")])
def test_an_abort_error_that_nobody_catches_is_no_fault(start, connect, code, task):
    server = start({"index.lua": RUN})
    client = connect(server.https)
    stream = begin_lua(client, code, "POST", end=False)
    client.ping()
    client.reset(stream)
    server.wait_for(f'debug {task} stopped .*error=".*request aborted: CANCEL"')
    assert not server.find("(handler|task) failed")


def test_swallowing_a_hundred_abort_errors_ends_a_task(server, client):
    client.response(begin_lua(client, """
        local count = 0
        local guard <close> = setmetatable({}, { __close = function()
            print("swallowed", count, ctx:aborted())
        end })
        ctx:reset()
        while true do
            pcall(ctx.write, ctx, "x")
            count = count + 1
        end"""))
    server.wait_for(r'text="swallowed\\t100\\treset"')
    server.wait_for('handler failed .*"went on after its request was aborted"')


def test_five_seconds_after_an_abort_one_error_ends_a_task(start, connect):
    server = start({"index.lua": RUN}, "--max-cpu", "0")
    client = connect(server.https)
    client.response(begin_lua(client, """
        ctx:reset()
        os.execute("sleep 5.1")
        print("swallowed", pcall(ctx.write, ctx, "x"))"""))
    server.wait_for('handler failed .*"went on after its request was aborted"')
    assert not server.find("swallowed")


# Without self.

def test_without_self_a_function_acts_on_the_running_request(client):
    response = run_lua(client, """
        ctx.status(201)
        ctx.header("x-a", "b")
        ctx.append_trailer("x-t", ctx.protocol())
        ctx.write(ctx.body(), tostring(ctx.aborted()))""", "POST", body=b"body ")
    assert (response.status, response.header("x-a")) == (201, "b")
    assert response.text == "body false"
    assert response.trailers == [("x-t", "HTTP/2")]


def test_without_self_in_a_task_it_is_the_one_that_started_it(client):
    assert run_lua(client, """
        mt.all(function() ctx.write("a") end, function()
            mt.spawn(coroutine.wrap(function() ctx.write("b") end)):join()
        end)""").text == "ab"


def test_without_self_and_request_it_says_what_to_do(start, connect):
    server = start({"index.lua": """
        local mt = require "moontrail"
        local go = mt.channel()
        local task = mt.spawn(function() return go:recv()("x") end)
        return function(ctx)
            go:send(ctx.write)
            ctx:text(select(2, pcall(task.join, task)))
        end"""})
    assert connect(server.https).fetch("/").text.endswith(
        "no request here: call it as ctx:name(...)")


def test_another_ctx_is_a_self_too(client):
    stream = begin_lua(client, "require('_kept').other = ctx mt.sleep(3600)", "POST", end=False)
    client.ping()
    run_lua(client, "require('_kept').other.write(require('_kept').other, 'for the other')")
    client.wait(lambda: client.so_far(stream).body == b"for the other")
    client.reset(stream)


# Deadlines.

def test_past_the_deadline_waits_raise_and_the_response_is_writable(client):
    response = run_lua(client, """
        ctx:deadline(0.01)
        for i, wait in ipairs { mt.sleep, ctx.flush, ctx.finish } do
            ctx:add_header("x-" .. i, (select(2, pcall(wait, i == 1 and 3600 or ctx))))
        end
        ctx:add_header("x-left", ctx:deadline())
        ctx:status(504)
        ctx:append_trailer("x-late", "yes")
        ctx:text("too late")""")
    assert (response.status, response.text) == (504, "too late")
    assert [response.header(f"x-{i}") for i in (1, 2, 3)] == ["timeout: deadline exceeded"] * 3
    assert response.header("x-left") in ("0", "0.0")
    assert response.trailers == [("x-late", "yes")]


def test_a_deadline_that_is_removed_is_none(client):
    assert run_lua(client, """
        ctx:deadline(0.01)
        pcall(mt.sleep, 3600)
        ctx:deadline(nil)
        mt.sleep(0.01)
        ctx:flush()
        return ctx:deadline()""").text == "nil"


# Several tasks.

@pytest.mark.parametrize("wait, call", [
    ("read", "read"), ("body", "read"), ("read", "body"), ("read", "form")])
def test_a_second_reader_raises(client, wait, call):
    stream = begin_lua(client, f"""
        local first = mt.spawn(ctx.{wait}, ctx)
        mt.sleep(0)
        local _, problem = pcall(ctx.{call}, ctx)
        ctx:write(problem)
        ctx:flush()
        ctx:write(" ", first:join())""", "POST", end=False,
        headers=[("content-type", "application/x-www-form-urlencoded")])
    client.wait(lambda: client.so_far(stream).body)
    client.send(stream, b"piece", end=True)
    assert client.response(stream).text == "another task is reading this request piece"


@pytest.mark.parametrize("call", ["write", "flush", "finish"])
def test_a_second_writer_raises(server, client, call):
    client.reading = False
    stream = begin_lua(client, f"""
        local first = mt.spawn(function() ctx:write(("x"):rep(1e6)) end)
        mt.sleep(0)
        print("second", "{call}", pcall(ctx.{call}, ctx, "x"))
        first:join()""")
    server.wait_for(rf'text="second\\t{call}\\tfalse\\tanother task is writing to this request"')
    client.reading = True
    client.h2.increment_flow_control_window(1 << 20, stream)
    client.flush()
    assert len(client.response(stream).body) == 1000000


def test_results_and_errors_of_all(client):
    assert run_lua(client, """
        local order = {}
        local results = table.pack(mt.all(
            function() mt.sleep(0.02) order[#order + 1] = "slow" return 1, "lost" end,
            function() order[#order + 1] = "quick" return nil end,
            function() return 3 end))
        return results.n, results[1], results[2], results[3], table.concat(order, " ")
        """).text == "3|1|nil|3|quick slow"
    assert run_lua(client, """
        local problem = { code = 7 }
        local _, got = pcall(mt.all, function() mt.sleep(3600) end, function() error(problem) end)
        local task = mt.spawn(error, problem)
        return got == problem, select(2, pcall(task.join, task)) == problem""").text == "true|true"
