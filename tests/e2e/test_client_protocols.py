"""Calls of services from a handler, in each protocol and codec, over each version of HTTP."""
import itertools
import ssl

import pytest

from grpc_caller import CHAT, CHATTED, SCRIPTS, h2c, run_caller
from grpc_service import scripts
from server import Server, write_scripts

WAYS = [f"{protocol} {codec} {url}" for protocol, codec, url in itertools.product(
    ("grpc", "grpc-web", "connect"), ("proto", "json"), ("http", "h2c", "https"))]


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), scripts()))
    yield server
    server.stop()


class Way:
    """One of the ways to call the service."""

    def __init__(self, client, inner, text):
        self.protocol, self.codec, scheme = text.split()
        self.url = {"http": inner.http, "h2c": h2c(inner), "https": inner.https}[scheme]
        self.is_http_1 = scheme == "http" and self.protocol != "grpc"
        self._client = client

    def run(self, code, more=""):
        options = f'verify = false, protocol = "{self.protocol}", codec = "{self.codec}"'
        return run_caller(self._client, self.url, code, f"{{ {options}, {more} }}")


@pytest.fixture(params=WAYS)
def way(request, client, inner):
    return Way(client, inner, request.param)


def test_unary(way):
    assert way.run("""
        local r, call = c:Echo { text = "hé", count = -7, data = "\\0\\255" }
        return r.text, r.count, r.data == "\\0\\255", call.protocol, call.codec, call.method
        """) == f"hé|-7|true|{way.protocol}|{way.codec}|test.Calls/Echo"


def test_an_empty_message(way):
    assert way.run("""
        local r, call = c:Echo {}
        return r.text, r.count, call:status()""") == "|0|0||nil"


def test_server_streaming(way):
    assert way.run("""
        local sum, call = 0, c:Count { count = 100 }
        for reply in call:messages() do sum = sum + reply.count end
        return sum, call:recv(), call:status()""") == "5050|nil|0||nil"


def test_client_streaming(way):
    assert way.run("""
        local call = c:Sum()
        for _, text in ipairs { "a", "b", "c" } do call:send { text = text } end
        call:close_send()
        local reply = call:recv()
        return reply.count, reply.text, call:recv(), call:status()""") == "3|abc|nil|0||nil"


def test_bidirectional(way):
    if way.is_http_1:
        text = way.run("return pcall(c.Chat, c)")
        assert text.startswith("false|UNIMPLEMENTED: Chat has streams")
    else:
        assert way.run(CHAT) == CHATTED


def test_a_large_message(way):
    assert way.run("""
        local data = ("0123456789"):rep(15000)
        return c:Echo({ data = data }).data == data""") == "true"


def test_metadata_both_ways(way):
    assert way.run("""
        local _, call = c:Echo({}, { metadata = {
            ["X-Text"] = "a b", ["x-two"] = { "1", 2 }, ["x-bytes-bin"] = "\\0\\1\\255" } })
        local m, t = call.metadata, call.trailers
        local two = m["x-two"]
        return m["x-text"], type(two) == "table" and table.concat(two, "+") or two,
            #m["x-bytes-bin"], t["trailing-x-text"]""") in ("a b|1+2|3|a b", "a b|1, 2|3|a b")


def test_metadata_of_a_stream(way):
    assert way.run("""
        local call = c:Count({ count = 2 }, { metadata = { ["x-a"] = "b" } })
        for _ in call:messages() do end
        return type(call.metadata), type(call.trailers)""") == "table|table"


def test_a_status(way):
    assert way.run("""
        local ok, e = pcall(c.Fail, c, { count = 5, text = "nö such", data = "\\7" },
                            { metadata = { ["x-a"] = "b" } })
        return ok, tostring(e), e.code == grpc.codes.NOT_FOUND, e.message, #e.details,
            e.details[1].type, e.details[1].value.text, e.details[2].type_url:match("[^/]*$"),
            e.details[2].value == "\\7", e.metadata["trailing-x-a"]""") == \
        "false|NOT_FOUND: nö such|true|nö such|2|test.Data|nö such|any|true|b"


def test_a_status_behind_replies(way):
    if way.is_http_1:
        return
    assert way.run("""
        local call = c:FailLate()
        call:send { count = 1 }
        local first = call:recv().count
        local ok, e = pcall(call.recv, call)
        return first, ok, tostring(e), call.trailers["x-late"], call:status()""") == \
        "1|false|DATA_LOSS: half of it is gone|yes|15|half of it is gone|nil"


def test_a_method_that_is_not_served(way):
    assert way.run("return pcall(c.Missing, c, {})") == \
        "false|UNIMPLEMENTED: the method is not implemented"


def test_a_timeout(way):
    assert way.run("return pcall(c.Sleep, c, { count = 60 }, { timeout = 0.2 })") == \
        "false|DEADLINE_EXCEEDED: deadline exceeded"


def test_the_time_that_is_left_is_told(way):
    text = way.run("""
        local _, call = c:Echo {}
        return call.trailers["x-deadline"]""", "timeout = 50")
    assert 40 < float(text) <= 50


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compression(way, encoding):
    assert way.run("""
        local r, call = c:Echo { text = ("x"):rep(10000) }
        local sum = c:Sum()
        sum:send { text = ("y"):rep(5000) }
        sum:close_send()
        return #r.text, call.trailers["x-compressed"], #sum:recv().text""",
                   f'compression = "{encoding}"') == "10000|true|5000"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("packed"),
                                  scripts('{ compression = "gzip" }')))
    yield server
    server.stop()


@pytest.mark.parametrize("text", WAYS)
def test_replies_that_come_compressed(client, packed, text):
    assert Way(client, packed, text).run("""
        local call = c:Count { count = 3, data = ("x"):rep(10000) }
        local n = 0
        for reply in call:messages() do n = n + #reply.data end
        return #c:Echo({ text = ("x"):rep(10000) }).text, n""") == "10000|30000"


def test_a_reply_over_the_limit(way):
    assert way.run('return pcall(c.Echo, c, { text = ("x"):rep(200) })', "max_message = 100") == \
        "false|RESOURCE_EXHAUSTED: the message is larger than 100 bytes"


def test_a_call_that_is_cancelled(way, inner):
    since = len(inner.log)
    assert way.run("""
        local call = c:Count { count = 1000000000, data = ("x"):rep(1000) }
        call:recv()
        call:cancel()
        return pcall(call.recv, call)""") == "false|CANCELLED: the call was cancelled"
    inner.wait_for("sent", since=since)


def test_streams_both_ways_where_tls_agrees_on_http_1(client, upstream, certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates["one.test"].cert, certificates["one.test"].key)
    context.set_alpn_protocols(["http/1.1"])
    other = upstream(lambda connection: connection.wait_closed(), tls=context)
    for protocol in ("connect", "grpc-web"):
        assert run_caller(client, other.url, "return pcall(c.Chat, c)",
                          f'{{ verify = false, protocol = "{protocol}" }}').startswith(
            "false|UNIMPLEMENTED: Chat has streams")


def test_many_calls_at_once(way):
    assert way.run("""
        local tasks = {}
        for i = 1, 40 do tasks[i] = function() return c:Echo({ count = i }).count end end
        local sum = 0
        for _, n in ipairs { mt.all(table.unpack(tasks)) } do sum = sum + n end
        return sum""") == "820"
