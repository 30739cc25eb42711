"""Calls of gRPC services from a handler: on moontrail, on gRPC's C library, and on what is neither."""
import threading

import grpc
import pytest

from grpc_service import PROTO, Data, Protos, open_channel, scripts
from handlers import RUN, begin_lua, run_lua
from others import grpc_server
from server import Server, write_scripts
from upstreams import Http2Upstream, always, free_port, response

# A service that asks another server, by the metadata "url".
EDGE = """
    local grpc = require "moontrail.grpc"
    local mt = require "moontrail"
    local Edge = grpc.service("edge.proto", "test.Edge")

    local function inner(call)
        return grpc.client(call.metadata.url, "calls.proto", "test.Calls")
    end

    function Edge.Echo(request, call)
        return (inner(call):Echo(request))
    end

    function Edge.Fail(request, call)
        return (inner(call):Fail(request))
    end

    function Edge.Sleep(request, call)
        return (inner(call):Sleep(request))
    end

    function Edge.Deadline(_, call)
        local _, made = inner(call):Echo {}
        return { text = made.trailers["x-deadline"] }
    end

    return Edge
    """

EDGE_PROTO = """
    syntax = "proto3";
    package test;
    import "calls.proto";
    service Edge {
      rpc Echo(Data) returns (Data);
      rpc Fail(Data) returns (Data);
      rpc Sleep(Data) returns (Data);
      rpc Deadline(Data) returns (Data);
    }"""

BYTES_PROTO = """
    syntax = "proto3";
    package test;
    message Text { string text = 15; }
    service Service {
      rpc Unary(Text) returns (Text);
      rpc Count(Text) returns (stream Text);
      rpc Chat(stream Text) returns (stream Text);
      rpc Wait(Text) returns (Text);
      rpc Nothing(Text) returns (Text);
    }"""

SCRIPTS = {"index.lua": RUN, "edge.lua": EDGE, "edge.proto": EDGE_PROTO, "calls.proto": PROTO,
           "bytes.proto": BYTES_PROTO}

CLIENT = """
    local grpc = require "moontrail.grpc"
    local c = grpc.client("URL", "calls.proto", "test.Calls", OPTIONS)
    """


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), scripts()))
    yield server
    server.stop()


@pytest.fixture(params=["http", "h2c", "https"])
def url(request, inner):
    return {"http": inner.http, "h2c": inner.http.replace("http:", "h2c:"),
            "https": inner.https}[request.param]


@pytest.fixture
def h2c(inner):
    return inner.http.replace("http:", "h2c:")


def run(client, url, code, options="{ verify = false }"):
    """What the code returns, with a client c of the service at the URL."""
    code = CLIENT.replace("URL", url).replace("OPTIONS", options) + code
    answer = run_lua(client, code)
    assert answer.status == 200, answer.text
    return answer.text


def test_unary(client, url):
    assert run(client, url, """
        local r = c:Echo { text = "hé", count = -7, data = "\\0\\255" }
        return r.text, r.count, r.data == "\\0\\255" """) == "hé|-7|true"


def test_server_streaming(client, url):
    assert run(client, url, """
        local sum = 0
        local call = c:Count { count = 100 }
        for reply in call:messages() do sum = sum + reply.count end
        return sum, call:recv(), call:status()""") == "5050|nil|0||nil"


def test_client_streaming(client, url):
    assert run(client, url, """
        local call = c:Sum()
        for _, text in ipairs { "a", "b", "c" } do call:send { text = text } end
        call:close_send()
        local reply = call:recv()
        return reply.count, reply.text, call:recv(), call:status()""") == "3|abc|nil|0||nil"


def test_bidirectional(client, url):
    assert run(client, url, """
        local call, seen = c:Chat(), {}
        for i = 1, 20 do
            call:send { count = i }
            seen[i] = call:recv().count
        end
        call:close_send()
        return table.concat(seen, " "), call:recv()""") == \
        " ".join(map(str, range(1, 21))) + "|nil"


def test_a_large_message(client, url):
    assert run(client, url, """
        local data = ("0123456789"):rep(100000)
        return c:Echo({ data = data }).data == data""") == "true"


def test_metadata_both_ways(client, url):
    assert run(client, url, """
        local _, call = c:Echo({}, { metadata = {
            ["X-Text"] = "a b", ["x-two"] = { "1", 2 }, ["x-bytes-bin"] = "\\0\\1\\255" } })
        local m, t = call.metadata, call.trailers
        return m["x-text"], table.concat(m["x-two"], "+"), #m["x-bytes-bin"],
            t["trailing-x-text"]""") == "a b|1+2|3|a b"


def test_metadata_of_the_client_goes_with_each_call(client, h2c):
    assert run(client, h2c, """
        local _, call = c:Echo {}
        return call.metadata["x-always"]""", '{ metadata = { ["x-always"] = "yes" } }') == "yes"


def test_the_head_is_waited_for(client, h2c):
    assert run(client, h2c, """
        local call = c:FailLate({ metadata = { ["x-a"] = "b" } })
        call:send {}
        return type(call.metadata), call:recv().count, pcall(call.recv, call)""") == \
        "table|0|false|DATA_LOSS: half of it is gone"


def test_a_status(client, url):
    assert run(client, url, """
        local ok, e = pcall(c.Fail, c, { count = 5, text = "nö such", data = "\\7" },
                            { metadata = { ["x-a"] = "b" } })
        return ok, tostring(e), e.code == grpc.codes.NOT_FOUND, e.message, #e.details,
            e.details[1].type, e.details[1].value.text, e.details[2].type_url,
            e.details[2].value == "\\7", e.metadata["trailing-x-a"]""") == \
        "false|NOT_FOUND: nö such|true|nö such|2|test.Data|nö such|x/any|true|b"


def test_a_status_behind_replies(client, url):
    assert run(client, url, """
        local call = c:FailLate()
        call:send { count = 1 }
        local first = call:recv().count
        local ok, e = pcall(call.recv, call)
        return first, ok, tostring(e), call.trailers["x-late"], call:status()""") == \
        "1|false|DATA_LOSS: half of it is gone|yes|15|half of it is gone|nil"


def test_the_status_passes_over_what_nobody_reads(client, h2c):
    assert run(client, h2c, "return c:Count({ count = 50 }):status()") == "0||nil"


def test_a_method_that_is_not_served(client, url):
    assert run(client, url, "return pcall(c.Missing, c, {})") == \
        "false|UNIMPLEMENTED: the method is not implemented"


def test_a_timeout(client, inner, h2c):
    since = len(inner.log)
    assert run(client, h2c, "return pcall(c.Sleep, c, { count = 60 }, { timeout = 0.1 })") == \
        "false|DEADLINE_EXCEEDED: deadline exceeded"
    inner.wait_for("slept false", since=since)


def test_a_timeout_of_the_client(client, h2c):
    text = run(client, h2c, """
        local _, call = c:Echo {}
        return call.trailers["x-deadline"]""", "{ timeout = 50 }")
    assert 40 < float(text) <= 50


def test_the_deadline_of_the_request_goes_on(client, h2c):
    text = run(client, h2c, """
        ctx:deadline(30)
        local _, call = c:Echo({}, { timeout = 50 })
        return call.trailers["x-deadline"]""")
    assert 20 < float(text) <= 30


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compression(client, h2c, encoding):
    assert run(client, h2c, """
        local r, call = c:Echo { text = ("x"):rep(10000) }
        return #r.text, call.trailers["x-compressed"]""",
               f'{{ compression = "{encoding}" }}') == "10000|true"


def test_replies_that_come_compressed(client, tmp_path):
    server = Server(write_scripts(tmp_path / "packed", scripts('{ compression = "gzip" }')))
    assert run(client, server.http, 'return #c:Echo({ text = ("x"):rep(10000) }).text') == "10000"
    server.stop()


def test_a_reply_over_the_limit(client, h2c):
    assert run(client, h2c, 'return pcall(c.Echo, c, { text = ("x"):rep(200) })',
               "{ max_message = 100 }") == \
        "false|RESOURCE_EXHAUSTED: the message is larger than 100 bytes"


def test_a_call_that_is_cancelled(client, inner, h2c):
    since = len(inner.log)
    assert run(client, h2c, """
        local call = c:Count { count = 1000000000, data = ("x"):rep(1000) }
        call:recv()
        call:cancel()
        return pcall(call.recv, call)""") == "false|CANCELLED: the call was cancelled"
    inner.wait_for("sent", since=since)


def test_a_handler_that_leaves_a_call_cancels_it(client, inner, h2c):
    since = len(inner.log)
    run(client, h2c, "c:Count({ count = 1000000000, data = ('x'):rep(1000) }):recv()")
    inner.wait_for("sent", since=since)


def test_a_server_that_ends_a_call_early(client, h2c):
    assert run(client, h2c, """
        local call, n = c:First(), 0
        while call:send { count = n, data = ("x"):rep(1000) } do n = n + 1 end
        return call:recv().count, call:status()""") == "0|0||nil"


def test_a_server_that_cannot_be_reached(client):
    url = f"h2c://127.0.0.1:{free_port()}"
    text = run(client, url, "return pcall(c.Echo, c, {})")
    assert text.startswith(f"false|UNAVAILABLE: POST {url}/test.Calls/Echo: no connection: ")


def test_a_server_that_goes_away(client, upstream):
    def on_event(connection, _speaker, event):
        if type(event).__name__ == "RequestReceived":
            connection.vanish()

    text = run(client, upstream(on_event, kind=Http2Upstream).h2c, "return pcall(c.Echo, c, {})")
    assert text.startswith("false|UNAVAILABLE: ") and "connection lost" in text


@pytest.mark.parametrize("code, status", [
    (0, "INTERNAL"), (7, "UNAVAILABLE"), (8, "CANCELLED"), (11, "RESOURCE_EXHAUSTED"),
    (12, "PERMISSION_DENIED"), (99, "INTERNAL")])
def test_a_stream_that_is_reset(client, upstream, code, status):
    def on_event(_connection, speaker, event):
        if type(event).__name__ == "RequestReceived":
            speaker.reset_stream(event.stream_id, code)

    text = run(client, upstream(on_event, kind=Http2Upstream).h2c, "return pcall(c.Chat(c).recv, c:Chat())")
    assert text.startswith(f"false|{status}: "), text


def answer_with(headers, body=b"", trailers=None):
    def on_event(_connection, speaker, event):
        if type(event).__name__ not in ("StreamEnded",):
            return
        speaker.send_headers(event.stream_id, headers, end_stream=not body and trailers is None)
        if body or trailers is not None:
            speaker.send_data(event.stream_id, body, end_stream=trailers is None)
        if trailers is not None:
            speaker.send_headers(event.stream_id, trailers, end_stream=True)
    return on_event


GRPC = [(":status", "200"), ("content-type", "application/grpc")]
OK = [("grpc-status", "0")]


@pytest.mark.parametrize("answer, status", [
    (answer_with([(":status", "503")]), "UNAVAILABLE: the server answered with HTTP status 503"),
    (answer_with([(":status", "404")]), "UNIMPLEMENTED: the server answered with HTTP status 404"),
    (answer_with([(":status", "200"), ("content-type", "text/html")]),
     'UNKNOWN: the server answered with "text/html"'),
    (answer_with(GRPC + [("grpc-encoding", "br")]),
     "INTERNAL: the server answered in the encoding br"),
    (answer_with(GRPC), "UNKNOWN: the server has given no status"),
    (answer_with(GRPC + [("grpc-status", "x")]), "UNKNOWN: the server has given no status"),
    (answer_with(GRPC + [("grpc-status", "7"), ("grpc-message", "no%21 50%25 %zz")]),
     "PERMISSION_DENIED: no! 50% %zz"),
    (answer_with(GRPC + OK), "INTERNAL: the response has no message"),
    (answer_with(GRPC, b"\0\0\0\0\0" * 2, OK),
     "INTERNAL: the response has more than one message"),
    (answer_with(GRPC, b"\0\0\0", OK), "INTERNAL: the stream ends within the head of a message"),
    (answer_with(GRPC, b"\0\0\0\0\5ab", OK), "INTERNAL: the stream ends within a message"),
    (answer_with(GRPC, b"\0\0\0\0\2\xff\xff", OK), "INTERNAL: a message cannot be read: "),
    (answer_with(GRPC, b"\1\0\0\0\2ab", OK), "INTERNAL: a message is compressed"),
    (answer_with(GRPC, b"\0\xff\xff\xff\xff", OK), "RESOURCE_EXHAUSTED: the message is larger"),
    (answer_with(GRPC, b"\0\0\0\0\0", [("grpc-status", "5"), (
        "grpc-status-details-bin", "CAUaAv//")]), "NOT_FOUND: "),
])
def test_what_no_server_should_answer(client, upstream, answer, status):
    text = run(client, upstream(answer, kind=Http2Upstream).h2c, "return pcall(c.Echo, c, {})")
    assert text.startswith(f"false|{status}"), text


def test_a_server_of_http_1(client, upstream):
    text = run(client, upstream(always(response(b"hello"))).url, "return pcall(c.Echo, c, {})")
    assert text.startswith("false|UNAVAILABLE: "), text


def test_mistakes_are_told_where_they_are_made(client, h2c):
    text = run(client, h2c, """
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


# A gRPC server that calls another.

@pytest.fixture
def edge(server):
    protos = Protos(calls=PROTO, edge=EDGE_PROTO)
    with open_channel(server.http) as channel:
        yield protos.stub(channel, "test.Edge")


def test_a_handler_that_passes_a_call_on(edge, inner):
    reply = edge.Echo(Data(text="through"), metadata=(("url", inner.http),))
    assert reply.text == "through"


def test_a_status_that_a_handler_does_not_catch_is_its_own(edge, inner):
    with pytest.raises(grpc.RpcError) as raised:
        edge.Fail(Data(text="inner", count=9, data=b"\1"), metadata=(("url", inner.http),))
    assert raised.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert raised.value.details() == "inner"
    assert any(key == "grpc-status-details-bin" for key, _ in raised.value.trailing_metadata())


def test_the_deadline_of_a_handlers_client_goes_on(edge, inner):
    left = float(edge.Deadline(Data(), timeout=20, metadata=(("url", inner.http),)).text)
    assert 10 < left <= 20


def test_a_client_that_cancels_cancels_what_is_called(edge, inner):
    since = len(inner.log)
    call = edge.Sleep.future(Data(count=60), metadata=(("url", inner.http),))
    threading.Timer(0.3, call.cancel).start()
    with pytest.raises(grpc.FutureCancelledError):
        call.result()
    inner.wait_for("slept false", since=since)


# gRPC's C library as the server.

@pytest.fixture(scope="module")
def library():
    server, port = grpc_server(grpc)
    yield f"h2c://127.0.0.1:{port}"
    server.stop(None)


def run_library(client, url, code):
    code = f"""
        local grpc = require "moontrail.grpc"
        local c = grpc.client("{url}", "bytes.proto", "test.Service")
        """ + code
    answer = run_lua(client, code)
    assert answer.status == 200, answer.text
    return answer.text


def test_the_library_answers(client, library):
    # The server turns the bytes of the message to upper case: field 15 is "z", and "Z" is field 11.
    assert run_library(client, library, """
        local r, call = c:Unary { text = "123" }
        return r.text, call.metadata["x-first"]""") == "|1"


def test_the_library_streams(client, library):
    assert run_library(client, library, """
        local call, n = c:Chat(), 0
        for i = 1, 3 do
            call:send { text = tostring(i) }
        end
        call:close_send()
        return pcall(call.recv, call)""").startswith("false|INTERNAL: a message cannot be read")


def test_the_library_fails(client, library):
    assert run_library(client, library, "return pcall(c.Nothing, c, {})").startswith(
        "false|UNIMPLEMENTED: ")


def test_the_library_is_late(client, library):
    assert run_library(client, library, "return pcall(c.Wait, c, {}, { timeout = 0.1 })") == \
        "false|DEADLINE_EXCEEDED: deadline exceeded"


def test_many_calls_at_once(client, h2c):
    stream = begin_lua(client, CLIENT.replace("URL", h2c).replace("OPTIONS", "nil") + """
        local tasks = {}
        for i = 1, 100 do tasks[i] = function() return c:Echo({ count = i }).count end end
        local sum = 0
        for _, n in ipairs { mt.all(table.unpack(tasks)) } do sum = sum + n end
        return sum""")
    assert client.response(stream).text == "5050"
