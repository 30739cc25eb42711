"""HTTP/1.1 against time: those who are slow, those who are idle, the server's end, and what the
server holds while much flows."""
import signal
import time

import pytest

from attacker import connect as open_small
from attacker import vanish
from client import open_socket, tls_context
from handlers import DRIP, ECHO, PARK, SIZE
from http1 import CUT, Http1, fill, get
from rawframes import PREFACE
from server import ROOT

pytest_plugins = ["figures"]

RELEASE = ROOT / "build" / "moontrail"
SIZE_IN_ALL = 64 << 20
IN_SOCKETS = 24 << 20  # what the system's buffers of two sockets may hold, and more
GROWTH = 4096  # KiB that the server may grow by
SHORT = 1  # seconds, of a timeout
LATE = 10  # seconds, by which a timeout must have struck on a machine that is busy

SCRIPTS = {
    "hello.lua": "return function(ctx) ctx:text('hello') end",
    "echo.lua": ECHO,
    "size.lua": SIZE,
    "park.lua": PARK,
    "drip.lua": DRIP,
    "wait.lua": """
        return function(ctx)
            if ctx.query == "begun" then
                ctx:write("begun")
                ctx:flush()
            end
            ctx:on_abort(function(reason) print("aborted by " .. reason) end)
            print "waits"
            ctx:write(ctx:body())
        end""",
    "down.lua": """
        local piece = ("x"):rep(65536)
        written = 0
        return function(ctx)
            written = 0
            for _ = 1, tonumber(ctx.query) // #piece do
                ctx:write(piece)
                written = written + #piece
            end
        end""",
    "written.lua": "return function(ctx) ctx:text(written) end",
    "late.lua": """
        return function(ctx)
            require("moontrail").sleep(1)
            local size, piece = 0, ctx:read()
            while piece do
                size, piece = size + #piece, ctx:read()
            end
            ctx:text(size)
        end""",
}


# Timeouts.

def outlast(*clients):
    """Sends a piece to each now and then until the server ends their connections, in time. A client
    comes alone, or with its piece."""
    some = [client if isinstance(client, tuple) else (client, b"") for client in clients]
    began = time.monotonic()
    while not all(client.closed for client, _ in some):
        assert time.monotonic() - began < LATE, "still open"
        for client, piece in some:
            client.write(piece)
            client.listen(0.1 / len(some))
    assert time.monotonic() - began > SHORT * 0.9


HEADS = {
    "nothing but a start": (b"GET", b""),
    "a byte of a line at a time": (b"GET /", b"x"),
    "a byte of a field at a time": (b"GET / HTTP/1.1\r\nhost: a.test\r\nx: ", b"y"),
    "a field at a time": (b"GET / HTTP/1.1\r\nhost: a.test\r\n", b"x: y\r\n"),
    "all but the last byte": (get("/hello")[:-1], b""),
}


def test_slow_heads(start, http1):
    """Of a first request, and of a second."""
    server = start(SCRIPTS, "--header-timeout", SHORT)
    clients = [(http1(url), *head) for url in server.urls * 2 for head in HEADS.values()]
    for client, *_ in clients[len(clients) // 2:]:
        assert client.fetch("/hello").text == "hello"
    slow = [client.expect() for client, *_ in clients]
    for client, begun, _ in clients:
        client.write(begun)
    outlast(*[(client, piece) for client, _, piece in clients])
    for (client, *_), request in zip(clients, slow):
        assert client.so_far(request).status in (None, 408)
        server.wait_for(rf"header-timeout.*remote={client.local}\b")


def test_half_a_preface(start, http1):
    server = start(SCRIPTS, "--preface-timeout", SHORT, "--header-timeout", SHORT)
    client = http1(server.http)
    client.write(PREFACE[:-4])
    outlast(client)
    server.wait_for(rf"-timeout.*remote={client.local}\b")


BODIES = {
    "content-length": (("content-length", 100), b"x", b""),
    "chunk": (("transfer-encoding", "chunked"), b"64\r\nx", b""),
    "extension": (("transfer-encoding", "chunked"), b"1;", b"x"),
    "trailers": (("transfer-encoding", "chunked"), b"0\r\n", b"x: y\r\n"),
}


def test_slow_bodies(start, http1):
    """A byte without an end to it is no progress of the body. A response that has begun is cut."""
    server = start(SCRIPTS, "--body-timeout", SHORT)
    clients = [(http1(server.http), *body) for body in BODIES.values()]
    for client, framing, begun, _ in clients:
        client.write(get("/size", framing, method="POST") + begun)
        client.expect("POST")
    answered = http1(server.http)
    request = answered.request("/echo", "POST", body=b"begun", end=False)
    answered.wait(lambda: answered.so_far(request).body == b"begun")
    outlast(answered, *[(client, piece) for client, *_, piece in clients])
    assert answered.so_far(request).reset == CUT
    for client, *_ in clients:
        response = client.so_far(0)
        assert (response.status, response.ended) == (408, True)
        assert response.header("connection") == "close"
    for client in (answered, *[client for client, *_ in clients]):
        server.wait_for(rf"timed out limit=body-timeout.*remote={client.local}\b")


def test_a_body_that_comes_slowly_is_progress(start, http1):
    server = start(SCRIPTS, "--body-timeout", SHORT, "--header-timeout", SHORT)
    client = http1(server.http)
    request = client.request("/size", "POST", end=False)
    for _ in range(4):
        client.listen(SHORT * 0.4)
        client.send(request, b"x")
    client.send(request, end=True)
    assert client.response(request).text == "4"


def test_request_timeout(start, http1):
    server = start(SCRIPTS, "--request-timeout", SHORT)
    parked, dripping = http1(server.http), http1(server.http)
    for client, path in ((parked, "/park"), (dripping, "/drip")):
        client.write(get(path))
        client.expect()
    outlast(parked, dripping)
    assert (parked.so_far(0).status, parked.so_far(0).ended) == (504, True)
    assert (dripping.so_far(0).body, dripping.so_far(0).reset) == (b"drop", CUT)
    server.wait_for("timed out limit=request-timeout")


def test_a_client_that_takes_nothing(start):
    server = start(SCRIPTS, "--write-timeout", SHORT)
    sock = open_small(server.http, receive_buffer=4096)
    sock.sendall(get(f"/down?{SIZE_IN_ALL}"))
    server.wait_for("write-timeout", timeout=LATE)
    sock.close()


def test_idle_connections_end(start, http1):
    """And so do those that say nothing from their start."""
    server = start(SCRIPTS, "--idle-timeout", SHORT, "--handshake-timeout", SHORT)
    used, fresh = [[http1(url) for url in server.urls] for _ in range(2)]
    for client in used:
        assert client.fetch("/hello").text == "hello"
    outlast(*used, *fresh)
    assert [(client.closed, client.rest) for client in used] == [("cleanly", b"")] * 2
    assert [bytes(client.received) for client in fresh] == [b""] * 2


def test_a_busy_connection_is_not_idle(start, http1):
    server = start(SCRIPTS, "--idle-timeout", SHORT, "--header-timeout", SHORT,
                   "--handshake-timeout", SHORT)
    client = http1(server.http)
    for _ in range(3):
        client.listen(SHORT * 0.5)
        assert client.fetch("/hello").text == "hello"
    request = client.request("/echo", "POST", end=False)
    client.listen(SHORT * 1.5)
    client.send(request, b"still here", end=True)
    assert client.response(request).text == "still here"


# The end of the server.

@pytest.mark.parametrize("query", ["", "begun"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_request_under_way_finishes(start, http1, scheme, query):
    """Its response says that the connection closes, where there is time to say it."""
    server = start(SCRIPTS)
    client = http1(getattr(server, scheme))
    request = client.request(f"/wait?{query}", "POST", end=False)
    server.wait_for("text=waits")
    server.signal(signal.SIGTERM)
    server.wait_for("info stopping signal=TERM")
    client.listen(0.3)  # the order is on its way to the worker
    client.send(request, b" and whole", end=True)
    response = client.response(request)
    assert (response.text, response.ended) == (query + " and whole", True)
    assert query or response.header("connection") == "close"
    client.wait_closed()
    assert (client.closed, client.rest) == ("cleanly", b"")
    client.close()
    assert server.wait() == 0


def test_a_head_under_way_is_waited_for(start, http1):
    server = start(SCRIPTS)
    client = http1(server.http)
    client.write(get("/hello")[:-1])
    server.wait_for(f"connection opened .*remote={client.local}")
    client.listen(0.1)
    server.signal(signal.SIGTERM)
    server.wait_for("info stopping")
    client.listen(0.3)  # the order is on its way to the worker
    client.write(b"\n")
    response = client.response(client.expect())
    assert (response.text, response.header("connection")) == ("hello", "close")
    client.close()
    assert server.wait() == 0


def test_what_waits_behind_gets_no_answer(start, http1):
    """Its client, which is told of the end, can ask elsewhere."""
    server = start(SCRIPTS)
    client = http1(server.http)
    request = client.request("/wait", "POST", headers=[("content-length", 5)], end=False)
    server.wait_for("text=waits")
    server.signal(signal.SIGTERM)
    server.wait_for("info stopping")
    client.listen(0.3)  # the order is on its way to the worker
    client.write(b"whole" + get("/hello"))
    response = client.response(request)
    assert (response.text, response.header("connection")) == ("whole", "close")
    client.wait_closed()
    assert (client.closed, client.rest) == ("cleanly", b"")
    client.close()
    assert server.wait() == 0


def test_idle_connections_are_closed_at_once(start, http1):
    server = start(SCRIPTS)
    clients = [http1(url) for url in server.urls]
    for client in clients:
        assert client.fetch("/hello").text == "hello"
    fresh = http1(server.http)
    server.wait_for(f"connection opened .*remote={fresh.local}")
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    for client in [*clients, fresh]:
        client.wait_closed()
        assert (client.closed, client.rest) == ("cleanly", b"")
        client.close()
    assert server.wait() == 0
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("tls", [True, False])
def test_who_has_just_connected_is_answered(start, tls):
    server = start(SCRIPTS)
    sock = open_socket((server.https if tls else server.http).replace("https:", "http:"))
    server.wait_for("connection opened conn=1 ")
    server.signal(signal.SIGTERM)
    server.wait_for("info stopping")
    time.sleep(0.05)  # the order is on its way to the worker
    if tls:
        sock = tls_context(("http/1.1",)).wrap_socket(sock)
        time.sleep(0.05)  # the handshake is over, and there is no request yet
    with sock:
        sock.sendall(get("/hello"))
        answer = sock.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ") and b"connection: close" in answer.lower()
    assert server.wait() == 0


def test_grace_ends(start, http1):
    server = start(SCRIPTS, "--grace", "0.5")
    client = http1(server.http)
    request = client.request("/wait", "POST", end=False)
    server.wait_for("text=waits")
    server.signal(signal.SIGTERM)
    assert server.wait(timeout=LATE) == 0
    server.wait_for("aborted by shutdown")
    client.wait_closed()
    assert client.so_far(request).reset == CUT


# Much, to who is slow: the system's buffers fill, and then the sender waits.

@pytest.fixture
def serve(start):
    """A server of the release build, warm: each part of it has been used once."""
    server = start(SCRIPTS, "--log-level", "info", program=RELEASE)
    for url in server.urls:
        with Http1(url) as client:
            assert len(client.fetch(f"/down?{1 << 20}").body) == 1 << 20
            assert client.fetch("/size", "POST", body=bytes(1 << 20)).text == str(1 << 20)
    return server


def open_blocking(server, scheme):
    return open_socket(getattr(server, scheme), tls_context(["http/1.1"]))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_download_waits_for_its_reader(serve, http1, measure, figure, scheme):
    with open_blocking(serve, scheme) as sock:
        cost = measure(serve)
        sock.sendall(get(f"/down?{SIZE_IN_ALL}", ("connection", "close")))
        time.sleep(1)
        assert int(http1(serve.http).fetch("/written").text) < IN_SOCKETS
        count, last = 0, b""
        while received := sock.recv(1 << 20):
            count += len(received)
            last = (last + received)[-5:]
    figure(f"{SIZE_IN_ALL >> 20} MiB down by HTTP/1.1, {scheme}", cost, 1)
    assert count > SIZE_IN_ALL and last == b"0\r\n\r\n"
    assert cost.memory() < GROWTH


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_upload_waits_for_its_handler(serve, measure, figure, scheme):
    with open_blocking(serve, scheme) as sock:
        cost, piece = measure(serve), bytes(1 << 16)
        sock.sendall(get("/late", ("content-length", SIZE_IN_ALL), ("connection", "close"),
                         method="POST"))
        sent = fill(sock, piece, SIZE_IN_ALL)
        assert sent < IN_SOCKETS
        while sent < SIZE_IN_ALL:
            rest = piece[:SIZE_IN_ALL - sent]
            sock.sendall(rest)
            sent += len(rest)
        response = sock.makefile("rb").read()
    figure(f"{SIZE_IN_ALL >> 20} MiB up by HTTP/1.1, {scheme}", cost, 1)
    assert response.endswith(b"\r\n\r\n%d" % SIZE_IN_ALL)
    assert cost.memory() < GROWTH


def test_pipelined_requests_wait_for_their_turn(serve, http1, measure, figure):
    with open_blocking(serve, "http") as sock:
        cost, piece = measure(serve), get("/hello")
        sock.sendall(get("/late"))
        assert fill(sock, piece, SIZE_IN_ALL) < IN_SOCKETS
        assert http1(serve.http).fetch("/hello").text == "hello"
        figure("pipelined requests that nobody reads", cost, 1)
        assert cost.memory() < GROWTH
        vanish(sock)
