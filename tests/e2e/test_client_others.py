"""Calls from a handler of services that others have made: connect-node's and grpc-js's."""
import itertools
import json
import os
import subprocess

import pytest

from grpc_caller import CHAT, CHATTED, SCRIPTS, run_caller
from grpc_service import PROTO
from optional import GRPCJS, RPCJS, need
from server import ROOT, Server, write_scripts
from upstreams import port_of

need("node", "protoc", "rpc-js", "grpc-js")


def serve(*command, **more):
    """Starts a server, which says by which ports, and gives these and what ends it."""
    process = subprocess.Popen(["node", *map(str, command)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, **more)
    return json.loads(process.stdout.readline()), process


def end(process):
    process.stdin.close()
    process.stdout.close()
    assert process.wait(30) == 0


@pytest.fixture(scope="module")
def connect_node(tmp_path_factory, certificates):
    folder = write_scripts(tmp_path_factory.mktemp("protos"), {"calls.proto": PROTO})
    subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={folder}/set", "calls.proto"],
                   check=True)
    one = certificates["one.test"]
    ports, process = serve(ROOT / "tests/e2e/rpcjs/server.mjs", RPCJS, folder / "set", one.cert,
                           one.key)
    yield ports
    end(process)


@pytest.fixture(scope="module")
def grpc_js(tmp_path_factory):
    folder = write_scripts(tmp_path_factory.mktemp("protos"), {"calls.proto": PROTO})
    ports, process = serve(ROOT / "tests/e2e/grpcjs/server.js", folder,
                           env=os.environ | {"NODE_PATH": str(GRPCJS)})
    yield ports
    end(process)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, grpc_js):
    """Ports of a gateway in front of grpc-js."""
    server = Server(write_scripts(tmp_path_factory.mktemp("gateway"), {
        "calls.proto": PROTO, "[...path].lua": f"""
            return require("moontrail.grpc").gateway("h2c://127.0.0.1:{grpc_js['h2c']}",
                                                     {{ file = "calls.proto" }})"""}))
    yield {"http": port_of(server.http), "h2c": port_of(server.http),
           "https": port_of(server.https)}
    server.stop()


GATEWAY = [f"gateway {protocol} {codec} {scheme}" for protocol, codec, scheme in (
    ("grpc", "proto", "h2c"), ("grpc-web", "proto", "http"), ("connect", "proto", "https"),
    ("connect", "json", "http"), ("connect", "json", "h2c"))]
WAYS = GATEWAY + ["grpc-js grpc proto h2c"] + [
    f"connect-node {protocol} {codec} {scheme}" for protocol, codec, scheme in itertools.product(
        ("grpc", "grpc-web", "connect"), ("proto", "json"), ("http", "h2c", "https"))
    if (protocol, scheme) != ("grpc", "http")]


class Way:
    """One of the servers, and how it is called."""

    def __init__(self, client, ports, serves_grpc_js, protocol, codec, scheme):
        self.spoken = "grpc" if serves_grpc_js else protocol
        self.protocol, self.is_http_1 = protocol, scheme == "http"
        self.sends_status_alone = protocol == "connect" or serves_grpc_js
        self._url = f"{scheme}://127.0.0.1:{ports[scheme]}"
        self._options = f'verify = false, protocol = "{protocol}", codec = "{codec}"'
        self._client = client

    def run(self, code, more=""):
        return run_caller(self._client, self._url, code, f"{{ {self._options}, {more} }}")


@pytest.fixture(params=WAYS)
def way(request, client):
    server, *how = request.param.split()
    ports = request.getfixturevalue(server.replace("-", "_"))
    return Way(client, ports, server != "connect-node", *how)


def test_unary(way):
    assert way.run("""
        local r, call = c:Echo({ text = "hé", count = -7, data = "\\0\\255" },
            { timeout = 50, metadata = { ["x-a"] = "b" } })
        return r.text, r.count, r.data == "\\0\\255", call.metadata["x-first"],
            call.trailers["x-last"], call.trailers["x-protocol"]""") == \
        f"hé|-7|true|b|true|{way.spoken}"


def test_server_streaming(way):
    assert way.run("""
        local n, data = 0, ("x"):rep(1000)
        for reply in c:Count({ count = 100, data = data }):messages() do
            assert(reply.data == data)
            n = n + reply.count
        end
        return n""") == "5050"


def test_client_streaming(way):
    assert way.run("""
        local call = c:Sum()
        for i = 1, 9 do call:send({ text = tostring(i) }) end
        call:close_send()
        local reply = call:recv()
        return reply.count, reply.text, (call:status())""") == "9|123456789|0"


def test_bidirectional(way):
    if way.is_http_1:
        assert way.run("return pcall(c.Chat, c)").startswith("false|UNIMPLEMENTED: ")
    else:
        assert way.run(CHAT) == CHATTED


def test_a_status(way):
    assert way.run("""
        local ok, e = pcall(c.Fail, c, { count = 9, text = "nö: 100%" })
        return ok, tostring(e), e.metadata["x-last"], #e.details, e.details[1].type,
            e.details[1].value.text""") == \
        "false|FAILED_PRECONDITION: nö: 100%|failed|1|test.Data|detail"


def test_a_status_behind_a_reply(way):
    if way.is_http_1:
        return
    assert way.run("""
        local call = c:FailLate()
        call:send { count = 1 }
        local first, ok, e = call:recv().count, pcall(call.recv, call)
        return first, ok, tostring(e), call.trailers["x-late"]""") == \
        "1|false|DATA_LOSS: half of it is gone|yes"


@pytest.mark.parametrize("compression", ["nil", '"gzip"'])
def test_compression(way, compression):
    assert way.run("""
        local text = ("x"):rep(20000)
        local call, n = c:Count({ count = 3, data = text }), 0
        for reply in call:messages() do n = n + #reply.data end
        return c:Echo({ text = text }).text == text, n""",
                   f"compression = {compression}") == "true|60000"


def test_a_method_that_is_not_there(way):
    assert way.run("return pcall(c.Missing, c, {})").startswith("false|UNIMPLEMENTED: ")


def test_a_timeout(way):
    text = way.run("return pcall(c.Sleep, c, {}, { timeout = 0.3 })")
    assert text.startswith("false|DEADLINE_EXCEEDED: "), text


def test_calls_that_are_made_again(way, request):
    """Where the head has come before the status, as connect-node's does in gRPC and gRPC-Web, they
    are not."""
    text = way.run(f"""
        local n = 0
        for _ = 1, 3 do n = n + c:Raise({{ text = "{request.node.name}" }}).count end
        return n""" if way.sends_status_alone else """
        return pcall(c.Raise, c, { text = "once" })""", "retry = { backoff = { 0.01, 0.02 } }")
    assert text == ("18" if way.sends_status_alone else "false|UNAVAILABLE: not yet")


def test_many_calls_at_once(way):
    assert way.run("""
        local tasks = {}
        for i = 1, 40 do tasks[i] = function() return c:Echo({ count = i }).count end end
        local sum = 0
        for _, n in ipairs { mt.all(table.unpack(tasks)) } do sum = sum + n end
        return sum""") == "820"
