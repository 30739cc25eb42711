"""gRPC-Web and Connect clients of a handler, where the other server answers what it should not."""
import gzip
import json
import struct

import pytest

from grpc_caller import SCRIPTS, run_caller
from upstreams import chunked, response

ECHO = "return pcall(c.Echo, c, {})"
COUNT = """
    local call, n = c:Count {}, 0
    local ok, e = pcall(function() for r in call:messages() do n = n + r.count end end)
    return n, ok, e"""


def frame(flag, payload):
    return struct.pack(">BI", flag, len(payload)) + payload


SEVEN = frame(0, b"\x10\7")
OK = frame(0x80, b"grpc-status: 0\r\n")
ENDED = frame(2, b"{}")


def once(answer, seen=None):
    """Answers each request with the bytes, and then closes the connection."""
    def serve(connection):
        request = connection.request()
        if seen is not None:
            seen.append(request)
        connection.write(answer)
    return serve


def web(body, kind="application/grpc-web+proto", *fields, status="200 OK"):
    return response(body, status, f"content-type: {kind}", *fields)


def stream(body, *fields, kind="application/connect+proto", status="200 OK"):
    return response(body, status, f"content-type: {kind}", *fields)


def unary(body, *fields, kind="application/proto", status="200 OK"):
    return response(body, status, f"content-type: {kind}", *fields)


def error(text, status="404 Not Found", *fields):
    return unary(text if isinstance(text, bytes) else json.dumps(text).encode(), *fields,
                 kind="application/json", status=status)


# gRPC-Web.

def test_the_fields_of_a_call_of_grpc_web(client, upstream):
    seen = []
    other = upstream(once(web(SEVEN + OK), seen))
    assert run_caller(client, other.url, "return c:Echo({}, { timeout = 7 }).count",
                      '{ protocol = "grpc-web", compression = "gzip" }') == "7"
    fields = {name.lower(): value for name, value in seen[0].fields}
    assert int(fields.pop("content-length")) == len(seen[0].body) > 5
    assert fields.pop("grpc-timeout") == "7000m"
    assert fields.pop("user-agent").startswith("grpc-lua-moontrail/")
    assert seen[0].line == "POST /test.Calls/Echo HTTP/1.1"
    assert {name: fields.get(name) for name in (
        "content-type", "x-grpc-web", "grpc-encoding", "grpc-accept-encoding")} == {
        "content-type": "application/grpc-web+proto", "x-grpc-web": "1", "grpc-encoding": "gzip",
        "grpc-accept-encoding": "identity, deflate, gzip"}
    assert seen[0].body[0] == 1


@pytest.mark.parametrize("answer, status", [
    (web(SEVEN + OK, "application/grpc-web"), "true"),
    (web(SEVEN + frame(0x80, b"Grpc-Status:0\r\nX-A: b\r\n")), "true"),
    (web(frame(1, gzip.compress(b"\x10\7")) + frame(0x81, gzip.compress(b"grpc-status: 0\r\n")),
         "application/grpc-web+proto", "grpc-encoding: gzip"), "true"),
    (chunked(SEVEN[:3], SEVEN[3:] + OK[:1], OK[1:], fields=[
        "content-type: application/grpc-web+proto"]), "true"),
    (web(b"", "application/grpc-web+proto", "grpc-status: 5", "grpc-message: no%21"),
     "NOT_FOUND: no!"),
    (web(frame(0x80, b"grpc-status: 9\r\ngrpc-message: b%C3%A4d\r\n")),
     "FAILED_PRECONDITION: bäd"),
    (web(SEVEN), "UNKNOWN: the server has given no status"),
    (web(b""), "UNKNOWN: the server has given no status"),
    (web(SEVEN + frame(0x80, b"")), "UNKNOWN: the server has given no status"),
    (web(SEVEN + frame(0x80, b"\xff:\0\r\r\n:::")), "UNKNOWN: the server has given no status"),
    (web(SEVEN + OK + SEVEN), "INTERNAL: more follows what ends the stream"),
    (web(SEVEN + OK[:-3]), "INTERNAL: the stream ends within a message"),
    (web(SEVEN[:3]), "INTERNAL: the stream ends within the head of a message"),
    (web(SEVEN + SEVEN + OK), "UNIMPLEMENTED: the response has more than one message"),
    (web(OK), "UNIMPLEMENTED: the response has no message"),
    (web(frame(1, b"ab") + OK), "INTERNAL: a message is compressed"),
    (web(frame(4, b"ab") + OK), "INTERNAL: a message has the flags 4"),
    (web(b"\0\xff\xff\xff\xff"), "RESOURCE_EXHAUSTED: the message is larger"),
    (web(b"\x80\xff\xff\xff\xff"), "RESOURCE_EXHAUSTED: the message is larger"),
    (web(frame(0, b"\xff\xff") + OK), "INTERNAL: a message cannot be read"),
    (web(SEVEN + OK, "application/grpc-web+json"), "INTERNAL: the server answered with"),
    (web(SEVEN + OK, "application/grpc-web-text"), "UNKNOWN: the server answered with"),
    (web(SEVEN + OK, "application/grpc"), "UNKNOWN: the server answered with"),
    (web(b"<p>", "text/html"), "UNKNOWN: the server answered with"),
    (web(b"", "text/html", status="503 No"),
     "UNAVAILABLE: the server answered with HTTP status 503"),
    (web(b"", "application/grpc-web", "grpc-status: 8", status="503 No"), "RESOURCE_EXHAUSTED: "),
    (web(SEVEN + OK, "application/grpc-web", "grpc-encoding: br"),
     "INTERNAL: the server answered in the encoding br"),
    (web(SEVEN + OK, "application/grpc-web", "grpc-status: 8"), "true"),
    (response(SEVEN, "200 OK", "content-type: application/grpc-web", "content-length: 90",
              length=False), "UNAVAILABLE: "),
])
def test_answers_of_grpc_web(client, upstream, answer, status):
    text = run_caller(client, upstream(once(answer)).url, ECHO, '{ protocol = "grpc-web" }')
    assert text.startswith("true|" if status == "true" else "false|" + status), text


def test_messages_come_as_they_are_sent(client, upstream):
    def serve(connection):
        connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
                         b"content-type: application/grpc-web\r\n\r\n7\r\n" + SEVEN + b"\r\n")
        connection.wait_closed()

    assert run_caller(client, upstream(serve).url, """
        local call = c:Count({}, { timeout = 0.5 })
        return call:recv().count, pcall(call.recv, call)""", '{ protocol = "grpc-web" }') == \
        "7|false|DEADLINE_EXCEEDED: deadline exceeded"


# Connect, one request and one reply.

def test_the_fields_of_a_call_of_connect(client, upstream):
    seen = []
    other = upstream(once(unary(b"\x10\7"), seen))
    assert run_caller(client, other.url, "return c:Echo({}, { timeout = 7 }).count",
                      '{ protocol = "connect" }') == "7"
    fields = {name.lower(): value for name, value in seen[0].fields}
    assert fields.pop("connect-timeout-ms") == "7000"
    assert seen[0].line == "POST /test.Calls/Echo HTTP/1.1"
    assert {name: fields.get(name) for name in (
        "content-type", "connect-protocol-version", "accept-encoding", "content-encoding",
        "content-length", "grpc-timeout")} == {
        "content-type": "application/proto", "connect-protocol-version": "1",
        "accept-encoding": "identity, deflate, gzip", "content-encoding": None,
        "content-length": "0", "grpc-timeout": None}


DETAIL = {"type": "test.Data", "value": "CgFh"}


@pytest.mark.parametrize("answer, status", [
    (unary(b"\x10\7"), "true"), (unary(b""), "true"),
    (unary(gzip.compress(b"\x10\7"), "content-encoding: gzip"), "true"),
    (unary(b"", "content-encoding: gzip"), "true"),
    (chunked(b"\x10", b"\7", fields=["content-type: application/proto"]), "true"),
    (error({"code": "not_found", "message": "nö"}), "NOT_FOUND: nö"),
    (error({"code": "canceled"}, "499 x"), "CANCELLED: "),
    (error({"code": "not_found"}, "200 OK"), "INTERNAL: the server answered with"),
    (error(gzip.compress(b'{"code":"aborted"}'), "409 x", "content-encoding: gzip"), "ABORTED: "),
    (error({"code": "OK"}, "404 x"), "UNIMPLEMENTED: the server answered with HTTP status 404"),
    (error({"code": "ok"}, "404 x"), "UNIMPLEMENTED: the server answered with HTTP status 404"),
    (error({"code": "NOT_FOUND"}, "503 x"), "UNAVAILABLE: the server answered with HTTP status"),
    (error({"code": 5, "message": "m"}, "401 x"), "UNAUTHENTICATED: m"),
    (error({"message": None}, "400 x"), "INTERNAL: the server answered with HTTP status 400"),
    (error(b"{", "429 x"), "UNAVAILABLE: the server answered with HTTP status 429"),
    (error(b"[]", "418 x"), "UNKNOWN: the server answered with HTTP status 418"),
    (error(b"7", "403 x"), "PERMISSION_DENIED: the server answered with HTTP status 403"),
    (error(b"", "502 x"), "UNAVAILABLE: the server answered with HTTP status 502"),
    (error(b"\xff\xfe", "504 x"), "UNAVAILABLE: the server answered with HTTP status 504"),
    (error(b"x" * (2 << 20), "500 x"), "UNKNOWN: the server answered with HTTP status 500"),
    (error(b"ab", "404 x", "content-encoding: gzip"), "UNIMPLEMENTED: the server answered"),
    (error(b"ab", "404 x", "content-encoding: br"), "UNIMPLEMENTED: the server answered"),
    (error({"code": "not_found", "details": 7}), "NOT_FOUND: "),
    (error({"code": "not_found", "details": [7, {}, {"type": 1}, {"type": "x", "value": "!"}]}),
     "NOT_FOUND: "),
    (unary(b"<p>", kind="text/html", status="503 x"), "UNAVAILABLE: the server answered"),
    (unary(b"{}", kind="application/json"), "INTERNAL: the server answered with"),
    (unary(b"", kind="text/html"), "UNKNOWN: the server answered with"),
    (response(b""), 'UNKNOWN: the server answered with ""'),
    (unary(b"\xff\xff"), "INTERNAL: a message cannot be read"),
    (unary(b"ab", "content-encoding: gzip"), "INTERNAL: a compressed message cannot be read"),
    (unary(b"ab", "content-encoding: br"), "INTERNAL: the server answered in the encoding br"),
    (unary(gzip.compress(bytes(200000)), "content-encoding: gzip"), "RESOURCE_EXHAUSTED: "),
    (unary(bytes(200000)), "RESOURCE_EXHAUSTED: "),
    (chunked(bytes(200000), fields=["content-type: application/proto"]), "RESOURCE_EXHAUSTED: "),
    (response(b"\x10\7", "200 OK", "content-type: application/proto", "content-length: 90",
              length=False), "UNAVAILABLE: "),
    (b"HTTP/1.1 200 OK\r\n", "UNAVAILABLE: "), (b"", "UNAVAILABLE: "),
])
def test_answers_of_connect(client, upstream, answer, status):
    text = run_caller(client, upstream(once(answer)).url, ECHO,
                      '{ protocol = "connect", max_message = 100000 }')
    assert text.startswith("true|" if status == "true" else "false|" + status), text


def test_what_an_error_of_connect_has(client, upstream):
    answer = error({"code": "not_found", "message": "no", "details": [
        DETAIL, {"type": "x.Any", "value": "Bw", "debug": {"a": 1}}]}, "404 x", "x-first: 1",
        "trailer-x-late: 2", "trailer-x-bytes-bin: AP8")
    assert run_caller(client, upstream(once(answer)).url, """
        local _, e = pcall(c.Echo, c, {})
        return e.code, #e.details, e.details[1].type, e.details[1].value.text,
            e.details[2].type_url, e.details[2].value == "\\7", e.headers["x-first"],
            e.metadata["x-late"], e.metadata["x-bytes-bin"] == "\\0\\255", e.headers["x-late"]
        """, '{ protocol = "connect" }') == \
        "5|2|test.Data|a|type.googleapis.com/x.Any|true|1|2|true|nil"


def test_a_new_field_of_json_is_passed_over(client, upstream):
    answer = unary(b'{"count":7,"new":{"a":[1]}}', kind="application/json; charset=utf-8")
    assert run_caller(client, upstream(once(answer)).url, "return c:Echo({}).count",
                      '{ protocol = "connect", codec = "json" }') == "7"


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b'{"count":"x"}', b"\xff", b"{}{}"])
def test_json_that_is_no_message(client, upstream, body):
    answer = unary(body, kind="application/json")
    text = run_caller(client, upstream(once(answer)).url, ECHO,
                      '{ protocol = "connect", codec = "json" }')
    assert text.startswith("false|INTERNAL: a message cannot be read: "), text


# Connect, streams.

@pytest.mark.parametrize("answer, count, status", [
    (stream(SEVEN + SEVEN + ENDED), 14, "true"),
    (stream(ENDED), 0, "true"),
    (stream(SEVEN + frame(2, b'{"error":null,"metadata":{"x":["1"]}}')), 7, "true"),
    (stream(frame(1, gzip.compress(b"\x10\7")) + frame(3, gzip.compress(b"{}")),
            "connect-content-encoding: gzip"), 7, "true"),
    (stream(SEVEN + frame(2, b'{"error":{"code":"aborted","message":"m"}}')), 7, "ABORTED: m"),
    (stream(SEVEN + frame(2, b'{"error":{}}')), 7, "UNKNOWN: the server has given no status"),
    (stream(SEVEN + frame(2, b'{"error":7}')), 7, "UNKNOWN: the server has given no status"),
    (stream(SEVEN + frame(2, b'{"error":{"code":"nix","message":"m"}}')), 7, "UNKNOWN: m"),
    (stream(SEVEN + frame(2, b'{')), 7, "INTERNAL: what ends the stream is no object of JSON"),
    (stream(SEVEN + frame(2, b'')), 7, "INTERNAL: what ends the stream is no object of JSON"),
    (stream(SEVEN + frame(2, b'{"metadata":[1,{"a":2}]}')), 7, "true"),
    (stream(SEVEN + frame(2, b'{"metadata":{"a":7,"b":[7],"c":["x"]}}')), 7, "true"),
    (stream(SEVEN), 7, "INTERNAL: the stream ends without a status"),
    (stream(b""), 0, "INTERNAL: the stream ends without a status"),
    (stream(SEVEN + ENDED + SEVEN), 7, "INTERNAL: more follows what ends the stream"),
    (stream(SEVEN + ENDED[:-1]), 7, "INTERNAL: the stream ends within a message"),
    (stream(SEVEN + SEVEN[:3]), 7, "INTERNAL: the stream ends within the head of a message"),
    (stream(frame(1, b"ab")), 0, "INTERNAL: a message is compressed"),
    (stream(frame(4, b"ab")), 0, "INTERNAL: a message has the flags 4"),
    (stream(b"\0\xff\xff\xff\xff"), 0, "RESOURCE_EXHAUSTED: the message is larger"),
    (stream(b"\2\xff\xff\xff\xff"), 0, "RESOURCE_EXHAUSTED: the message is larger"),
    (stream(b"", kind="application/connect+json"), 0, "INTERNAL: the server answered with"),
    (stream(b"", kind="application/proto"), 0, "UNKNOWN: the server answered with"),
    (stream(b"", kind="text/html", status="404 x"), 0, "UNIMPLEMENTED: the server answered"),
    (stream(b"", "connect-content-encoding: br"), 0, "INTERNAL: the server answered in the"),
])
def test_answers_of_streams_of_connect(client, upstream, answer, count, status):
    text = run_caller(client, upstream(once(answer)).url, COUNT, '{ protocol = "connect" }')
    want = "true" if status == "true" else "false|" + status
    assert text.startswith(f"{count}|{want}"), text


def test_what_ends_a_stream_of_connect(client, upstream):
    end = {"error": {"code": "data_loss", "message": "m", "details": [DETAIL]},
           "metadata": {"X-Late": ["1", "2"], "x-bytes-bin": ["AP8"]}}
    answer = stream(SEVEN + frame(2, json.dumps(end).encode()), "x-first: 1")
    assert run_caller(client, upstream(once(answer)).url, """
        local call = c:Count {}
        local first, _, e = call:recv().count, pcall(call.recv, call)
        return first, e.code, e.details[1].value.text, call.metadata["x-first"],
            table.concat(call.trailers["x-late"], "+"), e.metadata["x-bytes-bin"] == "\\0\\255"
        """, '{ protocol = "connect" }') == "7|15|a|1|1+2|true"
