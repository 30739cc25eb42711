"""A gateway: gRPC-Web, Connect, JSON and templates in front of a gRPC server."""
import base64
import itertools
import json
import struct
import subprocess
from concurrent import futures

import h2.events
import pytest

grpc = pytest.importorskip("grpc")

from grpc_caller import CHAT, CHATTED, SCRIPTS as CALLER, h2c, run_caller
from grpc_service import PROTO, Data, Protos, open_channel, scripts
from server import Server, run, write_scripts
from test_grpc_client_others import handlers
from upstreams import Http2Upstream, free_port

TEMPLATES = """
    syntax = "proto3";
    package shop;
    import "google/api/annotations.proto";
    message Shelf { string name = 1; int32 size = 2; repeated string tags = 3; }
    service Shelves {
      rpc Get(Shelf) returns (Shelf) {
        option (google.api.http) = { get: "/v1/{name=shelves/*}" };
      }
      rpc Put(Shelf) returns (Shelf) {
        option (google.api.http) = { put: "/v1/{name=shelves/*}" body: "*" };
      }
      rpc Move(Shelf) returns (Shelf) {
        option (google.api.http) = { post: "/v1/{name=shelves/*}:move" body: "*" };
      }
      rpc Top(Shelf) returns (Shelf) {
        option (google.api.http) = { get: "/v1/shelves/top" };
      }
      rpc Rest(Shelf) returns (Shelf) {
        option (google.api.http) = { get: "/v1/{name=**}" };
      }
      rpc Many(Shelf) returns (stream Shelf) {
        option (google.api.http) = { get: "/v1/many/{size}" };
      }
    }"""

SHELVES = """
    local grpc = require "moontrail.grpc"
    local Shelves = grpc.service("shop.proto", "shop.Shelves")
    for _, name in ipairs { "Get", "Put", "Move", "Top", "Rest" } do
        Shelves[name] = function(request, call)
            if request.name == "shelves/none" then grpc.error("NOT_FOUND", "none") end
            request.tags[#request.tags + 1] = name
            return request
        end
    end
    function Shelves.Many(request, call)
        for i = 1, request.size do call:send({ name = "n" .. i }) end
        if request.size == 3 then grpc.error("ABORTED", "no more") end
    end
    return Shelves"""

BACKEND = scripts() | {"shop.proto": TEMPLATES, "shop.lua": SHELVES}


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("backend"), BACKEND))
    yield server
    server.stop()


def gateway_scripts(url, options="{}"):
    return {"[...path].lua": f"""
        return require("moontrail.grpc").gateway("{url}", {options})""",
            "calls.proto": PROTO, "shop.proto": TEMPLATES}


@pytest.fixture(scope="module")
def reflecting(backend, tmp_path_factory):
    server = Server(write_scripts(
        tmp_path_factory.mktemp("gateway"), gateway_scripts(h2c(backend))))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def by_file(backend, tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("gateway"), gateway_scripts(
        h2c(backend), '{ file = "shop.proto" }')))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def caller(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("caller"), CALLER))
    yield server
    server.stop()


WAYS = [f"{protocol} {codec} {scheme}" for protocol, codec, scheme in itertools.product(
    ("grpc", "grpc-web", "connect"), ("proto", "json"), ("http", "h2c"))
    if (protocol, codec) != ("grpc", "json")]


@pytest.fixture(params=WAYS)
def way(request, caller, connect, reflecting):
    """What calls the gateway in one of the ways, with code."""
    protocol, codec, scheme = request.param.split()
    url = reflecting.http if scheme == "http" else h2c(reflecting)

    def call(code):
        return run_caller(connect(caller.https), url, code,
                          f'{{ protocol = "{protocol}", codec = "{codec}" }}')

    call.is_http_1 = scheme == "http" and protocol != "grpc"
    return call


def test_unary(way):
    assert way("""
        local r, call = c:Echo({ text = "hé", count = -7, data = "\\0\\255" },
            { metadata = { ["x-a"] = "b", ["x-bytes-bin"] = "\\0\\1" } })
        return r.text, r.count, r.data == "\\0\\255", call.metadata["x-a"],
            #call.metadata["x-bytes-bin"], call.trailers["trailing-x-a"]""") == \
        "hé|-7|true|b|2|b"


def test_streams(way):
    assert way("""
        local n = 0
        for reply in c:Count({ count = 100 }):messages() do n = n + reply.count end
        local sum = c:Sum()
        for _, text in ipairs { "a", "b", "c" } do sum:send { text = text } end
        sum:close_send()
        return n, sum:recv().text""") == "5050|abc"


def test_both_directions(way):
    if not way.is_http_1:
        assert way(CHAT) == CHATTED


def test_statuses(way):
    assert way("""
        local ok, e = pcall(c.Fail, c, { count = 5, text = "nö such", data = "\\7" },
                            { metadata = { ["x-a"] = "b" } })
        return ok, tostring(e), #e.details, e.details[1].type, e.details[1].value.text,
            e.details[2].value == "\\7", e.metadata["trailing-x-a"]""") == \
        "false|NOT_FOUND: nö such|2|test.Data|nö such|true|b"


def test_unimplemented_methods(way):
    assert way("return pcall(c.Missing, c, {})").startswith("false|UNIMPLEMENTED: ")


def test_deadlines(way, backend):
    since = len(backend.log)
    assert way("""
        local _, call = c:Echo({}, { timeout = 40 })
        local left = tonumber(call.trailers["x-deadline"])
        return left > 20 and left <= 40, pcall(c.Sleep, c, { count = 60 }, { timeout = 0.3 })
        """) == "true|false|DEADLINE_EXCEEDED: deadline exceeded"
    backend.wait_for(r"slept\\tfalse", since=since)


def test_cancellation(way, backend):
    since = len(backend.log)
    way("""
        local call = c:Count { count = 1000000000, data = ("x"):rep(1000) }
        call:recv()
        call:cancel()""")
    backend.wait_for("sent", since=since)


def test_grpcio(reflecting):
    with open_channel(reflecting.http) as channel:
        stub = Protos(calls=PROTO).stub(channel, "test.Calls")
        assert stub.Echo(Data(text="through"), timeout=30).text == "through"
        assert [r.count for r in stub.Count(Data(count=3))] == [1, 2, 3]


def curl(server, path, *options):
    done = subprocess.run(["curl", "-s", "-i", *options, server.http + path], capture_output=True,
                          text=True, check=True)
    head, _, body = done.stdout.partition("\n\n")
    return int(head.split()[1]), head.lower(), body


JSON = ("-H", "content-type: application/json", "-d")


@pytest.fixture(params=["reflecting", "by_file"])
def shop(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("path, options, status, body", [
    ("/shop.Shelves/Get", (*JSON, '{"name":"x"}'), 200, {"name": "x", "tags": ["Get"]}),
    ("/v1/shelves/a%20b?size=3", (), 200, {"name": "shelves/a b", "size": 3, "tags": ["Get"]}),
    ("/v1/shelves/top", (), 200, {"tags": ["Top"]}),
    ("/v1/shelves/a/b", (), 200, {"name": "shelves/a/b", "tags": ["Rest"]}),
    ("/v1/shelves/a:move", (*JSON, '{"size":2}'), 200,
     {"name": "shelves/a", "size": 2, "tags": ["Move"]}),
    ("/v1/shelves/a", ("-X", "PUT", *JSON, '{"size":2}'), 200,
     {"name": "shelves/a", "size": 2, "tags": ["Put"]}),
    ("/v1/shelves/none", (), 404, {"code": 5, "message": "none", "details": []}),
    ("/shop.Shelves/Nix", (*JSON, "{}"), 501, None),
    ("/shop.Shelves/Get", (*JSON, '{"nix":1}'), 400, None),
    ("/v1/shelves/a", ("-X", "DELETE"), 405, None),
    ("/shop.Shelves/Get", ("-H", "content-type: text/html", "-d", "x"), 415, None),
    ("/nowhere", (), 404, None),
])
def test_plain_http(shop, path, options, status, body):
    got, _, text = curl(shop, path, *options)
    assert got == status, text
    if body is not None:
        assert json.loads(text) == body or json.loads(text) == {
            key: value for key, value in body.items() if value != []}


def test_streams_as_lines_and_events(shop):
    _, _, text = curl(shop, "/v1/many/2")
    assert [json.loads(line) for line in text.splitlines()] == [{"name": "n1"}, {"name": "n2"}]
    _, _, text = curl(shop, "/v1/many/3", "-H", "accept: text/event-stream")
    assert text.count("data: ") == 4 and "event: error" in text


def test_a_file_serves_no_more_than_it_has(by_file):
    status, _, text = curl(by_file, "/test.Calls/Echo", *JSON, "{}")
    assert status == 404, text


def test_services_are_chosen(start, backend):
    server = start(gateway_scripts(h2c(backend), '{ services = { "shop.Shelves" } }'))
    assert curl(server, "/shop.Shelves/Get", *JSON, "{}")[0] == 200
    assert curl(server, "/test.Calls/Echo", *JSON, "{}")[0] == 404


def test_the_check_lists_what_the_file_has(tmp_path, backend):
    done = run("--check", write_scripts(tmp_path, gateway_scripts(
        h2c(backend), '{ file = "shop.proto" }')))
    assert done.returncode == 0, done.stderr
    assert "/shop.Shelves/Get" in done.stdout and "PUT /v1/{name=shelves/*}" in done.stdout
    done = run("--check", write_scripts(tmp_path / "two", gateway_scripts(h2c(backend))))
    assert done.returncode == 0 and "shop" not in done.stdout


def test_openapi_tells_of_what_the_file_has(tmp_path, backend):
    done = run("--openapi", write_scripts(tmp_path, gateway_scripts(
        h2c(backend), '{ file = "shop.proto" }')))
    assert done.returncode == 0, done.stderr
    paths = json.loads(done.stdout)["paths"]
    assert paths["/v1/shelves/{name}"].keys() == {"get", "put"}
    assert "post" in paths["/shop.Shelves/Get"]
    done = run("--openapi", write_scripts(tmp_path / "two", gateway_scripts(h2c(backend))))
    assert done.returncode == 0 and not json.loads(done.stdout)["paths"]


def test_types_that_are_new_are_found(start, tmp_path):
    """A server that comes back with a service that it had not."""
    port = free_port()
    folder = write_scripts(tmp_path / "old", scripts())
    gateway = start(gateway_scripts(f"h2c://127.0.0.1:{port}"))
    listen = [f"http://127.0.0.1:{port}"]
    old = Server(folder, listen=listen)
    assert curl(gateway, "/test.Calls/Echo", *JSON, "{}")[0] == 200
    assert curl(gateway, "/shop.Shelves/Get", *JSON, "{}")[0] == 404
    old.stop()
    new = Server(write_scripts(tmp_path / "new", BACKEND), listen=listen)
    gateway.wait_until(lambda: curl(gateway, "/shop.Shelves/Get", *JSON, "{}")[0] == 200)
    new.stop()


def test_the_librarys_server_behind_a_socket_in_the_file_system(start, tmp_path, caller, connect):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), [handlers()])
    server.add_insecure_port(f"unix:{tmp_path}/socket")
    server.start()
    gateway = start(gateway_scripts(f"unix:{tmp_path}/socket", '{ file = "calls.proto" }'))
    for protocol in ("grpc", "grpc-web", "connect"):
        assert run_caller(connect(caller.https), h2c(gateway), """
            local r, call = c:Echo({ text = "x" }, { metadata = { ["x-a"] = "b" } })
            local ok, e = pcall(c.Fail, c, {})
            return r.text, call.trailers["x-last"], tostring(e), e.details[1].value.text""",
                          f'{{ protocol = "{protocol}" }}') == "x|b|NOT_FOUND: nö: 100%|a"
    server.stop(None).wait()


def test_a_server_that_tells_of_types_without_end(start, upstream):
    """Reflection by hand: each file imports another one."""
    def field(number, data):
        return bytes([number << 3 | 2, *varint(len(data))]) + data

    def varint(number):
        return [number] if number < 128 else [number & 127 | 128, number >> 7]

    def answer(_connection, speaker, event):
        stream = event.stream_id if hasattr(event, "stream_id") else None
        if isinstance(event, h2.events.RequestReceived):
            speaker.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        elif isinstance(event, h2.events.DataReceived):
            answer.count += 1
            if answer.count == 1:
                reply = field(6, field(1, field(1, b"a.S")))
            else:
                reply = field(4, field(1, field(1, b"f%d" % answer.count)
                                       + field(3, b"f%d" % (answer.count + 1))))
            speaker.send_data(stream, frame(0, reply))

    answer.count = 0
    gateway = start(gateway_scripts(upstream(answer, kind=Http2Upstream).h2c))
    status, _, text = curl(gateway, "/a.S/M", *JSON, "{}")
    assert status == 503 and json.loads(text)["code"] == "unavailable", text
    assert 3 < answer.count <= 1100


# Without types.

def frame(flag, payload):
    return struct.pack(">BI", flag, len(payload)) + payload


@pytest.fixture
def blind(start, tmp_path):
    """A gateway to a server without reflection, and that server."""
    plain = start(write_scripts(tmp_path / "plain", scripts("{ reflection = false }")))
    return start(gateway_scripts(h2c(plain))), plain


def test_without_types_framing_is_enough_for_grpc_web(blind, caller, connect):
    gateway, _ = blind
    assert run_caller(connect(caller.https), gateway.http, 'return c:Echo({ text = "x" }).text',
                      '{ protocol = "grpc-web" }') == "x"


def test_grpc_web_text(blind):
    gateway, _ = blind
    body = base64.b64encode(frame(0, b"\x0a\1x")).decode()
    status, head, text = curl(gateway, "/test.Calls/Echo", "-H",
                              "content-type: application/grpc-web-text", "-d", body)
    assert status == 200 and "application/grpc-web-text" in head
    assert base64.b64decode(text[:12]).startswith(frame(0, b"\x0a\1x"))


@pytest.mark.parametrize("kind", ["application/json", "application/proto"])
def test_without_types_the_rest_is_unimplemented(blind, kind):
    gateway, _ = blind
    status, _, text = curl(gateway, "/test.Calls/Echo", "-H", f"content-type: {kind}", "-d", "{}")
    assert status == 501
    problem = json.loads(text)
    assert problem["code"] == "unimplemented" and "not reflect" in problem["message"]
    assert curl(gateway, "/index.html")[0] == 404


def test_a_gateway_that_may_not_reflect(start, backend):
    gateway = start(gateway_scripts(h2c(backend), "{ reflect = false }"))
    status, _, text = curl(gateway, "/test.Calls/Echo", *JSON, "{}")
    assert status == 501 and "may not reflect" in json.loads(text)["message"]


def test_a_server_that_is_not_there(start):
    gateway = start(gateway_scripts(f"h2c://127.0.0.1:{free_port()}"))
    status, _, text = curl(gateway, "/test.Calls/Echo", *JSON, "{}")
    assert status == 503 and json.loads(text)["code"] == "unavailable"


def test_types_are_not_waited_for_without_end(start, upstream):
    gateway = start(gateway_scripts(upstream(lambda *_: None, kind=Http2Upstream).h2c))
    status, _, text = curl(gateway, "/test.Calls/Echo", *JSON, "{}")
    assert status == 503 and json.loads(text)["code"] == "unavailable"


def test_types_are_asked_for_once(start, upstream):
    asked = []

    def answer(_connection, speaker, event):
        if type(event).__name__ == "RequestReceived":
            asked.append(dict(event.headers)[":path"])
            speaker.send_headers(event.stream_id, [
                (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")],
                end_stream=True)

    other = upstream(answer, kind=Http2Upstream)
    gateway = start(gateway_scripts(other.h2c))
    for _ in range(3):
        assert curl(gateway, "/test.Calls/Echo", *JSON, "{}")[0] == 501
    assert len(asked) == 2  # v1, and v1alpha


# What clients send that is none.

@pytest.mark.parametrize("body, code", [
    (b"\0\0\0", 13), (b"\0\0\0\0\5ab", 13), (b"\0\xff\xff\xff\xff", 8), (b"\7\0\0\0\0", 13),
    (b"\1\0\0\0\2ab", 13), (b"\0\0\0\0\2\xff\xff", 13), (b"", 12), (b"\0\0\0\0\0" * 2, 12)])
@pytest.mark.parametrize("kind", ["application/grpc-web", "application/grpc-web+proto"])
def test_requests_of_grpc_web_that_are_none(reflecting, tmp_path, body, code, kind):
    (tmp_path / "body").write_bytes(body)
    done = subprocess.run(["curl", "-s", "-i", "-H", f"content-type: {kind}", "--data-binary",
                           f"@{tmp_path}/body", reflecting.http + "/test.Calls/Echo"],
                          capture_output=True, check=True)
    assert b"grpc-status: %d\r\n" % code in done.stdout, done.stdout


@pytest.mark.parametrize("kind, body, status", [
    ("application/json", b"{", 400), ("application/json", b'{"count":"x"}', 400),
    ("application/json", b'{"nix":1}', 400), ("application/json", b"", 400),
    ("application/proto", b"\xff\xff", 500), ("application/grpc-web+thrift", b"", 415),
    ("application/connect+json", b"", 415), ("text/plain", b"x", 415)])
def test_requests_of_connect_that_are_none(reflecting, tmp_path, kind, body, status):
    (tmp_path / "body").write_bytes(body)
    got, _, text = curl(reflecting, "/test.Calls/Echo", "-H", f"content-type: {kind}",
                        "--data-binary", f"@{tmp_path}/body")
    assert got == status, text


# Pages.

def test_pages_of_listed_origins(start, backend):
    gateway = start(gateway_scripts(h2c(backend), '{ origins = { "https://a.example" } }'))
    asked = ("-X", "OPTIONS", "-H", "access-control-request-method: POST")
    status, head, _ = curl(gateway, "/test.Calls/Echo", *asked, "-H", "origin: https://a.example")
    assert status == 204 and "access-control-allow-origin: https://a.example" in head
    status, head, text = curl(gateway, "/test.Calls/Echo", *JSON, '{"text":"x"}', "-H",
                              "origin: https://a.example")
    assert status == 200 and "access-control-allow-origin: https://a.example" in head
    assert json.loads(text) == {"text": "x"}
    _, head, _ = curl(gateway, "/test.Calls/Echo", *asked, "-H", "origin: https://b.example")
    assert "access-control-allow" not in head


@pytest.mark.parametrize("call, problem", [
    ('gateway(1)', "takes the URL"), ('gateway("h2c://h/p")', "the URL of a gRPC server is"),
    ('gateway("h2c://h", { nix = 1 })', "a gateway has no option nix"),
    ('gateway("h2c://h", { file = "nix.proto" })', "nix.proto"),
    ('gateway("h2c://h", { services = {} })', "services is a list"),
    ('gateway("h2c://h", { file = "calls.proto", services = { "test.Nix" } })',
     "no service test.Nix"),
])
def test_mistakes_are_told_when_the_script_loads(tmp_path, call, problem):
    done = run("--check", write_scripts(tmp_path, {
        "[...path].lua": f'return require("moontrail.grpc").{call}', "calls.proto": PROTO}))
    assert done.returncode == 1 and problem in done.stderr, done.stderr
