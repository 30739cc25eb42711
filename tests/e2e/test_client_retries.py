"""Calls of services that are made again, by several servers, and through interceptors."""
import time

import pytest

from grpc_caller import CHAT, CHATTED, SCRIPTS, h2c, run_caller
from grpc_service import PROTO, scripts
from server import Server, write_scripts
from upstreams import Http2Upstream, free_port, response

GRPC = [(":status", "200"), ("content-type", "application/grpc")]
REPLY = b"\0\0\0\0\2\x10\7"
FAST = "retry = { attempts = 3, backoff = { 0.01, 0.05 } }"


class Flaky(Http2Upstream):
    """Fails so many calls, as fail(connection, speaker, stream) does, then answers; counts all."""

    def __init__(self, fail, failures=1, **more):
        self.calls, self.times, self.before = 0, [], []
        self._fail, self._failures = fail, failures
        super().__init__(self._answer, **more)

    def _answer(self, connection, speaker, event):
        if type(event).__name__ == "RequestReceived":
            self.before.append(dict(event.headers).get("grpc-previous-rpc-attempts"))
        if type(event).__name__ != "StreamEnded":
            return
        self.calls += 1
        self.times.append(time.monotonic())
        if self.calls <= self._failures:
            self._fail(connection, speaker, event.stream_id)
            return
        speaker.send_headers(event.stream_id, GRPC)
        speaker.send_data(event.stream_id, REPLY)
        speaker.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)


def trailers_only(code, *more):
    def fail(_connection, speaker, stream):
        speaker.send_headers(stream, GRPC + [("grpc-status", str(code)), *more], end_stream=True)
    return fail


def behind_head(code):
    def fail(_connection, speaker, stream):
        speaker.send_headers(stream, GRPC)
        speaker.send_headers(stream, [("grpc-status", str(code))], end_stream=True)
    return fail


def http_status(code):
    def fail(_connection, speaker, stream):
        speaker.send_headers(stream, [(":status", str(code))], end_stream=True)
    return fail


def lose(connection, _speaker, _stream):
    connection.vanish()


@pytest.fixture
def flaky(upstream):
    return lambda fail, failures=1: upstream(fail, kind=lambda serve: Flaky(serve, failures))


UNARY = "return c:Echo({}).count"
STREAM = "return c:Count({}):recv().count"


@pytest.mark.parametrize("code", [UNARY, STREAM])
@pytest.mark.parametrize("fail", [trailers_only(14), http_status(503), lose],
                         ids=["status", "503", "lost"])
def test_a_call_that_fails_is_made_again(client, flaky, fail, code):
    other = flaky(fail, 2)
    assert run_caller(client, other.h2c, code, f"{{ {FAST} }}") == "7"
    assert other.calls == 3
    assert other.before == [None, "1", "2"]


def test_it_is_made_no_more_often_than_it_may_be(client, flaky):
    other = flaky(trailers_only(14), 9)
    assert run_caller(client, other.h2c, "return pcall(c.Echo, c, {})", f"{{ {FAST} }}") == \
        "false|UNAVAILABLE: "
    assert other.calls == 3


def test_unless_it_is_wanted_it_is_made_once(client, flaky):
    other = flaky(trailers_only(14), 1)
    assert run_caller(client, other.h2c, "return pcall(c.Echo, c, {})") == "false|UNAVAILABLE: "
    assert other.calls == 1


@pytest.mark.parametrize("fail, calls", [
    (trailers_only(8), 1), (behind_head(14), 1), (trailers_only(10), 2)],
    ids=["another code", "behind the head", "a code of the list"])
def test_what_is_made_again(client, flaky, fail, calls):
    other = flaky(fail, 1)
    run_caller(client, other.h2c, "return pcall(c.Echo, c, {})",
               '{ retry = { codes = { "UNAVAILABLE", 10 }, backoff = { 0, 0 } } }')
    assert other.calls == calls


@pytest.mark.parametrize("code", [
    "local call = c:Sum() call:close_send() return pcall(call.recv, call)",
    "local call = c:Chat() call:close_send() return pcall(call.recv, call)"])
def test_streams_of_requests_are_made_once(client, flaky, code):
    other = flaky(trailers_only(14), 1)
    assert run_caller(client, other.h2c, code, f"{{ {FAST} }}") == "false|UNAVAILABLE: "
    assert other.calls == 1


def test_nothing_is_made_again_behind_a_reply(client, flaky):
    def fail(_connection, speaker, stream):
        speaker.send_headers(stream, GRPC)
        speaker.send_data(stream, REPLY)
        speaker.send_headers(stream, [("grpc-status", "14")], end_stream=True)

    other = flaky(fail, 1)
    assert run_caller(client, other.h2c, """
        local call = c:Count {}
        return call:recv().count, pcall(call.recv, call)""", f"{{ {FAST} }}") == \
        "7|false|UNAVAILABLE: "
    assert other.calls == 1


def test_the_server_says_how_long_to_wait(client, flaky):
    other = flaky(trailers_only(14, ("grpc-retry-pushback-ms", "400")), 1)
    assert run_caller(client, other.h2c, UNARY, "{ retry = { backoff = { 0, 0 } } }") == "7"
    assert other.times[1] - other.times[0] >= 0.39


@pytest.mark.parametrize("text", ["-1", "x", "99999999999999999999", ""])
def test_the_server_says_not_to(client, flaky, text):
    other = flaky(trailers_only(14, ("grpc-retry-pushback-ms", text)), 1)
    assert run_caller(client, other.h2c, "return pcall(c.Echo, c, {})", f"{{ {FAST} }}") == \
        "false|UNAVAILABLE: "
    assert other.calls == 1


def test_the_deadline_is_for_all_attempts(client, flaky):
    other = flaky(trailers_only(14, ("grpc-retry-pushback-ms", "100")), 1000)
    assert run_caller(client, other.h2c, """
        local began = mt.now()
        local ok, e = pcall(c.Echo, c, {}, { timeout = 0.55 })
        return e, mt.now() - began >= 0.5""", "{ retry = { attempts = 1000 } }") == \
        "DEADLINE_EXCEEDED: deadline exceeded|true"
    assert 2 <= other.calls <= 6


def test_waits_are_no_longer_than_the_deadline(client, flaky):
    other = flaky(trailers_only(14, ("grpc-retry-pushback-ms", "100000")), 1)
    assert run_caller(client, other.h2c, """
        return pcall(c.Echo, c, {}, { timeout = 0.2 })""", "{ retry = {} }") == \
        "false|DEADLINE_EXCEEDED: deadline exceeded"
    assert other.calls == 1


def test_a_call_that_is_cancelled_while_it_waits(client, flaky):
    other = flaky(trailers_only(14, ("grpc-retry-pushback-ms", "300")), 1)
    assert run_caller(client, other.h2c, """
        local call = c:Count {}
        mt.spawn(function() mt.sleep(0.1) call:cancel() end)
        return pcall(call.recv, call)""", "{ retry = {} }") == \
        "false|CANCELLED: the call was cancelled"
    assert other.calls == 1


@pytest.mark.parametrize("protocol, calls", [("connect", 2), ("grpc-web", 2)])
def test_in_other_protocols(client, upstream, protocol, calls):
    seen = []
    kind = "application/proto" if protocol == "connect" else "application/grpc-web+proto"
    good = b"\x10\7" if protocol == "connect" else REPLY + b"\x80\0\0\0\x0fgrpc-status:0\r\n"

    def serve(connection):
        while request := connection.request():
            seen.append(request)
            fields = f"content-type: {kind}"
            if len(seen) > 1:
                connection.write(response(good, "200 OK", fields))
            elif protocol == "connect":
                connection.write(response(b'{"code":"unavailable"}', "503 no",
                                          "content-type: application/json"))
            else:
                connection.write(response(b"", "200 OK", fields, "grpc-status: 14"))

    assert run_caller(client, upstream(serve).url, UNARY,
                      f'{{ protocol = "{protocol}", {FAST} }}') == "7"
    assert len(seen) == calls
    assert all(request.value("content-length") for request in seen)


@pytest.mark.parametrize("options, problem", [
    ("{ retry = { attempts = 0 } }", "retry.attempts is a number"),
    ("{ retry = { codes = { 'NIX' } } }", "NIX"),
    ("{ retry = { nix = 1 } }", "retry has no option nix"),
    ("{ retry = { backoff = { 2, 1 } } }", "retry.backoff is"),
    ("{ retry = 3 }", "retry is a table"),
    ("{ protocol = 'soap' }", "protocol is"), ("{ codec = 'xml' }", "codec is"),
    ("{ keepalive = 0 }", "keepalive is"), ("{ intercept = 1 }", "intercept is")])
def test_mistakes_in_options(client, options, problem):
    assert problem in run_caller(client, "http://h", f"""
        return pcall(grpc.client, "http://h", "calls.proto", "test.Calls", {options})""")


# Several servers.

@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), scripts()))
    yield server
    server.stop()


def listed(*urls):
    return '", "'.join(urls)


def run_listed(client, urls, code, options="nil"):
    """As run_caller, of a client of several servers."""
    return run_caller(client, "http://h", f"""
        c = grpc.client({{ "{listed(*urls)}" }}, "calls.proto", "test.Calls", {options})""" + code)


def test_calls_go_round(client, upstream):
    others = [upstream(trailers_only(5), kind=lambda fail: Flaky(fail, 0)) for _ in range(3)]
    assert run_listed(client, [other.h2c for other in others], """
        local sum = 0
        for _ = 1, 9 do sum = sum + c:Echo({}).count end
        return sum""") == "63"
    assert [other.calls for other in others] == [3, 3, 3]


@pytest.mark.parametrize("code, result", [
    ('return c:Echo({ text = "x" }).text', "x"),
    ("local n = 0 for r in c:Count({ count = 3 }):messages() do n = n + r.count end return n", "6"),
    ("local s = c:Sum() s:send { text = 'a' } s:close_send() return s:recv().text", "a"),
    (CHAT, CHATTED)])
def test_a_server_that_is_not_there_is_passed_over(client, inner, code, result):
    dead = f"h2c://127.0.0.1:{free_port()}"
    for urls in ([dead, h2c(inner)], [h2c(inner), dead], [dead, h2c(inner), dead]):
        assert run_listed(client, urls, "local function f() " + code + """ end
            f() return f()""") == result


@pytest.mark.parametrize("protocol", ["grpc", "grpc-web", "connect"])
def test_a_server_that_dies_is_passed_over(client, upstream, inner, protocol):
    dies = upstream(lambda connection: connection.wait_closed())
    dies.kill()
    assert run_listed(client, [dies.url, inner.http], """
        local n = 0
        for _ = 1, 10 do n = n + c:Echo({ count = 1 }).count end
        return n""", f'{{ protocol = "{protocol}" }}') == "10"


def test_where_no_server_is_there(client):
    urls = [f"h2c://127.0.0.1:{free_port()}" for _ in range(2)]
    text = run_listed(client, urls, "return pcall(c.Echo, c, {})")
    assert text.startswith("false|UNAVAILABLE: ") and "no connection" in text
    text = run_listed(client, urls, "local call = c:Chat() return pcall(call.recv, call)")
    assert text.startswith("false|UNAVAILABLE: ") and "no connection" in text


def test_what_a_server_may_have_seen_goes_to_no_other(client, upstream, inner):
    lost = upstream(lose, kind=lambda fail: Flaky(fail, 9))
    text = run_listed(client, [lost.h2c, h2c(inner)], "return pcall(c.Echo, c, {})")
    assert text.startswith("false|UNAVAILABLE: ") and "connection lost" in text


def test_another_attempt_goes_to_the_next_server(client, upstream, inner):
    lost = upstream(lose, kind=lambda fail: Flaky(fail, 9))
    assert run_listed(client, [lost.h2c, h2c(inner)], "return c:Echo({ count = 4 }).count",
                      f"{{ {FAST} }}") == "4"
    assert lost.calls == 1


def test_lists_that_are_none(client):
    for urls, problem in (("{}", "the list is empty"), ("{ 1 }", "is a number"),
                          ("1", "takes a URL"), ('{ "http://h/p" }', "has no path")):
        assert problem in run_caller(client, "http://h", f"""
            return pcall(grpc.client, {urls}, "calls.proto", "test.Calls")""")


# Servers that fall silent.

def test_a_silent_server_is_left(client, upstream):
    other = upstream(lambda *_: None, kind=Http2Upstream)
    other._on_event = lambda _connection, speaker, _event: speaker.clear_outbound_data_buffer()
    text = run_caller(client, other.h2c, "return pcall(c.Echo, c, {})", "{ keepalive = 0.1 }")
    assert text.startswith("false|UNAVAILABLE: ") and "keepalive" in text


# Interceptors.

def test_interceptors_see_and_change_a_call(client, inner):
    assert run_caller(client, h2c(inner), """
        local seen = {}
        local function first(call, next)
            seen[1] = call.method .. " " .. call.protocol .. " " .. call.codec
            seen[1] = seen[1] .. " " .. call.request.text
            call.metadata_out["x-a"] = "added"
            call.timeout = 50
            local reply = next()
            seen[2] = reply.text
            return reply
        end
        local function second(call, next)
            call.request.text = call.request.text .. "!"
            local reply = next()
            reply.count = 7
            return reply
        end
        c = grpc.client("URL", "calls.proto", "test.Calls", { intercept = { first, second } })
        local reply, call = c:Echo({ text = "hi" }, { metadata = { ["x-b"] = "given" } })
        local late = tonumber(call.trailers["x-deadline"])
        local m = call.metadata
        return seen[1], seen[2], reply.text, reply.count, m["x-a"], m["x-b"],
            late > 40 and late <= 50""".replace("URL", h2c(inner))) == \
        "test.Calls/Echo grpc proto hi|hi!|hi!|7|added|given|true"


def intercepted(client, inner, interceptor, code):
    return run_caller(client, h2c(inner), f"""
        c = grpc.client("{h2c(inner)}", "calls.proto", "test.Calls",
            {{ intercept = {interceptor} }})
        """ + code)


@pytest.mark.parametrize("code, result", [
    ("local n = 0 for r in c:Count({ count = 3 }):messages() do n = n + r.count end return n", "6"),
    ("local s = c:Sum() s:send { text = 'a' } s:close_send() return s:recv().text", "a"),
    (CHAT, CHATTED)])
def test_interceptors_of_streams(client, inner, code, result):
    assert intercepted(client, inner, """function(call, next)
        call.metadata_out["x-a"] = "b"
        assert(next() == nil)
    end""", code) == result


def test_an_interceptor_may_wait_for_the_head_of_a_stream(client, inner):
    assert intercepted(client, inner, """function(call, next)
        next()
        call.seen = type(call.metadata)
    end""", "return c:Count({ count = 1 }).seen") == "table"


def test_next_twice_raises(client, inner):
    assert "next was called" in intercepted(
        client, inner, "function(call, next) next() return next() end",
        "return pcall(c.Echo, c, {})")


def test_an_interceptor_that_answers_itself(client, inner):
    assert intercepted(client, inner, "function(call) return { text = 'kept' } end", """
        local reply, call = c:Echo {}
        return reply.text, next(call.metadata), call:status()""") == "kept|nil|0||nil"


def test_an_interceptor_that_refuses(client, inner):
    assert intercepted(client, inner, "function() grpc.error('PERMISSION_DENIED', 'no') end",
                       "return pcall(c.Echo, c, {})") == "false|PERMISSION_DENIED: no"


def test_an_interceptor_that_catches(client, inner):
    assert intercepted(client, inner, """function(call, next)
        local ok, reply = pcall(next)
        return ok and reply or { text = tostring(reply) }
    end""", "return c:Fail({ count = 5, text = 'none' }).text") == "NOT_FOUND: none"


@pytest.mark.parametrize("interceptor, code, problem", [
    ("function() end", "return pcall(c.Echo, c, {})", "give a nil as its reply"),
    ("function() end", "return pcall(c.Count, c, {})", "has not called next"),
    ("function() end", "return pcall(c.Chat, c)", "has not called next"),
    ("function(call, next) call.metadata_out['grpc-x'] = 1 return next() end",
     "return pcall(c.Echo, c, {})", "grpc-x is the protocol's"),
    ("function(call) call:send({}) end", "return pcall(c.Chat, c)", "has not called next"),
    ("function(call) return call:recv() end", "return pcall(c.Echo, c, {})", "has not called next"),
    ("function(call) return call.metadata end", "return pcall(c.Echo, c, {})",
     "has not called next"),
    ("function(call, next) call.timeout = 'x' return next() end", "return pcall(c.Echo, c, {})",
     "the timeout of a call is a number"),
    ("function(call, next) call:cancel() return next() end", "return pcall(c.Echo, c, {})",
     "CANCELLED: the call was cancelled")])
def test_mistakes_of_interceptors(client, inner, interceptor, code, problem):
    assert problem in intercepted(client, inner, interceptor, code)


# Servers that end, and come back.

WHO = """
    local Calls = require("moontrail.grpc").service("calls.proto", "test.Calls")
    function Calls.Echo() return { text = NAME } end
    return Calls"""

ASKER = """
    local grpc = require "moontrail.grpc"
    local c = grpc.client({ URLS }, "calls.proto", "test.Calls")
    return function(ctx)
        local seen = {}
        for i = 1, 6 do seen[i] = c:Echo({}, { timeout = 60 }).text end
        table.sort(seen)
        ctx:write(table.concat(seen))
    end"""


def test_servers_that_end_and_come_back(start, connect, tmp_path):
    """One that is left out is asked again as soon as there is no other."""
    ports = [free_port(), free_port()]

    def begin(name, port):
        scripts = {"calls.proto": PROTO, "who.lua": WHO.replace("NAME", f'"{name}"')}
        return start(write_scripts(tmp_path / name, scripts), listen=[f"http://127.0.0.1:{port}"])

    urls = ", ".join(f'"h2c://127.0.0.1:{port}"' for port in ports)
    client = connect(start({"calls.proto": PROTO, "index.lua": ASKER.replace("URLS", urls)}).http)
    one, two = begin("a", ports[0]), begin("b", ports[1])
    assert client.fetch("/").text == "aaabbb"
    one.stop()
    assert client.fetch("/").text == "bbbbbb"
    two.stop()
    one = begin("a", ports[0])
    assert client.fetch("/").text == "aaaaaa"
    two = begin("b", ports[1])
    one.stop()
    assert client.fetch("/").text == "bbbbbb"
