"""Clients of one upstream who do not suffer from each other: slow readers, and requests that never
come whole. What an attacker holds is counted, and a bystander must get through meanwhile."""
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from bystander import Bystander
from handlers import RUN, begin_lua
from upstreams import Http2Upstream, response

HELLO = "return function(ctx) ctx:text('hello') end"
BIG = "return function(ctx) for _ = 1, 40 do ctx:write(('z'):rep(50000)) end end"

# Another client than all the others here.
ELSEWHERE = "127.0.0.2"


def ask(url, path, source=ELSEWHERE):
    """The status and the body of a request from an address."""
    to = urlsplit(url)
    with socket.create_connection((to.hostname, to.port), 30, source_address=(source, 0)) as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n" % path.encode())
        got = b""
        while piece := sock.recv(65536):
            got += piece
    return int(got[9:12]), got.partition(b"\r\n\r\n")[2]


class Held:
    """An upstream that waits for whole requests, and counts the connections that have begun one."""

    def __init__(self):
        self.count, self._lock = 0, threading.Lock()

    def serve(self, connection):
        while request := connection.head():
            with self._lock:
                self.count += 1
            connection.body(request)
            with self._lock:
                self.count -= 1
            connection.write(response(b"hello"))


@pytest.fixture
def held(upstream):
    """That, and its URL."""
    made = Held()
    return made, upstream(made.serve).url


def until(condition, clients=()):
    """Waits for it, while the clients take in what comes."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        for client in clients:
            client.ping()
        time.sleep(0.01)
    assert condition()


# Slow readers.

@pytest.mark.parametrize("kind", ["h2c", "https"])
def test_slow_readers_hold_up_nobody(start, connect, kind):
    inner = start({"big.lua": BIG, "hello.lua": HELLO})
    url = inner.https if kind == "https" else inner.http.replace("http:", "h2c:")
    edge = start(None, "--upstream", url, "--upstream-insecure", "--upstream-max-connections", "1")
    attacker = connect(edge.http)
    attacker.reading = False
    streams = [attacker.request("/big") for _ in range(60)]
    bystander = Bystander(connect(edge.http))
    bystander.start()
    for stream in streams:
        attacker.wait(lambda stream=stream: len(attacker.so_far(stream).body) >= 65535)
    before = bystander.count
    until(lambda: bystander.count > before + 20)
    bystander.stop()
    assert not any(attacker.so_far(stream).over for stream in streams)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_unread_responses_of_scripts_hold_up_nobody(start, connect, scheme):
    inner = start({"big.lua": BIG, "hello.lua": HELLO})
    edge = start({"index.lua": RUN}, "--upstream-max-connections", "1")
    client = connect(edge.http)
    code = """
        local r = mt.http.get("URL", { version = "2", verify = false })
        PARK return r:body()""".replace("URL", getattr(inner, scheme) + "/NAME")
    slow = code.replace("NAME", "big").replace("PARK", "ctx:write('parked') ctx:flush() mt.sleep(60)")
    streams = [begin_lua(client, slow) for _ in range(60)]
    for stream in streams:
        client.wait(lambda stream=stream: client.so_far(stream).text)
    quick = code.replace("NAME", "hello").replace("PARK", "")
    for _ in range(3):
        assert client.response(begin_lua(client, quick)).text == "hello"


# Requests that never come whole.

def test_who_owes_bodies_gets_half_of_the_connections(held, start, connect):
    upstream, url = held
    edge = start(None, "--upstream", url, "--upstream-max-connections", "8",
                 "--upstream-max-failures", "1", "--upstream-connect-timeout", "2")
    attackers = [connect(edge.http) for _ in range(2)]
    streams = [(client, client.request("/", "POST", [("content-length", "10")], end=False))
               for client in attackers for _ in range(20)]
    for client, stream in streams:
        client.send(stream, b"x")
    until(lambda: upstream.count == 4)
    for _ in range(20):
        assert ask(edge.http, "/") == (200, b"hello")
    assert upstream.count == 4
    # What has waited too long for its client's share is no fault of the upstream.
    until(lambda: sum(client.so_far(stream).over for client, stream in streams) == 36, attackers)
    assert "status=503" in edge.lines("upstream busy")[0]
    assert not edge.lines("upstream (failed|left out)")
    served = 0
    for client, stream in streams:
        client.ping()
        if not client.so_far(stream).over:
            client.send(stream, b"x" * 9, end=True)
            assert client.response(stream).text == "hello"
            served += 1
    assert served == 4


def test_the_share_can_be_set(held, start, connect):
    upstream, url = held
    edge = start(None, "--upstream", url, "--upstream-max-connections", "8",
                 "--upstream-max-each", "3", "--upstream-max-waiting", "10")
    client = connect(edge.http)
    streams = [client.request("/", "POST", body=b"x", end=False) for _ in range(20)]
    # Three are with the upstream, as many wait as may, and the others are refused.
    until(lambda: upstream.count == 3)
    for stream in streams[13:]:
        assert client.response(stream).status == 503
    for stream in streams[:13]:
        client.send(stream, end=True)
    assert [client.response(stream).text for stream in streams[:13]] == ["hello"] * 13
    assert ask(edge.http, "/") == (200, b"hello")


def test_a_connection_is_taken_with_the_body(held, start, connect):
    upstream, url = held
    edge = start({"hello.lua": HELLO}, "--upstream", f"/up/={url}")
    client = connect(edge.http)
    stream = client.request("/up/", "POST", [("content-length", "2")], end=False)
    began = time.monotonic()
    until(lambda: upstream.count == 1)
    assert time.monotonic() - began > 0.9
    other = client.request("/up/", "POST", [("content-length", "2")], end=False)
    client.send(other, b"x")
    until(lambda: upstream.count == 2)
    for one, rest in ((stream, b"xx"), (other, b"x")):
        client.send(one, rest, end=True)
        assert client.response(one).text == "hello"


@pytest.mark.parametrize("case", ["gRPC", "expectation", "HTTP/2"])
def test_some_requests_go_up_at_once(upstream, start, connect, http1, case):
    """Before a client that waits for an answer to its head could do anything else: that takes less
    than the second, in the best of some tries."""
    def serve(connection):
        while request := connection.head():
            connection.write(b"HTTP/1.1 100 Continue\r\n\r\n" if case == "expectation" else
                             b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
            connection.body(request)
            connection.write(response(b"hello"))

    def on_event(_, h2, event):
        if type(event).__name__ == "RequestReceived":
            h2.send_headers(event.stream_id, [(":status", "103"), ("link", "x")])
        if type(event).__name__ == "StreamEnded":
            h2.send_headers(event.stream_id, [(":status", "200")])
            h2.send_data(event.stream_id, b"hello", end_stream=True)

    url = upstream(on_event, Http2Upstream).h2c if case == "HTTP/2" else upstream(serve).url
    fields = {"gRPC": [("content-type", "application/grpc")], "HTTP/2": [],
              "expectation": [("expect", "100-continue"), ("content-length", "1")]}[case]
    edge = start(None, "--upstream", url)
    client = (http1 if case == "expectation" else connect)(edge.http)
    times = []
    for _ in range(5):
        began = time.monotonic()
        stream = client.request("/", "POST", headers=fields, end=False)
        client.wait(lambda stream=stream: client.so_far(stream).informs)
        times.append(time.monotonic() - began)
        client.send(stream, b"x", end=True)
        assert client.response(stream).text == "hello"
    assert min(times) < 0.9


def test_waiting_in_our_own_queue_is_told_as_such(upstream, start, connect):
    def serve(connection):
        connection.request()
        connection.socket.recv(1)

    url = upstream(serve).url
    edge = start({"index.lua": RUN}, "--upstream", f"/up/={url}", "--upstream-max-connections", "1",
                 "--upstream-max-failures", "1", "--upstream-connect-timeout", "0.3")
    client = connect(edge.http)
    first = client.request("/up/")
    assert client.fetch("/up/").status == 503
    line, = edge.lines("upstream busy")
    assert "status=503" in line and "in use" in line
    assert not edge.lines("upstream (failed|left out)")
    client.reset(first)
