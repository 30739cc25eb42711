"""Calls of gRPC services from a handler: their kinds, metadata, statuses, deadlines and ends."""
import re

import pytest

from grpc_caller import CHAT, CHATTED, CLIENT, SCRIPTS, h2c, run_caller
from grpc_service import scripts
from handlers import run_lua
from server import Server, run, write_scripts


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), scripts()))
    yield server
    server.stop()


@pytest.fixture(params=["http", "h2c", "https"])
def url(request, inner):
    return {"http": inner.http, "h2c": h2c(inner), "https": inner.https}[request.param]


def test_unary(client, url):
    assert run_caller(client, url, """
        local r = c:Echo { text = "hé", count = -7, data = "\\0\\255" }
        return r.text, r.count, r.data == "\\0\\255" """) == "hé|-7|true"


def test_server_streaming(client, url):
    assert run_caller(client, url, """
        local sum = 0
        local call = c:Count { count = 100 }
        for reply in call:messages() do sum = sum + reply.count end
        return sum, call:recv(), call:status()""") == "5050|nil|0||nil"


def test_client_streaming(client, url):
    assert run_caller(client, url, """
        local call = c:Sum()
        for _, text in ipairs { "a", "b", "c" } do call:send { text = text } end
        call:close_send()
        local reply = call:recv()
        return reply.count, reply.text, call:recv(), call:status()""") == "3|abc|nil|0||nil"


def test_bidirectional(client, url):
    assert run_caller(client, url, CHAT) == CHATTED


def test_both_directions_at_once(client, url):
    assert run_caller(client, url, """
        local call, n = c:Chat(), 0
        mt.all(function()
            for i = 1, 300 do call:send { count = i, data = ("x"):rep(1000) } end
            call:close_send()
        end, function()
            for reply in call:messages() do
                n = n + 1
                assert(reply.count == n and #reply.data == 1000)
            end
        end)
        return n, call:status()""") == "300|0||nil"


def test_a_large_message(client, url):
    assert run_caller(client, url, """
        local data = ("0123456789"):rep(100000)
        return c:Echo({ data = data }).data == data""") == "true"


def test_metadata_both_ways(client, url):
    assert run_caller(client, url, """
        local _, call = c:Echo({}, { metadata = {
            ["X-Text"] = "a b", ["x-two"] = { "1", 2 }, ["x-bytes-bin"] = "\\0\\1\\255" } })
        local m, t = call.metadata, call.trailers
        return m["x-text"], table.concat(m["x-two"], "+"), #m["x-bytes-bin"],
            t["trailing-x-text"]""") == "a b|1+2|3|a b"


def test_metadata_of_the_client_goes_with_each_call(client, inner):
    assert run_caller(client, h2c(inner), """
        local _, call = c:Echo {}
        return call.metadata["x-always"]""", '{ metadata = { ["x-always"] = "yes" } }') == "yes"


def test_the_head_is_waited_for(client, inner):
    assert run_caller(client, h2c(inner), """
        local call = c:FailLate({ metadata = { ["x-a"] = "b" } })
        call:send {}
        return type(call.metadata), call:recv().count, pcall(call.recv, call)""") == \
        "table|0|false|DATA_LOSS: half of it is gone"


def test_a_status(client, url):
    assert run_caller(client, url, """
        local ok, e = pcall(c.Fail, c, { count = 5, text = "nö such", data = "\\7" },
                            { metadata = { ["x-a"] = "b" } })
        return ok, tostring(e), e.code == grpc.codes.NOT_FOUND, e.message, #e.details,
            e.details[1].type, e.details[1].value.text, e.details[2].type_url,
            e.details[2].value == "\\7", e.metadata["trailing-x-a"]""") == \
        "false|NOT_FOUND: nö such|true|nö such|2|test.Data|nö such|x/any|true|b"


def test_a_status_passes_for_its_text(client, url):
    assert run_caller(client, url, """
        local ok, e = pcall(c.Fail, c, { count = 5, text = "no such" })
        local text = tostring(e)
        local raised, again = pcall(error, e)
        return e.kind, text, e .. "!", "-" .. e, #e == #text, e:find("such", 1, true),
            e:match("^(%u+)_"), e:sub(-4), e:gsub("no", "not") == "NOT_FOUND: not such",
            e:upper(), ("%s"):format(e), e .. e == text .. text, rawequal(again, e),
            e.nothing == nil, select(2, pcall(function() return e .. {} end)):find("concatenate")
                ~= nil""") == \
        "grpc|NOT_FOUND: no such|NOT_FOUND: no such!|-NOT_FOUND: no such|true|15|NOT|such|true|" \
        "NOT_FOUND: NO SUCH|NOT_FOUND: no such|true|true|true|true"


def test_a_status_behind_replies(client, url):
    assert run_caller(client, url, """
        local call = c:FailLate()
        call:send { count = 1 }
        local first = call:recv().count
        local ok, e = pcall(call.recv, call)
        return first, ok, tostring(e), call.trailers["x-late"], call:status()""") == \
        "1|false|DATA_LOSS: half of it is gone|yes|15|half of it is gone|nil"


def test_the_status_passes_over_what_nobody_reads(client, inner):
    assert run_caller(client, h2c(inner), "return c:Count({ count = 50 }):status()") == "0||nil"


def test_a_method_that_is_not_served(client, url):
    assert run_caller(client, url, "return pcall(c.Missing, c, {})") == \
        "false|UNIMPLEMENTED: the method is not implemented"


def test_a_timeout(client, inner):
    since = len(inner.log)
    assert run_caller(client, h2c(inner), """
        return pcall(c.Sleep, c, { count = 60 }, { timeout = 0.1 })""") == \
        "false|DEADLINE_EXCEEDED: deadline exceeded"
    inner.wait_for(r"slept\\tfalse", since=since)


def test_a_timeout_of_the_client(client, inner):
    text = run_caller(client, h2c(inner), """
        local _, call = c:Echo {}
        return call.trailers["x-deadline"]""", "{ timeout = 50 }")
    assert 40 < float(text) <= 50


def test_the_deadline_of_the_request_goes_on(client, inner):
    text = run_caller(client, h2c(inner), """
        ctx:deadline(30)
        local _, call = c:Echo({}, { timeout = 50 })
        return call.trailers["x-deadline"]""")
    assert 20 < float(text) <= 30


def test_a_send_that_waits_is_ended_by_the_timeout(client, inner):
    text = run_caller(client, h2c(inner), """
        local call, data = c:Chat({ timeout = 0.5 }), ("x"):rep(100000)
        local ok, problem
        repeat ok, problem = pcall(call.send, call, { data = data }) until not ok
        return problem, call:send({}), pcall(call.recv, call)""")
    late = "DEADLINE_EXCEEDED: deadline exceeded"
    assert text == f"{late}|false|false|{late}"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compression(client, inner, encoding):
    assert run_caller(client, h2c(inner), """
        local r, call = c:Echo { text = ("x"):rep(10000) }
        return #r.text, call.trailers["x-compressed"]""",
               f'{{ compression = "{encoding}" }}') == "10000|true"


def test_replies_that_come_compressed(client, tmp_path):
    server = Server(write_scripts(tmp_path / "packed", scripts('{ compression = "gzip" }')))
    code = 'return #c:Echo({ text = ("x"):rep(10000) }).text'
    assert run_caller(client, server.http, code) == "10000"
    server.stop()


def test_a_reply_over_the_limit(client, inner):
    assert run_caller(client, h2c(inner), 'return pcall(c.Echo, c, { text = ("x"):rep(200) })',
               "{ max_message = 100 }") == \
        "false|RESOURCE_EXHAUSTED: the message is larger than 100 bytes"


def test_a_call_that_is_cancelled(client, inner):
    since = len(inner.log)
    assert run_caller(client, h2c(inner), """
        local call = c:Count { count = 1000000000, data = ("x"):rep(1000) }
        call:recv()
        call:cancel()
        return pcall(call.recv, call)""") == "false|CANCELLED: the call was cancelled"
    inner.wait_for("sent", since=since)


def test_a_call_that_another_task_cancels(client, inner):
    assert run_caller(client, h2c(inner), """
        local call = c:Chat()
        mt.spawn(function() mt.sleep(0.1) call:cancel() end)
        return pcall(call.recv, call)""") == "false|CANCELLED: the call was cancelled"


def test_a_call_that_is_closed_at_the_end_of_a_block(client, inner):
    since = len(inner.log)
    assert run_caller(client, h2c(inner), """
        do
            local call <close> = c:Count { count = 1000000000, data = ("x"):rep(1000) }
            call:recv()
        end
        return c:Echo({ text = "next" }).text""") == "next"
    inner.wait_for("sent", since=since)


def test_calls_that_other_tasks_begin(client, inner):
    assert run_caller(client, h2c(inner), """
        local function begin() return c:Count { count = 3 } end
        local one, two = mt.all(begin, begin)
        local sum = 0
        for _, call in ipairs { one, two, mt.spawn(begin):join() } do
            for reply in call:messages() do sum = sum + reply.count end
        end
        return sum""") == "18"


def test_a_call_ends_with_a_task_that_fails(client, inner):
    since = len(inner.log)
    assert run_caller(client, h2c(inner), """
        local call
        mt.spawn(function()
            call = c:Count { count = 1000000000, data = ("x"):rep(1000) }
            call:recv()
            error("failed")
        end)
        mt.sleep(0.3)
        return select(2, pcall(call.recv, call))
        """).endswith("/test.Calls/Count: the response is closed")
    inner.wait_for("sent", since=since)


def test_a_handler_that_leaves_a_call_cancels_it(client, inner):
    since = len(inner.log)
    run_caller(client, h2c(inner), "c:Count({ count = 1000000000, data = ('x'):rep(1000) }):recv()")
    inner.wait_for("sent", since=since)


def test_a_server_that_ends_a_call_early(client, inner):
    assert run_caller(client, h2c(inner), """
        local call, n = c:First(), 0
        while call:send { count = n, data = ("x"):rep(1000) } do n = n + 1 end
        return call:recv().count, call:status()""") == "0|0||nil"


def test_many_calls_at_once(client, inner):
    assert run_caller(client, h2c(inner), """
        local tasks = {}
        for i = 1, 100 do tasks[i] = function() return c:Echo({ count = i }).count end end
        local sum = 0
        for _, n in ipairs { mt.all(table.unpack(tasks)) } do sum = sum + n end
        return sum""") == "5050"


def test_a_file_of_certificates(client, start, local_certificate, certificates):
    url = start(scripts(), *local_certificate.options).https
    code = "return pcall(c.Echo, c, {})"
    text = run_caller(client, url, code, f'{{ ca = "{local_certificate.cert}" }}')
    assert text.startswith("true|"), text
    text = run_caller(client, url, code, f'{{ ca = "{certificates["two.test"].cert}" }}')
    assert text.startswith("false|UNAVAILABLE: ") and "no connection" in text


def test_mistakes_are_told_where_they_are_made(client, inner):
    text = run_caller(client, h2c(inner), """
        local function try(f, ...) return select(2, pcall(f, ...)) end
        local chat = c:Chat()
        chat:close_send()
        return try(c.Echo, c, { nix = 1 }), try(c.Echo, c), try(c.Echo, c, {}, { nix = 1 }),
            try(function() return c.Nix end), try(chat.send, chat, {}),
            try(grpc.client, "http://h", "calls.proto", "test.Nix"),
            try(grpc.client, "http://h", "calls.proto", "test.Calls", { nix = 1 }),
            try(c.Echo, c, {}, { metadata = { ["grpc-x"] = "1" } })""")
    for part in ('no field "nix"', "has a nil as its request", "a call has no option nix",
                 "test.Calls has no method Nix", "send comes too late",
                 "there is no service test.Nix", "a client has no option nix",
                 "grpc-x is the protocol's"):
        assert part in text, text


@pytest.mark.parametrize("script, problem", [
    ("grpc.client('http://h', 'calls.proto', 'test.Nix')", "index.lua:2: there is no service"),
    ("grpc.client('http://h', 'nix.proto', 'test.Calls')", "index.lua:2: .*nix.proto"),
    ("grpc.client('http://h')", "index.lua:2: grpc.client takes a URL, the file"),
    ("grpc.client('http://h/p', 'calls.proto', 'test.Calls')", "index.lua:2: .* has no path"),
    ("grpc.client('http://h', 'calls.proto', 'test.Calls', { timeout = '1' })",
     "index.lua:2: timeout is a number of seconds"),
])
def test_mistakes_are_told_when_the_script_loads(tmp_path, script, problem):
    write_scripts(tmp_path, SCRIPTS | {
        "index.lua": f'local grpc = require "moontrail.grpc"\nlocal c = {script}\nreturn print'})
    done = run("--check", tmp_path)
    assert done.returncode == 1
    assert re.search(problem, done.stderr), done.stderr


def test_a_client_that_is_made_when_the_script_loads(inner, start, connect):
    server = start(SCRIPTS | {"index.lua": f"""
        local grpc = require "moontrail.grpc"
        local c = grpc.client("{inner.http}", "calls.proto", "test.Calls")
        return function(ctx) ctx:text(c:Echo({{ text = "hello" }}).text) end"""})
    assert connect(server.https).fetch("/").text == "hello"


def test_a_status_that_a_plain_handler_does_not_catch(server, client, inner):
    since = len(server.log)
    code = CLIENT.replace("URL", h2c(inner)).replace("OPTIONS", "nil")
    assert run_lua(client, code + "c:Fail { count = 5, text = 'none' }").status == 500
    server.wait_for('handler failed .*NOT_FOUND: none', since=since)
