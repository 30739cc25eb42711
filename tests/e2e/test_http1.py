"""Connections of HTTP/1.1 and HTTP/1.0: which protocol they speak, what keeps them, and what ends
them."""
import time

import pytest

from attacker import Attacker, vanish
from client import Client, Closed, open_socket, tls_context
from handlers import ECHO, FAIL_LATE, PROTOCOL, SIZE, STATUS, STREAM
from http1 import CUT, Http1, check_closed, chunk, fill, get
from rawframes import PREFACE, settings

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
            local name = ctx.query
            ctx:on_abort(function(reason) print(name .. " is gone: " .. reason) end)
            require("moontrail").sleep(3600)
        end""",
    "unread.lua": """
        return function(ctx) ctx:text("enough") end""",
    "stream.lua": STREAM,
    "whole.lua": """
        return function(ctx)
            for i = 1, 3 do ctx:write("piece ", i) end
        end""",
    "status/[code].lua": STATUS,
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


def texts(client, count):
    """The answers to as many requests, which were written before."""
    return [client.response(client.expect()).text for _ in range(count)]


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


def test_clients_vanish_that_are_not_read_any_more(server):
    """Neither a body that nobody takes nor requests behind hide that their sender has gone."""
    since, socks = len(server.log), []
    for url in server.urls:
        for length, more in ((1 << 30, bytes(1 << 16)), (0, get("/hello") * 1000)):
            sock = open_socket(url, tls_context(["http/1.1"]))
            socks.append(sock)
            sock.sendall(get(f"/waits?{len(socks)}", ("content-length", length), method="POST"))
            fill(sock, more, 1 << 30)
    for sock in socks:
        vanish(sock)
    for n in range(1, len(socks) + 1):
        server.wait_for(f'"{n} is gone: connection lost"', since=since)


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
