"""gRPC clients in a service, which calls another, and those whose server is gRPC's C library."""
import threading
from concurrent import futures

import pytest

grpc = pytest.importorskip("grpc")

from grpc_caller import SCRIPTS as CALLER
from grpc_caller import CHAT, CHATTED, run_caller
from grpc_service import PROTO, Data, Protos, open_channel, scripts
from server import Server, write_scripts

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

SCRIPTS = CALLER | {"edge.lua": EDGE, "edge.proto": EDGE_PROTO}


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), scripts()))
    yield server
    server.stop()


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
    inner.wait_for(r"slept\\tfalse", since=since)


# gRPC's C library as the server.

class Library:
    """The methods of test.Calls, as far as they are called here."""

    @staticmethod
    def Echo(request, context):
        context.send_initial_metadata((("x-first", "1"), ("x-bytes-bin", b"\0\1")))
        context.set_trailing_metadata((("x-last", dict(context.invocation_metadata())["x-a"]),))
        return request

    @staticmethod
    def Fail(_request, context):
        context.set_trailing_metadata((("grpc-status-details-bin", bytes.fromhex(
            "0805" "1a10" "0a09" + b"test.Data".hex() + "1203" "0a0161")),))
        context.abort(grpc.StatusCode.NOT_FOUND, "nö: 100%")

    @staticmethod
    def Sleep(_request, context):
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait()

    @staticmethod
    def Count(request, _context):
        for i in range(1, request.count + 1):
            yield Data(count=i, data=request.data)

    @staticmethod
    def Sum(requests, _context):
        texts = [request.text for request in requests]
        return Data(count=len(texts), text="".join(texts))

    @staticmethod
    def Chat(requests, _context):
        yield from requests


KINDS = {"Count": "unary_stream", "Sum": "stream_unary", "Chat": "stream_stream"}


def handlers():
    made = {}
    for name in (name for name in vars(Library) if not name.startswith("_")):
        make = getattr(grpc, KINDS.get(name, "unary_unary") + "_rpc_method_handler")
        made[name] = make(getattr(Library, name), request_deserializer=Data.FromString,
                          response_serializer=Data.SerializeToString)
    return grpc.method_handlers_generic_handler("test.Calls", made)


@pytest.fixture(scope="module", params=["tcp", "unix", "gzip"])
def library(request, tmp_path_factory):
    """The server's address; its replies are compressed in one of the three cases."""
    compression = grpc.Compression.Gzip if request.param == "gzip" else None
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), [handlers()],
                         compression=compression)
    path = tmp_path_factory.mktemp("library") / "socket"
    if request.param == "unix":
        server.add_insecure_port(f"unix:{path}")
        url = f"unix:{path}"
    else:
        url = f"h2c://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield url
    server.stop(None).wait()


def test_the_library_answers(client, library):
    assert run_caller(client, library, """
        local r, call = c:Echo({ text = "hé", count = -7 }, { metadata = { ["x-a"] = "b" } })
        return r.text, r.count, call.metadata["x-first"], #call.metadata["x-bytes-bin"],
            call.trailers["x-last"]""") == "hé|-7|1|2|b"


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_the_library_takes_what_is_compressed(client, library, compression):
    assert run_caller(client, library, """
        local text = ("x"):rep(100000)
        return c:Echo({ text = text }, { metadata = { ["x-a"] = "b" } }).text == text""",
                      f'{{ compression = "{compression}" }}') == "true"


def test_the_library_streams(client, library):
    assert run_caller(client, library, """
        local data, n = ("x"):rep(1000), 0
        for reply in c:Count({ count = 1000, data = data }):messages() do
            assert(reply.data == data)
            n = n + reply.count
        end
        return n""") == "500500"


def test_the_library_takes_a_stream(client, library):
    assert run_caller(client, library, """
        local call = c:Sum()
        for i = 1, 9 do call:send({ text = tostring(i) }) end
        call:close_send()
        local reply = call:recv()
        return reply.count, reply.text, call:status()""") == "9|123456789|0||nil"


def test_the_library_chats(client, library):
    assert run_caller(client, library, CHAT) == CHATTED


def test_the_library_fails(client, library):
    assert run_caller(client, library, """
        local ok, e = pcall(c.Fail, c, {})
        return ok, tostring(e), #e.details, e.details[1].type, e.details[1].value.text""") == \
        "false|NOT_FOUND: nö: 100%|1|test.Data|a"


def test_the_library_does_not_serve_it(client, library):
    assert run_caller(client, library, "return pcall(c.Missing, c, {})").startswith(
        "false|UNIMPLEMENTED: ")


def test_the_library_is_late(client, library):
    text = run_caller(client, library, "return pcall(c.Sleep, c, {}, { timeout = 0.1 })")
    assert text.lower() == "false|deadline_exceeded: deadline exceeded"
