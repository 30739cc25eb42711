"""HTTP/1.1 and HTTP/1.0 beyond a request and its answer: what keeps a connection, how messages are
framed, and what ends them."""
import re
import time

import pytest

from attacker import Attacker, vanish
from client import Client, Closed, open_socket, tls_context
from handlers import ECHO, FAIL_LATE, INFORM, PARK, PROTOCOL, SIZE, STATUS, STREAM
from http1 import CUT, Http1, chunk, fill, head
from rawframes import PREFACE, settings
from server import PATIENCE

AT_ONCE = 3  # seconds, on a machine that is busy; a body is waited for longer

SCRIPTS = {
    "hello.lua": "return function(ctx) ctx:text('hello') end",
    "protocol.lua": PROTOCOL,
    "slow/[seconds].lua": """
        return function(ctx)
            require("moontrail").sleep(tonumber(ctx.params.seconds))
            ctx:text(ctx.params.seconds)
        end""",
    "number/[n].lua": """
        return function(ctx) ctx:text(ctx.params.n) end""",
    "echo.lua": ECHO,
    "size.lua": SIZE,
    "waits.lua": """
        return function(ctx)
            ctx:on_abort(function(reason) print("gone: " .. reason) end)
            require("moontrail").sleep(3600)
        end""",
    "park.lua": PARK,
    "unread.lua": """
        return function(ctx) ctx:text("enough") end""",
    "late_reader.lua": """
        return function(ctx)
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
    "reset.lua": """
        return function(ctx)
            if ctx.query == "late" then
                ctx:write("begun")
                ctx:flush()
            end
            ctx:reset()
        end""",
    "fail_late.lua": FAIL_LATE,
}


@pytest.fixture
def client(server, http1):
    return http1(server.http)


@pytest.fixture
def old(server, http1):
    """A client that speaks HTTP/1.0."""
    return http1(server.http, version="HTTP/1.0")


def get(path, *fields, version="HTTP/1.1", method="GET"):
    """A request's head as bytes."""
    return head(method, path, version, [("host", "a.test"), *fields])


def texts(client, count):
    """The answers to as many requests, which were written before."""
    return [client.response(client.expect()).text for _ in range(count)]


def check_closed(client):
    """The server closes now, and has sent nothing but responses."""
    began = time.monotonic()
    client.wait_closed()
    assert (client.closed, client.rest) == ("cleanly", b"")
    assert time.monotonic() - began < PATIENCE / 2


# Which protocol.

@pytest.mark.parametrize("alpn, chosen", [
    (["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"),
    (["spdy/3", "http/1.1"], "http/1.1"), ([], None)])
def test_alpn(server, alpn, chosen):
    with open_socket(server.https, tls_context(alpn)) as sock:
        assert sock.selected_alpn_protocol() == chosen
    if chosen == "h2":
        with Client(server.https, context=tls_context(alpn)) as client:
            assert client.fetch("/protocol").text == "HTTP/2 true"
    else:
        with Http1(server.https, alpn) as client:
            assert client.fetch("/protocol").text == "HTTP/1.1 false"


def test_the_preface_of_http2_is_told_apart_byte_by_byte(server):
    client = Attacker(server.http, greets=False)
    for byte in PREFACE:
        client.write(bytes([byte]))
        time.sleep(0.001)
    client.send(settings())
    client.settle()
    assert client.of_type("SETTINGS") and not client.is_over()
    client.close()


def test_a_preface_behind_a_request_is_none(server, client):
    client.write(get("/hello") + PREFACE)
    assert client.response(client.expect()).text == "hello"
    assert client.response(client.expect()).status == 505
    check_closed(client)


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.2"])
def test_upgrade_is_ignored(client, upgrade):
    asked = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", upgrade),
             ("http2-settings", "AAMAAABkAAQAAP__")]
    for _ in range(2):
        response = client.fetch("/protocol", headers=asked)
        assert (response.status, response.text) == (200, "HTTP/1.1 false")
        assert response.informs == [] and response.header("upgrade") is None


# What keeps a connection.

@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_is_kept(server, http1, scheme):
    client = http1(getattr(server, scheme))
    for n in range(20):
        response = client.fetch(f"/number/{n}")
        assert (response.text, response.header("connection")) == (str(n), None)
    assert client.fetch("/nowhere").status == 404
    assert client.fetch("/hello").text == "hello"


@pytest.mark.parametrize("value", ["close", "Close", "te, close", "close, te", "keep-alive, close"])
@pytest.mark.parametrize("path", ["/hello", "/stream", "/status/204", "/nowhere"])
def test_the_client_may_ask_for_the_end(client, value, path):
    """What it sends behind that gets no answer."""
    client.write(get(path, ("connection", value)) + get("/hello"))
    assert client.response(client.expect()).header("connection") == "close"
    check_closed(client)


def test_close_in_the_second_field_counts(client):
    client.write(get("/hello", ("connection", "te"), ("connection", "close")))
    assert client.response(client.expect()).header("connection") == "close"
    check_closed(client)


@pytest.mark.parametrize("path, framing", [("/hello", "length"), ("/stream", "close")])
def test_http_1_0_closes(old, path, framing):
    response = old.fetch(path)
    assert (response.status, response.framing) == (200, framing)
    assert response.header("connection") in (None, "close")
    check_closed(old)


def test_http_1_0_keeps_the_connection_when_asked(old):
    keep = [("connection", "Keep-Alive")]
    for path, text in (("/hello", "hello"), ("/protocol", "HTTP/1.0 false"), ("/whole", None)):
        response = old.fetch(path, headers=keep)
        assert (response.framing, response.header("connection")) == ("length", "keep-alive")
        assert text in (None, response.text)
    response = old.fetch("/echo", "POST", headers=keep, body=b"body")
    assert response.body == b"body"


def test_http_1_0_cannot_keep_what_has_no_length(old):
    response = old.fetch("/stream", headers=[("connection", "keep-alive")])
    assert (response.text, response.framing) == ("piece 1\npiece 2\npiece 3\n", "close")
    assert response.header("connection") in (None, "close")
    check_closed(old)


def test_http_1_0_over_tls_ends_with_close_notify(server, http1):
    client = http1(server.https, version="HTTP/1.0")
    assert client.fetch("/stream").text == "piece 1\npiece 2\npiece 3\n"
    check_closed(client)


def test_versions_may_take_turns(client):
    client.write(get("/protocol") + get("/protocol", ("connection", "keep-alive"),
                                        version="HTTP/1.0") + get("/protocol", ("te", "trailers")))
    assert texts(client, 3) == [
        "HTTP/1.1 false", "HTTP/1.0 false", "HTTP/1.1 true"]


def test_half_a_connection_is_enough_for_the_answer(client):
    client.write(get("/slow/0.2") + get("/hello"))
    client.finish_sending()
    assert texts(client, 2) == ["0.2", "hello"]
    check_closed(client)


@pytest.mark.parametrize("more", ["upload", "pipelined"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_vanishes_that_is_not_read_any_more(server, scheme, more):
    """Neither a body that nobody takes nor requests behind hide that their sender has gone."""
    since = len(server.log)
    length = 1 << 30 if more == "upload" else 0
    with open_socket(getattr(server, scheme), tls_context(["http/1.1"])) as sock:
        sock.sendall(get("/waits", ("content-length", length), method="POST"))
        fill(sock, bytes(1 << 16) if length else get("/hello") * 1000, 1 << 30)
        vanish(sock)
    server.wait_for('"gone: connection lost"', since=since)


def test_half_a_request_at_the_end_gets_no_answer_but_400(client):
    client.write(b"GET /hello HTTP/1.1\r\nhost: a")
    client.expect()
    client.finish_sending()
    client.wait_closed()
    assert client.so_far(0).status in (None, 400)


def test_an_upload_cut_short_aborts(server, client):
    client.write(get("/size", ("content-length", 10), method="POST") + b"short")
    client.expect("POST")
    client.finish_sending()
    client.wait_closed()
    assert client.so_far(0).status in (None, 400)


# Pipelining.

@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_hundred_at_once_are_answered_in_order(server, http1, scheme):
    client = http1(getattr(server, scheme))
    client.write(b"".join(get(f"/number/{n}") for n in range(100)))
    assert texts(client, 100) == list(map(str, range(100)))


def test_a_slow_one_holds_up_those_behind(client):
    client.write(get("/slow/0.3") + get("/slow/0.1") + get("/hello"))
    assert texts(client, 3) == ["0.3", "0.1", "hello"]


def test_bodies_among_the_pipelined(client):
    client.write(b"".join([
        get("/echo", ("content-length", 4), method="POST"), b"GET ",
        get("/echo", ("transfer-encoding", "chunked"), method="POST"), chunk(b"POST "),
        b"0\r\n\r\n", get("/hello", method="HEAD"), get("/status/204"), get("/hello")]))
    answers = [client.response(client.expect(method))
               for method in ("POST", "POST", "HEAD", "GET", "GET")]
    assert [answer.text for answer in answers] == ["GET ", "POST ", "", "", "hello"]


def test_thousands_come_as_the_client_takes_them(client):
    """More than the server would hold, all written before any is read."""
    padding = ("x-padding", "y" * 1000)
    client.write(get("/slow/0.3") + b"".join(get(f"/number/{n}", padding) for n in range(3000)))
    assert client.response(client.expect()).text == "0.3"
    assert texts(client, 3000) == [str(n) for n in range(3000)]


# Expect.

WAITS = ("expect", "100-continue")


def test_continue_is_sent_when_the_handler_reads(client):
    request = client.request("/late_reader", "POST", headers=[WAITS, ("content-length", 4)],
                             end=False)
    began = time.monotonic()
    client.wait(lambda: client.received)
    assert time.monotonic() - began > 0.15
    assert bytes(client.received) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(request, b"body")
    response = client.response(request)
    assert (response.text, response.informs) == ("body", [(100, [])])
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


# Ends.

@pytest.mark.parametrize("path, received", [("/reset", b""), ("/reset?late", b"begun"),
                                            ("/fail_late", b"sent")])
def test_a_reset_closes_at_once(client, path, received):
    """Without the final chunk, and with no answer to what waits behind."""
    client.write(get(path) + get("/hello"))
    began = time.monotonic()
    response = client.response(client.expect())
    client.wait_closed()
    assert time.monotonic() - began < AT_ONCE
    assert (response.body, response.reset) == (received, CUT)
    assert not client.received.endswith(b"0\r\n\r\n") and b"hello" not in client.received


@pytest.mark.parametrize("path", ["/reset?late", "/fail_late"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_over_tls_a_cut_response_has_no_close_notify(server, http1, version, path):
    """By which alone a client of HTTP/1.0 can tell it from a whole one."""
    client = http1(server.https, version=version)
    response = client.response(client.request(path))
    client.wait_closed()
    assert (client.closed, response.reset) == ("abruptly", CUT)


def test_an_unread_body_is_passed_over(client):
    client.write(get("/unread", ("content-length", 1000), method="POST") + b"GET / " * 166 +
                 b"abcd" + get("/hello"))
    assert texts(client, 2) == ["enough", "hello"]


@pytest.mark.parametrize("framing, body", [
    (("transfer-encoding", "chunked"), chunk(b"x" * 1000) + b"0\r\n\r\n"),
    (("content-length", 1000), b"x" * 1000)])
def test_an_unread_body_that_comes_late_is_passed_over(client, framing, body):
    client.write(get("/unread", framing, method="POST"))
    assert client.response(client.expect()).text == "enough"
    client.write(body[:500])
    client.listen(0.05)
    client.write(body[500:] + get("/hello"))
    assert client.response(client.expect()).text == "hello"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_unread_body_that_is_large_ends_the_connection(server, http1, scheme):
    """The response comes whole all the same, though the client goes on sending."""
    client = http1(getattr(server, scheme))
    request = client.request("/unread", "POST", headers=[("content-length", 1 << 30)], end=False)
    for _ in range(64):
        client.write(bytes(1 << 16))
        if client.closed:
            break
    response = client.so_far(request)
    client.wait(lambda: response.over)
    assert (response.text, response.ended) == ("enough", True)
    while not client.closed:
        client.write(bytes(1 << 16))


def test_an_unread_body_that_does_not_come_ends_the_connection(client):
    request = client.request("/unread", "POST", headers=[("content-length", 10)], end=False)
    assert client.response(request).text == "enough"
    check_closed(client)


def test_no_answer_to_a_fresh_connection_that_closes(server, client):
    client.finish_sending()
    with pytest.raises(Closed):
        while True:
            client.receive()
    assert client.received == b""
