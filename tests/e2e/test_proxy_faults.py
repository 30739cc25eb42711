"""Upstreams that fail: at each stage, in each way, and what the client and the log are told."""
import signal
import socket
import ssl
import time

import pytest

from attacker import Attacker, block, headers
from rawframes import data
from upstreams import Http2Upstream, always, free_port, response

CANCEL, INTERNAL_ERROR = 8, 2


@pytest.fixture
def edge(start):
    """Starts a server in front of an upstream."""
    return lambda url, *options, **more: start(None, "--upstream", url, *options, **more)


def failures(server):
    """What is told of failures, once there is any."""
    server.wait_for("upstream failed")
    return server.lines("upstream failed")


def check_failed(server, status, reason):
    """The failure is told once."""
    line, = failures(server)
    assert f"status={status}" in line and reason in line


# No connection.

def test_unreachable(edge, connect, http1):
    server = edge(f"http://127.0.0.1:{free_port()}")
    got = connect(server.https).fetch("/")
    assert (got.status, got.text) == (502, "Bad Gateway\n")
    check_failed(server, 502, "")
    assert http1(server.http).fetch("/", "POST", body=b"x" * 100000).code == 502


def test_name_that_does_not_resolve(edge, connect):
    server = edge("http://no-such-host.invalid:80")
    assert connect(server.https).fetch("/").status == 502
    check_failed(server, 502, "")


def test_name_with_a_final_dot(edge, connect, upstream):
    """Which ends a full name, and goes up as it was written."""
    made = upstream(always(response(b"here")))
    with_dot = made.url.replace("127.0.0.1", "localhost.")
    assert connect(edge(with_dot).https).fetch("/").text == "here"


def test_socket_that_is_not_there(edge, connect, tmp_path):
    server = edge(f"unix:{tmp_path}/none")
    assert connect(server.https).fetch("/").status == 502
    check_failed(server, 502, "")


def test_certificate_that_does_not_verify(edge, connect, start):
    inner = start({"a.lua": "return function(ctx) ctx:text('a') end"})
    server = edge(inner.https)
    assert connect(server.https).fetch("/a").status == 502
    check_failed(server, 502, "certificate")


def test_certificate_of_another_name(edge, connect, upstream, certificates):
    """Verified by a file of one's own; the name must be right as well."""
    one = certificates["one.test"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(one.cert, one.key)
    made = upstream(always(response(b"ok")), tls=context)
    server = edge(made.url, "--upstream-ca", one.cert)
    assert connect(server.https).fetch("/").status == 502
    check_failed(server, 502, "mismatch")


def test_certificate_that_verifies(edge, connect, upstream, local_certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(local_certificate.cert, local_certificate.key)
    made = upstream(always(response(b"ok")), tls=context)
    server = edge(made.url, "--upstream-ca", local_certificate.cert)
    assert connect(server.https).fetch("/").text == "ok"


def test_connect_timeout(edge, connect):
    """A listener whose queue is full takes no more connections."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        server = edge(f"http://127.0.0.1:{listener.getsockname()[1]}",
                      "--upstream-connect-timeout", "0.5")
        assert connect(server.https).fetch("/").status == 504
        check_failed(server, 504, "connect-timeout")


# Time.

def test_response_timeout(edge, connect, upstream):
    made = upstream(lambda connection: connection.wait_closed())
    server = edge(made.url, "--upstream-response-timeout", "0.5")
    began = time.monotonic()
    assert connect(server.https).fetch("/").status == 504
    assert time.monotonic() - began >= 0.5
    check_failed(server, 504, "response-timeout")


@pytest.mark.parametrize("status", ["102 Processing", "100 Continue"])
def test_interim_responses_are_no_progress(edge, connect, upstream, status):
    """Each comes well within the time for the response, which is the time for all of them."""
    def serve(connection):
        connection.request()
        while True:
            connection.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
            time.sleep(0.1)

    server = edge(upstream(serve).url, "--upstream-response-timeout", "1")
    assert connect(server.https).fetch("/").status == 504
    check_failed(server, 504, "response-timeout")


def test_idle_timeout(edge, connect, upstream):
    def stall(connection):
        connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegun")
        connection.wait_closed()

    server = edge(upstream(stall).url, "--upstream-idle-timeout", "0.5")
    got = connect(server.https).fetch("/")
    assert (got.status, got.body, got.reset) == (200, b"begun", INTERNAL_ERROR)
    check_failed(server, 0, "idle-timeout")


def test_slow_upload_is_not_the_upstreams_fault(edge, connect, upstream):
    server = edge(upstream(always(response(b"ok"))).url, "--upstream-response-timeout", "0.5",
                  "--upstream-idle-timeout", "0.5")
    client = connect(server.https)
    stream = client.request("/", "POST", end=False)
    client.send(stream, b"some")
    time.sleep(1.5)
    client.send(stream, b" more", end=True)
    assert client.response(stream).text == "ok"


def test_slow_download_is_not_the_upstreams_fault(edge, connect, upstream):
    server = edge(upstream(always(response(bytes(4 << 20)))).url, "--upstream-idle-timeout", "0.5")
    client = connect(server.https)
    client.reading = False
    stream = client.request("/")
    client.wait(lambda: len(client.so_far(stream).body) == 65535)
    time.sleep(1.5)
    client.reading = True
    client.h2.increment_flow_control_window(8 << 20, stream)
    client.flush()
    got = client.response(stream)
    assert (len(got.body), got.ended) == (4 << 20, True)


# An upstream that dies.

STAGES = {
    "before the request": (lambda c: None, 502),
    "within its head": (lambda c: c.socket.recv(10), 502),
    "before the response": (lambda c: c.request(), 502),
    "within the head": (lambda c: (c.request(), c.write(b"HTTP/1.1 200 OK\r\nconte")), 502),
    "behind an interim response": (
        lambda c: (c.request(), c.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")), 502),
    "within the body": (
        lambda c: (c.request(), c.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbody")),
        None),
    "within a chunk": (
        lambda c: (c.request(),
                   c.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nbody")),
        None),
    "before the last chunk": (
        lambda c: (c.request(), c.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n")), None),
    "within the trailers": (
        lambda c: (c.request(), c.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\na: b")), None),
}


@pytest.mark.parametrize("end", ["close", "vanish"])
@pytest.mark.parametrize("stage", STAGES)
def test_killed(edge, connect, upstream, stage, end):
    until, status = STAGES[stage]

    def serve(connection):
        until(connection)
        time.sleep(0.05)
        getattr(connection, end)()

    server = edge(upstream(serve).url)
    got = connect(server.https).fetch("/", "POST", body=b"x")
    if status:
        assert got.status == status
    else:
        # What of the body came before the reset is up to the clock.
        assert got.reset == INTERNAL_ERROR and b"body".startswith(got.body)
    assert len(failures(server)) == 1


@pytest.mark.parametrize("stage", ["within the body", "before the last chunk"])
def test_truncation_is_seen_by_http1_clients(edge, http1, upstream, stage):
    """No last chunk, and a length that was not reached: the response is not taken for whole."""
    until, _ = STAGES[stage]
    client = http1(edge(upstream(until).url).http)
    got = client.response(client.request("/"))
    assert not got.ended and client.closed


def test_killed_during_an_upload(edge, connect, upstream):
    def serve(connection):
        connection.socket.recv(65536)
        connection.vanish()

    client = connect(edge(upstream(serve).url).https)
    stream = client.request("/", "POST", end=False)
    while not client.so_far(stream).over:
        client.send(stream, bytes(1000))
        client.ping()
    assert client.so_far(stream).status == 502


def test_kept_connection_that_was_closed_meanwhile(edge, connect, upstream):
    """The other server closes what it has kept, as it may; a request that finds that out is made
    again."""
    def serve(connection):
        connection.request()
        connection.write(response(b"ok"))

    made = upstream(serve)
    client = connect(edge(made.url).https)
    for _ in range(20):
        assert client.fetch("/").text == "ok"


# Malformed responses.

MALFORMED = {
    "no HTTP": b"what?\r\n\r\n",
    "HTTP/0.9": b"<html>",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 OK\r\n\r\n",
    "status past 599": b"HTTP/1.1 600 OK\r\ncontent-length: 0\r\n\r\n",
    "upgrade nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "space within a name": b"HTTP/1.1 200 OK\r\na b: c\r\ncontent-length: 0\r\n\r\n",
    "folded field": b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n",
    "bare LF behind a field": b"HTTP/1.1 200 OK\r\na: b\ncontent-length: 0\r\n\r\n",
    "bare CR": b"HTTP/1.1 200 OK\r\na: b\rc\r\ncontent-length: 0\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\na: b\0c\r\ncontent-length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length with a sign": b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
    "length and chunks":
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding below chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "head without end": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20000 + b"\r\n",
}
MALFORMED_BODIES = {
    "chunk size that is none": b"x\r\n",
    "chunk size with a sign": b"+1\r\na\r\n",
    "chunk without CRLF": b"1\r\nab\r\n",
    "chunk line with bare LF": b"1\na\r\n",
    "chunk size too large": b"fffffffffffffffff\r\n",
    "trailer that is no field": b"0\r\nnothing\r\n\r\n",
}


@pytest.mark.parametrize("pace", ["at once", "byte by byte"])
@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_head(edge, connect, upstream, what, pace):
    def serve(connection):
        connection.request()
        write(connection, MALFORMED[what], pace)

    server = edge(upstream(serve).url)
    assert connect(server.https).fetch("/").status == 502
    assert len(failures(server)) == 1


@pytest.mark.parametrize("pace", ["at once", "byte by byte"])
@pytest.mark.parametrize("what", MALFORMED_BODIES)
def test_malformed_body(edge, connect, upstream, what, pace):
    def serve(connection):
        connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nyes\r\n")
        time.sleep(0.05)
        write(connection, MALFORMED_BODIES[what], pace)

    server = edge(upstream(serve).url)
    got = connect(server.https).fetch("/")
    assert (got.status, got.reset) == (200, INTERNAL_ERROR)
    assert len(failures(server)) == 1


def write(connection, data, pace):
    if pace == "at once" or len(data) > 1000:
        connection.write(data)
    else:
        for byte in data:
            connection.write(bytes([byte]))
            time.sleep(0.0005)
    connection.socket.shutdown(socket.SHUT_WR)
    connection.wait_closed()


def test_bytes_behind_a_response(edge, connect, upstream):
    """They are no response to the next request, and the connection is not used again."""
    made = upstream(always(response(b"mine") + response(b"not asked for")))
    client = connect(edge(made.url).https)
    for _ in range(5):
        assert client.fetch("/").text == "mine"
    assert made.connections == 5


# HTTP/2.

def on_request(act):
    """Acts when a request has ended."""
    def on_event(connection, h2, event):
        if type(event).__name__ == "StreamEnded":
            act(connection, h2, event.stream_id)
    return on_event


def answer(h2, stream):
    h2.send_headers(stream, [(":status", "200")])
    h2.send_data(stream, b"ok", end_stream=True)


def test_refused_stream_is_tried_once_more(edge, connect, upstream):
    tries = []

    def act(_, h2, stream):
        tries.append(stream)
        if len(tries) == 1:
            h2.reset_stream(stream, 7)
        else:
            answer(h2, stream)

    client = connect(edge(upstream(on_request(act), Http2Upstream).h2c).https)
    assert client.fetch("/", "POST", body=b"once").text == "ok"
    assert len(tries) == 2


def test_refused_for_good(edge, connect, upstream):
    server = edge(upstream(on_request(lambda _, h2, stream: h2.reset_stream(stream, 7)),
                           Http2Upstream).h2c)
    assert connect(server.https).fetch("/").status == 502
    assert len(failures(server)) == 1


def test_goaway_below_the_request(edge, connect, upstream):
    tries = []

    def act(_, h2, stream):
        tries.append(stream)
        if len(tries) == 1:
            h2.close_connection(last_stream_id=0)
        else:
            answer(h2, stream)

    client = connect(edge(upstream(on_request(act), Http2Upstream).h2c).https)
    assert client.fetch("/", "POST", body=b"x").text == "ok"
    assert len(tries) == 2


@pytest.mark.parametrize("code, passed_on", [(8, 8), (2, 2), (11, 11), (1, 2), (0x1234, 0x1234)])
def test_codes_of_resets(edge, connect, upstream, code, passed_on):
    def act(connection, h2, stream):
        h2.send_headers(stream, [(":status", "200")])
        h2.send_data(stream, b"begun")
        connection.write(h2.data_to_send())
        time.sleep(0.1)
        h2.reset_stream(stream, code)

    client = connect(edge(upstream(on_request(act), Http2Upstream).h2c).https)
    got = client.fetch("/")
    assert (got.status, got.body, got.reset) == (200, b"begun", passed_on)


def test_reset_before_the_head(edge, connect, upstream):
    act = on_request(lambda _, h2, stream: h2.reset_stream(stream, 2))
    assert connect(edge(upstream(act, Http2Upstream).h2c).https).fetch("/").status == 502


@pytest.mark.parametrize("code", [8, 2, 5, 0xabcd])
def test_reset_of_the_client_is_seen(edge, connect, upstream, code):
    seen = []
    made = upstream(lambda *event: seen.append(type(event[2]).__name__), Http2Upstream)
    server = edge(made.h2c)
    client = connect(server.https)
    stream = client.request("/", "POST", end=False)
    client.send(stream, b"begun")
    server.wait_until(lambda: "DataReceived" in seen)
    client.reset(stream, code)
    server.wait_until(lambda: made.resets)
    assert made.resets == [(1, code)]


def test_resets_of_some_clients_end_no_calls_of_others(start, edge, connect):
    inner = start({"slow.lua": '''
        return function(ctx)
            ctx:flush()
            require("moontrail").sleep(tonumber(ctx.query))
            ctx:write("slept")
        end'''}, "--max-resets", "200")
    server = edge(inner.http.replace("http:", "h2c:"))
    patient = connect(server.https)
    slow = patient.request("/slow?2")
    for _ in range(8):
        client = connect(server.https)
        streams = [client.request("/slow?60") for _ in range(60)]
        client.wait(lambda: all(client.so_far(stream).headers for stream in streams))
        for stream in streams:
            client.reset(stream)
    assert patient.response(slow).text == "slept"
    assert connect(server.https).fetch("/slow?0").text == "slept"
    assert inner.lines("max-resets") == [] and server.lines("upstream failed") == []


def test_reset_of_the_client_closes_http1(edge, connect, upstream):
    told = []

    def serve(connection):
        told.append(connection.request())
        connection.wait_closed()
        told.append("closed")

    server = edge(upstream(serve).url)
    client = connect(server.https)
    stream = client.request("/")
    server.wait_until(lambda: told)
    client.reset(stream)
    server.wait_until(lambda: told[1:] == ["closed"])


def test_http1_client_that_goes_is_seen(edge, http1, upstream):
    made = upstream(lambda *event: None, Http2Upstream)
    server = edge(made.h2c)
    client = http1(server.http)
    client.request("/", "POST", [("content-length", "10")], end=False)
    time.sleep(0.2)
    client.vanish()
    server.wait_until(lambda: made.resets)
    assert made.resets == [(1, CANCEL)]


# The end of the server.

def test_request_under_way_finishes_at_shutdown(edge, connect, upstream):
    def serve(connection):
        connection.request()
        time.sleep(1)
        connection.write(response(b"late"))

    server = edge(upstream(serve).url)
    client = connect(server.https)
    stream = client.request("/")
    client.ping()
    server.signal(signal.SIGTERM)
    assert client.response(stream).text == "late"
    client.wait_closed()
    assert server.wait() == 0


def test_request_under_way_is_cut_at_the_end_of_the_grace(edge, connect, upstream):
    made = upstream(lambda connection: connection.wait_closed())
    server = edge(made.url, "--grace", "0.5")
    client = connect(server.https)
    client.request("/")
    client.ping()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


@pytest.mark.parametrize("hop", ["http:", "h2c:"])
def test_header_list_as_large_as_it_may_be(start, edge, connect, hop):
    inner = start({"index.lua": "return function(ctx) ctx:text(#ctx.headers.x) end"},
                  "--max-header-bytes", "131072")
    server = edge(inner.http.replace("http:", hop))
    assert connect(server.https).fetch("/", headers=[("x", "a" * 65300)]).text == "65300"


# Smuggling: what HTTP/2 carries and HTTP/1.1 would read as something else.

INJECTIONS = {
    "CRLF in a value": [("x-a", "b\r\nx-injected: c")],
    "request in a value": [("x-a", "b\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n")],
    "LF in a value": [("x-a", "b\nx-injected: c")],
    "CR in a value": [("x-a", "b\rx-injected: c")],
    "NUL in a value": [("x-a", "b\0c")],
    "CRLF in a name": [("x-a: b\r\nx-injected", "c")],
    "colon in a name": [("x-injected: c\r\nx-a", "b")],
    "space in a name": [("x a", "b")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "connection": [("connection", "x-injected")],
    "upgrade": [("upgrade", "h2c")],
    "te of another kind": [("te", "chunked")],
    "length that is none": [("content-length", "1x")],
    "two lengths": [("content-length", "0"), ("content-length", "44")],
    "cookie": [("cookie", "a=b\r\nx-injected: c")],
}
PSEUDO = {
    "space in the path": {":path": "/a HTTP/1.1\r\nx-injected: c\r\n\r\n"},
    "CRLF in the path": {":path": "/a\r\nx-injected: c"},
    "tab in the path": {":path": "/a\tb"},
    "no path": {":path": ""},
    "path of another form": {":path": "http://other.test/"},
    "CRLF in the method": {":method": "GET /x HTTP/1.1\r\nx-injected: c\r\n\r\nGET"},
    "space in the method": {":method": "GET /x"},
    "CRLF in the authority": {":authority": "a\r\nx-injected: c"},
    "space in the authority": {":authority": "a b"},
    "list in the authority": {":authority": "a,b"},
    "user in the authority": {":authority": "a@b"},
}


@pytest.fixture
def guarded(edge, upstream):
    """An edge that passes on all that it can, and the requests that came through."""
    requests = []
    server = edge(upstream(always(response(b"ok"), requests)).url, "--upstream-pass-host")
    server.requests = requests
    return server


def attack(server, pseudo, fields, body=b""):
    """Sends a request, whatever it holds, and a clean one after it; the requests that came."""
    base = {":method": "POST", ":scheme": "http", ":authority": "a.test", ":path": "/attack"}
    attacker = Attacker(server.http)
    attacker.send(headers(1, block(*{**base, **pseudo}.items(), *fields), end=not body),
                  data(1, body, end=True) if body else b"")
    attacker.wait(lambda: attacker.is_over() or attacker.has_ended(1)
                  or attacker.of_type("RST_STREAM", 1))
    attacker.close()
    return server.requests


def check_nothing_injected(requests):
    for request in requests:
        assert request.line in ("POST /attack HTTP/1.1", "GET /attack HTTP/1.1"), request
        assert not request.values("x-injected"), request
        assert len(request.values("host")) == 1
        assert request.body in (b"", b"body")


@pytest.mark.parametrize("what", INJECTIONS)
@pytest.mark.parametrize("body", [b"", b"body"])
def test_fields_that_would_smuggle(guarded, what, body):
    check_nothing_injected(attack(guarded, {}, INJECTIONS[what], body))


@pytest.mark.parametrize("what", PSEUDO)
def test_pseudo_fields_that_would_smuggle(guarded, what):
    assert attack(guarded, PSEUDO[what], []) == []


@pytest.mark.parametrize("scheme", ["https", "a" * 5000])
def test_the_scheme_that_goes_on_is_the_connections(guarded, scheme):
    request, = attack(guarded, {":scheme": scheme}, [])
    assert request.value("forwarded") == 'for=127.0.0.1;host="a.test";proto=http'
    assert request.value("x-forwarded-proto") == "http"


@pytest.mark.parametrize("name", ["authorization", "content-encoding", "set-cookie"])
def test_trailers_that_may_not_be_any(guarded, connect, name):
    client = connect(guarded.https)
    stream = client.request("/attack", "POST", end=False)
    client.send(stream, b"body")
    client.h2.send_headers(stream, [("x-sum", "1"), (name, "trailers")], end_stream=True)
    client.flush()
    assert client.response(stream).text == "ok"
    request, = guarded.requests
    assert request.body == b"body" and not request.values(name)
    assert request.trailers in ([("x-sum", "1")], [])

