"""Servers of others behind the server: nginx, Node's http and http2, gRPC for Python."""
import os
import queue
import subprocess

import pytest

grpc = pytest.importorskip("grpc")

from others import Nginx, Node, grpc_server
from server import PATIENCE, ROOT
from upstreams import free_port

# nginx.


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "file").write_bytes(bytes(range(256)) * 4096)
    (folder / "empty").touch()
    server = Nginx(folder)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def through(start, connect):
    """A client of a server in front of an upstream."""
    return lambda url: connect(start(None, "--upstream", url).https)


def test_nginx(nginx, through):
    client = through(nginx)
    assert client.fetch("/protocol").text == f"HTTP/1.1 {nginx.removeprefix('http://')}"
    whole = client.fetch("/file")
    assert whole.body == bytes(range(256)) * 4096
    assert whole.header("content-length") == str(1 << 20)
    part = client.fetch("/file", headers=[("range", "bytes=10-19")])
    assert (part.status, part.body) == (206, bytes(range(10, 20)))
    same = client.fetch("/file", headers=[("if-none-match", whole.header("etag"))])
    assert (same.status, same.body) == (304, b"")
    head = client.fetch("/file", "HEAD")
    assert (head.body, head.header("content-length")) == (b"", str(1 << 20))
    assert client.fetch("/empty").body == b""
    assert client.fetch("/none").status == 204
    assert client.fetch("/missing").status == 404
    assert client.fetch("/file", "POST", body=bytes(1000)).status == 405


# Node.

@pytest.fixture(scope="module", params=["1.1", "2"])
def node(request):
    server = Node(request.param)
    server.version = request.param
    server.url = f"{'h2c' if request.param == '2' else 'http'}://127.0.0.1:{server.port}"
    yield server
    server.stop()


def test_node(node, through):
    client = through(node.url)
    assert client.fetch("/protocol").text == {"1.1": "1.1", "2": "2.0"}[node.version]
    body = bytes(range(256)) * 1024
    assert client.fetch("/echo", "POST", body=body).body == body


def test_node_trailers(node, through):
    client = through(node.url)
    stream = client.request("/trailers", "POST", end=False)
    client.send(stream, b"four")
    client.h2.send_headers(stream, [("x-given", "42")], end_stream=True)
    client.flush()
    got = client.response(stream)
    assert (got.text, got.trailers) == ("body", [("x-sum", "4 42")])


# gRPC.

@pytest.fixture(scope="module")
def grpc_port():
    server, port = grpc_server(grpc)
    yield port
    server.stop(0)


@pytest.fixture
def channel(start, grpc_port):
    edge = start(None, "--upstream", f"h2c://127.0.0.1:{grpc_port}")
    with grpc.insecure_channel(edge.http.removeprefix("http://")) as channel:
        yield channel


def test_grpc_unary(channel):
    message, call = channel.unary_unary("/test.Service/Unary").with_call(b"hello", timeout=20)
    assert message == b"HELLO"
    assert ("x-first", "1") in call.initial_metadata()


def test_grpc_error_with_trailing_metadata(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Service/Unary")(b"fail", timeout=20)
    error = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "as you like")
    assert ("x-why", "asked for") in error.trailing_metadata()


def test_grpc_method_that_is_not_there(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Service/None")(b"", timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_grpc_streams(channel):
    count = channel.unary_stream("/test.Service/Count")(b"1000", timeout=20)
    assert list(count) == [b"%d" % i for i in range(1000)]
    total = channel.stream_unary("/test.Service/Sum")(
        (bytes(1000) for _ in range(1000)), timeout=20)
    assert total == b"1000000"


def test_grpc_turns_in_both_directions(channel):
    said = queue.Queue()
    replies = channel.stream_stream("/test.Service/Chat")(iter(said.get, None), timeout=20)
    for turn in range(50):
        said.put(b"%d" % turn)
        assert next(replies) == b"re: %d" % turn
    said.put(None)
    assert list(replies) == []
    assert replies.code() == grpc.StatusCode.OK


def test_grpc_deadline(channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Service/Wait")(b"", timeout=0.3)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_grpc_server_that_is_not_there(start):
    edge = start(None, "--upstream", f"h2c://127.0.0.1:{free_port()}")
    with grpc.insecure_channel(edge.http.removeprefix("http://")) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/test.Service/Unary")(b"", timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_grpc_interoperability(start, tmp_path):
    """The client of gRPC's interoperability tests, as the example runs it, through the server."""
    example = ROOT / "examples" / "interop"
    inner = start(example / "handler.lua")
    edge = start(None, "--upstream", inner.http.replace("http:", "h2c:"))
    protos = [str(path) for path in sorted(example.rglob("*.proto")) if path.name != "test.proto"]
    subprocess.run(["protoc", f"--proto_path={example}", f"--python_out={tmp_path}", *protos],
                   check=True)
    client = subprocess.run(
        ["/usr/bin/python3", example / "client.py", edge.http.removeprefix("http://")],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{tmp_path}/grpc/testing"},
        capture_output=True, text=True, timeout=2 * PATIENCE)
    assert (client.stdout, client.stderr) == ((example / "expected").read_text(), "")
