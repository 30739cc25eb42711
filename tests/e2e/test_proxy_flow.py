"""What flows through the server to another and back: much, slowly, and for many at once. With
MOONTRAIL_FULL=1 a GiB flows each way."""
import os
import time

import pytest

from client import Client
from figures import reset_peak, status_kib
from handlers import ECHO, SIZE
from server import ROOT, Server, write_scripts

RELEASE = ROOT / "build" / "moontrail"
SIZE_MIB = 1024 if os.environ.get("MOONTRAIL_FULL") else 64
PIECE = 1 << 20
GROWTH = 8192  # KiB that the server may grow by

INNER = {
    "size.lua": SIZE,
    "echo.lua": ECHO,
    "hello.lua": "return function(ctx) ctx:text('hello') end",
    "down.lua": """
        local piece = ("x"):rep(65536)
        written = 0
        return function(ctx)
            for _ = 1, tonumber(ctx.query) * 16 do
                ctx:write(piece)
                written = written + #piece
            end
        end""",
    "written.lua": "return function(ctx) ctx:text(written) end",
    "park.lua": """
        return function(ctx)
            taken = 0
            require("moontrail").sleep(tonumber(ctx.query))
            local piece = ctx:read()
            while piece do
                taken, piece = taken + #piece, ctx:read()
            end
            ctx:text(taken)
        end""",
    "sleep.lua": """
        return function(ctx)
            require("moontrail").sleep(1)
            ctx:text("slept")
        end""",
}


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), INNER), program=RELEASE)
    yield server
    server.stop()


@pytest.fixture(params=["http", "h2c"])
def edge(request, inner):
    url = inner.http.replace("http:", request.param + ":")
    server = Server(None, "--upstream", url, "--log-level", "info", program=RELEASE)
    yield server
    server.stop()


class Growth:
    """KiB by which a server grows from here on."""

    def __init__(self, server):
        self._pid, = server.workers
        reset_peak(self._pid)
        self._before = status_kib(self._pid, "VmRSS")

    def check(self):
        grown = status_kib(self._pid, "VmHWM") - self._before
        assert grown < GROWTH, f"{grown} KiB"


@pytest.fixture
def client(edge):
    """Over plaintext, warmed up."""
    with Client(edge.http) as client:
        assert client.fetch("/hello").text == "hello"
        client.fetch("/echo", "POST", body=bytes(PIECE))
        yield client


def skim(client, stream):
    """Reads a response to its end and keeps nothing of it; how many bytes there were."""
    response, size = client.so_far(stream), 0
    while not response.over:
        client.receive()
        size += len(response.body)
        response.body = b""
    assert response.ended
    return size


def test_much_goes_down(edge, client):
    growth = Growth(edge)
    assert skim(client, client.request(f"/down?{SIZE_MIB}")) == SIZE_MIB << 20
    growth.check()


def test_much_goes_up(edge, client):
    growth = Growth(edge)
    stream = client.request("/size", "POST", end=False)
    for _ in range(SIZE_MIB):
        client.send(stream, bytes(PIECE))
    client.send(stream, end=True)
    assert int(client.response(stream).text) == SIZE_MIB << 20
    growth.check()


def test_slow_client_holds_the_upstream_back(edge, client, inner):
    """What the upstream can write is bounded by what lies in queues and windows on the way."""
    growth = Growth(edge)
    client.reading = False
    before = int(client.fetch("/written").text)
    stream = client.request("/down?64")
    time.sleep(1)
    with Client(edge.http) as other:
        held = int(other.fetch("/written").text) - before
        assert held < 16 << 20, held
        time.sleep(0.3)
        assert int(other.fetch("/written").text) - before == held
    client.reset(stream)
    growth.check()


def test_slow_upstream_holds_the_client_back(edge, client):
    growth = Growth(edge)
    stream, sent = client.request("/park?2", "POST", end=False), 0
    client.socket.settimeout(0.5)
    try:
        while sent < 64 << 20:
            client.send(stream, bytes(16384))
            sent += 16384
    except TimeoutError:
        pass
    assert sent < 16 << 20
    client.socket.settimeout(30)
    client.send(stream, end=True)
    client.wait(lambda: client.so_far(stream).over)
    growth.check()


def test_parked_upload_holds_up_no_other(edge, client):
    with Client(edge.http) as other:
        stream = other.request("/park?1", "POST", body=bytes(60000), end=False)
        assert client.fetch("/hello").text == "hello"
        other.send(stream, end=True)
        assert other.response(stream).text == "60000"


def test_a_thousand_at_once(edge):
    """10 connections with 100 requests each, all under way at the same time."""
    clients = [Client(edge.http) for _ in range(10)]
    streams = [[client.request("/sleep") for _ in range(100)] for client in clients]
    for client, asked in zip(clients, streams):
        for stream in asked:
            got = client.response(stream)
            assert (got.status, got.text) == (200, "slept")
        client.close()


def test_a_thousand_one_after_the_other_leave_nothing(edge, client):
    growth = Growth(edge)
    for _ in range(1000):
        assert client.fetch("/hello").text == "hello"
    growth.check()


def test_waiting_line_is_bounded(start, connect, inner):
    edge = start(None, "--upstream", inner.http, "--upstream-max-connections", "2",
                 "--upstream-max-each", "2", "--upstream-max-waiting", "3")
    client = connect(edge.https)
    streams = [client.request("/sleep") for _ in range(2)]
    time.sleep(0.3)
    streams += [client.request("/sleep") for _ in range(6)]
    statuses = sorted(client.response(stream).status for stream in streams)
    assert statuses == [200] * 5 + [503] * 3


def test_one_connection_for_many(start, connect, inner):
    """HTTP/2 upstreams: requests at once share a connection."""
    before = len(inner.lines("connection opened"))
    edge = start(None, "--upstream", inner.http.replace("http:", "h2c:"))
    client = connect(edge.https)
    streams = [client.request("/sleep") for _ in range(50)]
    assert all(client.response(stream).text == "slept" for stream in streams)
    assert len(inner.lines("connection opened")) - before <= 1
