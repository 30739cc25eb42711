"""Messages of HTTP/1.1 and HTTP/1.0: expectations, framing and trailers."""
import re
import time

import pytest

from handlers import ECHO, INFORM, STATUS, STREAM
from http1 import check_closed, get

AT_ONCE = 3  # seconds, on a machine that is busy; a body is waited for longer

SCRIPTS = {
    "hello.lua": "return function(ctx) ctx:text('hello') end",
    "echo.lua": ECHO,
    "unread.lua": """
        return function(ctx) ctx:text("enough") end""",
    "late_reader.lua": """
        return function(ctx)
            ctx:inform(103)
            require("moontrail").sleep(0.2)
            ctx:text(ctx:body())
        end""",
    "stream.lua": STREAM,
    "whole.lua": """
        return function(ctx)
            for i = 1, 3 do ctx:write("piece ", i) end
        end""",
    "length.lua": """
        return function(ctx)
            ctx:header("content-length", 5)
            ctx:write("a")
            ctx:flush()
            ctx:write("bcde")
        end""",
    "status/[code].lua": STATUS,
    "inform.lua": INFORM,
    "trailers.lua": """
        return function(ctx)
            if ctx.query == "length" then ctx:header("content-length", 4) end
            local supported = ctx:supports_trailers()
            if supported then ctx:declare_trailer("x-sum") end
            ctx:write("body")
            local ok, problem = pcall(ctx.append_trailer, ctx, "X-Sum", "42")
            print("trailers", supported, ok, problem)
        end""",
}


@pytest.fixture
def client(server, http1):
    return http1(server.http)


@pytest.fixture
def old(server, http1):
    """A client that speaks HTTP/1.0."""
    return http1(server.http, version="HTTP/1.0")


# Expect.

WAITS = ("expect", "100-continue")


def test_continue_is_sent_when_the_handler_reads(client):
    request = client.request("/late_reader", "POST", headers=[WAITS, ("content-length", 4)],
                             end=False)
    response, early = client.so_far(request), b"HTTP/1.1 103 Early Hints\r\n\r\n"
    client.wait(lambda: response.informs)
    assert bytes(client.received) == early
    began = time.monotonic()
    client.wait(lambda: len(response.informs) == 2)
    assert time.monotonic() - began > 0.1
    assert bytes(client.received) == early + b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(request, b"body")
    assert client.response(request).text == "body"
    assert client.fetch("/hello").text == "hello"


def test_continue_for_a_chunked_body(client):
    request = client.request("/echo", "POST", headers=[WAITS], end=False)
    client.wait(lambda: client.so_far(request).informs)
    client.send(request, b"body", end=True)
    response = client.response(request)
    assert (response.text, response.informs) == ("body", [(100, [])])


def test_no_continue_when_the_answer_is_known(client):
    """The client may send the body or not; so the connection can't be kept."""
    request = client.request("/unread", "POST", headers=[WAITS, ("content-length", 10)], end=False)
    response = client.response(request)
    assert (response.text, response.informs) == ("enough", [])
    assert response.header("connection") == "close"
    check_closed(client)


@pytest.mark.parametrize("length", [0, None])
def test_no_continue_without_a_body(client, length):
    fields = [WAITS] if length is None else [WAITS, ("content-length", length)]
    response = client.fetch("/echo", "POST", headers=fields)
    assert (response.text, response.informs) == ("", [])
    assert client.fetch("/hello").text == "hello"


def test_no_interim_response_to_http_1_0(old):
    for path in ("/inform", "/echo"):
        response = old.fetch(path, "POST", body=b"body",
                             headers=[WAITS, ("connection", "keep-alive")])
        assert (response.status, response.informs) == (200, [])


@pytest.mark.parametrize("value", ["200-ok", "100-continue, other", "100-continued", "a=b"])
def test_other_expectations_fail(client, value):
    """The body may not come, so the connection can't be kept."""
    response = client.fetch("/echo", "POST", headers=[("expect", value), ("content-length", 4)])
    assert (response.status, response.header("connection")) == (417, "close")
    began = time.monotonic()
    check_closed(client)
    assert time.monotonic() - began < AT_ONCE


# Framing.

def test_a_whole_response_byte_by_byte(client):
    client.fetch("/hello")
    assert re.fullmatch(
        rb"HTTP/1\.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\n"
        rb"(date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n|content-length: 5\r\n){2}"
        rb"\r\nhello", client.received)


def test_a_streamed_response_byte_by_byte(client):
    client.fetch("/stream")
    start, body = client.received.split(b"\r\n\r\n", 1)
    assert b"\r\ntransfer-encoding: chunked" in start and b"content-length" not in start
    assert body == b"8\r\npiece 1\n\r\n8\r\npiece 2\n\r\n8\r\npiece 3\n\r\n0\r\n\r\n"


def test_what_is_whole_when_the_handler_returns_has_a_length(client):
    response = client.fetch("/whole")
    assert (response.framing, response.header("content-length")) == ("length", "21")


def test_a_length_that_the_script_sets_is_kept(client):
    response = client.fetch("/length")
    assert (response.framing, response.text) == ("length", "abcde")


def test_what_is_written_at_once_is_one_chunk(client):
    """And not one for each write, nor for each 16 KiB."""
    request = client.request("/echo", "POST", end=False)
    client.send(request, b"x")
    client.wait(lambda: client.so_far(request).body)
    for _ in range(3):
        client.send(request, b"y" * 100000)
    client.send(request, end=True)
    response = client.response(request)
    assert len(response.body) == 300001
    assert len(response.chunks) < 60


@pytest.mark.parametrize("code, reason", [
    (200, "OK"), (404, "Not Found"), (418, ""), (599, "")])
def test_status_line(client, code, reason):
    """An unknown status has an empty reason, with the space before it (RFC 9112 4)."""
    client.write(get(f"/status/{code}"))
    client.wait(lambda: b"\r\n" in client.received)
    line = bytes(client.received).split(b"\r\n")[0].decode()
    assert line == f"HTTP/1.1 {code} {reason}" or not reason and line.startswith(
        f"HTTP/1.1 {code} ")


@pytest.mark.parametrize("method, path", [
    ("HEAD", "/hello"), ("HEAD", "/stream"), ("HEAD", "/trailers"), ("HEAD", "/nowhere"),
    ("GET", "/status/204"), ("GET", "/status/304"), ("HEAD", "/status/204")])
def test_no_body_where_there_is_none(client, method, path):
    """The next response begins right behind the head."""
    client.write(get(path, ("te", "trailers"), method=method) + get("/hello"))
    response = client.response(client.expect(method))
    assert (response.body, response.framing) == (b"", "none")
    assert client.response(client.expect()).text == "hello"
    assert client.received.count(b"\r\n\r\n") == 2


# Trailers.

@pytest.mark.parametrize("te", [
    "trailers", "Trailers", "deflate, trailers", "gzip;q=0.5 , trailers"])
def test_trailers(client, te):
    response = client.fetch("/trailers", headers=[("te", te), ("connection", "te")])
    assert response.header("trailer") == "x-sum"
    assert (response.text, response.trailers) == ("body", [("x-sum", "42")])
    assert client.received.endswith(b"\r\n4\r\nbody\r\n0\r\nx-sum: 42\r\n\r\n")
    assert client.fetch("/hello").text == "hello"


@pytest.mark.parametrize("fields", [
    [], [("te", "deflate")], [("te", "xtrailers")], [("te", "")], [("trailer", "x")]], ids=repr)
def test_no_trailers_to_who_does_not_ask(server, client, fields):
    since = len(server.log)
    response = client.fetch("/trailers", headers=fields)
    assert (response.framing, response.text, response.trailers) == ("length", "body", None)
    server.wait_for(r'text="trailers\\tfalse\\tfalse\\t.*trailers', since=since)


def test_no_trailers_to_http_1_0(server, old):
    since = len(server.log)
    response = old.fetch("/trailers", headers=[("te", "trailers")])
    assert (response.text, response.header("trailer")) == ("body", None)
    server.wait_for(r'text="trailers\\tfalse\\tfalse\\t.*trailers', since=since)


def test_no_trailers_behind_a_length(server, client):
    since = len(server.log)
    response = client.fetch("/trailers?length", headers=[("te", "trailers")])
    assert (response.framing, response.text) == ("length", "body")
    server.wait_for(r'text="trailers\\tfalse\\tfalse\\t.*trailers', since=since)
