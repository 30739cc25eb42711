"""The service of Connect's conformance tests, served as their runner starts servers: what its cases
ask, in JSON, by each protocol."""
import base64
import json
import os
import struct
import subprocess

import pytest

from rpc import Connect, Grpc, Web, varint
from server import PROGRAM, ROOT

PREFIX = "/connectrpc.conformance.v1.ConformanceService/"
TYPE = "type.googleapis.com/connectrpc.conformance.v1."
UNARY = {"Unary": "Echo", "IdempotentUnary": "Echo", "Unimplemented": "Echo"}  # for rpc.Connect
LIMIT = 20 * 1024
DATA = base64.b64encode(b"test response").decode()

PROTOCOLS = [Grpc("grpc", "json"), Web("grpc-web", "json"), Connect("connect", "json")]


def field(number, value):
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    return bytes([number << 3 | 2]) + varint(len(value)) + value


class Started:
    """The server, as the runner starts and asks it."""

    def __init__(self, request):
        self.process = subprocess.Popen(
            [ROOT / "examples/conformance/server.py"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "MOONTRAIL": PROGRAM})
        self.process.stdin.write(struct.pack(">L", len(request)) + request)
        self.process.stdin.flush()
        size, = struct.unpack(">L", self.process.stdout.read(4))
        self.response = self.process.stdout.read(size)

    @property
    def port(self):
        at = 2 + len("127.0.0.1") + 1
        low, high, *more = self.response[at:at + 3]
        value = low & 0x7F | (high & 0x7F) << 7
        return value | more[0] << 14 if high & 0x80 else value

    def stop(self):
        self.process.terminate()
        assert self.process.wait(30) == 0


@pytest.fixture(scope="module")
def plain():
    started = Started(field(1, 1) + field(2, 2) + field(6, LIMIT))
    yield f"http://127.0.0.1:{started.port}"
    started.stop()


@pytest.fixture(params=[(p, way) for p in PROTOCOLS for way in ("http1", "h2")
                        if p.name != "grpc" or way == "h2"], ids=lambda pair: f"{pair[0]}-{pair[1]}")
def call(request, plain, connect, http1):
    protocol, way = request.param
    client = (connect if way == "h2" else http1)(plain)

    def make(method, *messages, headers=()):
        kind = UNARY.get(method, "Chat")
        body = protocol.body(kind, [json.dumps(message).encode() for message in messages])
        fields = [("content-type", protocol.kind(kind)), ("x-conformance-test", "Value1"),
                  ("x-conformance-test", "Value2"), *headers]
        stream = client.request(PREFIX + method, "POST", headers=fields, body=body)
        return protocol.read(client.response(stream), kind)

    make.is_connect = protocol.name == "connect"
    return make


def metadata_of(fields):
    return [value for name, value in fields if name.startswith("x-custom")]


def check_info(info, *requests):
    sent = {header["name"]: header["value"] for header in info["requestHeaders"]}
    assert sent["x-conformance-test"] == ["Value1", "Value2"]
    assert [request["@type"] for request in info["requests"]] == [TYPE + one for one in requests]


DEFINITION = {
    "responseHeaders": [{"name": "x-custom-header", "value": ["foo", "bar"]}],
    "responseTrailers": [{"name": "x-custom-trailer", "value": ["bing"]}]}
ONE = {**DEFINITION, "responseData": DATA}
TWO = {**DEFINITION, "responseData": [DATA, DATA]}
ERROR = {"code": "CODE_CANCELED", "message": "gone",
         "details": [{"@type": TYPE + "Header", "name": "a"}]}


def check_metadata(outcome):
    assert metadata_of(outcome.headers) == ["foo", "bar"]
    assert metadata_of(outcome.trailers) == ["bing"]


@pytest.mark.parametrize("method", ["Unary", "IdempotentUnary"])
def test_unary(call, method):
    outcome = call(method, {"responseDefinition": ONE})
    assert (outcome.code, outcome.replies[0]["payload"]["data"]) == ("ok", DATA)
    check_info(outcome.replies[0]["payload"]["requestInfo"], f"{method}Request")
    check_metadata(outcome)


def test_unary_of_nothing(call):
    outcome = call("Unary", {})
    check_info(outcome.replies[0]["payload"]["requestInfo"], "UnaryRequest")


@pytest.mark.parametrize("method", ["Unary", "ClientStream", "ServerStream", "BidiStream"])
def test_an_error_in_place_of_replies(call, method):
    outcome = call(method, {"responseDefinition": {**DEFINITION, "error": ERROR}})
    assert (outcome.code, outcome.message, outcome.replies) == ("canceled", "gone", [])
    check_metadata(outcome)
    if call.is_connect:
        header, info = outcome.details
        assert (header["type"], header["debug"]) == (
            "connectrpc.conformance.v1.Header", {"name": "a"})
        check_info(info["debug"], f"{method}Request")


def test_client_streaming(call):
    outcome = call("ClientStream", {"responseDefinition": ONE}, {"requestData": DATA})
    check_info(outcome.replies[0]["payload"]["requestInfo"], *["ClientStreamRequest"] * 2)
    check_metadata(outcome)


@pytest.mark.parametrize("method", ["ServerStream", "BidiStream"])
def test_replies_and_an_error_behind_them(call, method):
    outcome = call(method, {"responseDefinition": {**TWO, "error": ERROR}})
    first, second = (reply["payload"] for reply in outcome.replies)
    assert (outcome.code, first["data"], second) == ("canceled", DATA, {"data": DATA})
    check_info(first["requestInfo"], f"{method}Request")
    check_metadata(outcome)
    assert not call.is_connect or len(outcome.details) == 1


def test_bidirectional_streaming_in_turns(call):
    outcome = call("BidiStream", {"responseDefinition": TWO, "fullDuplex": True},
                   {"requestData": DATA})
    first, second = (reply["payload"]["requestInfo"] for reply in outcome.replies)
    check_info(first, "BidiStreamRequest")
    assert len(second["requests"]) == 1 and "requestHeaders" not in second


@pytest.mark.parametrize("method", ["Unary", "ClientStream", "ServerStream", "BidiStream"])
def test_a_deadline(call, method):
    data = [DATA] if method in ("ServerStream", "BidiStream") else DATA
    name, value = ("connect-timeout-ms", "100") if call.is_connect else ("grpc-timeout", "100m")
    outcome = call(method, {"responseDefinition": {"responseData": data,
                                                   "responseDelayMs": 60000}},
                   headers=[(name, value)])
    assert outcome.code == "deadline_exceeded"


def test_a_deadline_is_told(call):
    name, value = ("connect-timeout-ms", "20000") if call.is_connect else ("grpc-timeout", "20S")
    info = call("Unary", {}, headers=[(name, value)]).replies[0]["payload"]["requestInfo"]
    assert 0 < int(info["timeoutMs"]) <= 20000


def test_the_limit_of_messages(call):
    size = LIMIT - len('{"requestData": ""}')
    for more, code in (0, "ok"), (4, "resource_exhausted"):
        data = "A" * (size - size % 4 + more)
        for method in "Unary", "ClientStream":
            assert call(method, {"requestData": data}).code == code


def test_what_is_not_served(call):
    assert call("Unimplemented", {}).code == "unimplemented"


def test_get_tells_the_query(plain, http1):
    response = http1(plain).fetch(
        PREFIX + "IdempotentUnary?connect=v1&encoding=json&message=%7B%7D")
    info = json.loads(response.body)["payload"]["requestInfo"]
    assert {"name": "encoding", "value": ["json"]} in info["connectGetInfo"]["queryParams"]


# The raw cases: each a request, and the HTTP status and the code that are wanted.
RAW = [
    ("DELETE", PREFIX + "Unary", [("content-type", "application/proto")], b"", 405),
    ("POST", "/connectrpc.conformance.v1.UnknownService/UnknownMethod",
     [("content-type", "application/proto"), ("connect-protocol-version", "1")], b"", 404),
    ("POST", PREFIX + "Unary", [("content-type", "application/foo"),
                                ("connect-protocol-version", "1")], b"", 415),
    ("POST", PREFIX + "Unary", [("content-type", "image/jpeg")], b"12345678", 415),
    ("POST", PREFIX + "Unary", [("content-type", "application/proto"),
                                ("content-encoding", "foo")], b"x", 501),
]


@pytest.mark.parametrize("method, path, fields, body, status", RAW)
def test_raw_requests(plain, connect, http1, method, path, fields, body, status):
    for client in connect(plain), http1(plain):
        assert client.fetch(path, method, headers=fields, body=body).status == status


def test_over_tls_with_the_certificate_of_the_runner(local_certificate, http1):
    credentials = field(1, local_certificate.cert.read_bytes()) + field(
        2, local_certificate.key.read_bytes())
    started = Started(field(1, 1) + field(2, 1) + field(4, 1) + field(7, credentials))
    assert local_certificate.cert.read_bytes() in started.response
    response = http1(f"https://127.0.0.1:{started.port}").fetch(
        PREFIX + "Unary", "POST", headers=[("content-type", "application/json")], body=b"{}")
    assert response.status == 200
    started.stop()
