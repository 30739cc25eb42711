"""Answers that come before the request has gone up, from servers that then close: they lie in the
socket when a send fails, and are read."""
import socket
import ssl
import struct
import threading

import pytest

from handlers import RUN, run_lua
from upstreams import Http2Upstream, response

TOO_LARGE = response(b"big", "413 Content Too Large", "connection: close")

# Blocks the worker, so that the other server's end is there before the next bytes go out.
BLOCK = """
    return function(ctx)
        local over = os.clock() + 0.3
        while os.clock() < over do end
        ctx:text("blocked")
    end"""


def reset_after(connection, answer):
    """Says the answer, and closes with the rest of the request unread: a reset follows."""
    connection.write(answer)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Early:
    """Answers each request once it is told to, from its head alone."""

    def __init__(self):
        self.told, self.heads = threading.Event(), threading.Semaphore(0)

    def serve_1(self, connection):
        connection.head()
        self.heads.release()
        self.told.wait(30)
        connection.write(TOO_LARGE)
        connection.close()

    def serve_2(self, connection, h2, event):
        if type(event).__name__ != "RequestReceived":
            return
        self.heads.release()
        self.told.wait(30)
        h2.send_headers(event.stream_id, [(":status", "413")])
        h2.send_data(event.stream_id, b"big", end_stream=True)
        h2.close_connection(last_stream_id=event.stream_id)
        connection.write(h2.data_to_send())
        connection.socket.shutdown(socket.SHUT_WR)
        connection.close()
        raise OSError


@pytest.fixture
def tls(local_certificate):
    """What a server that agrees on a protocol alone speaks TLS by."""
    def agreeing_on(protocol):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(local_certificate.cert, local_certificate.key)
        context.set_alpn_protocols([protocol])
        return context

    return agreeing_on


@pytest.fixture(params=["http", "h2c", "https of HTTP/1.1", "https of HTTP/2"])
def early(request, upstream, tls):
    """An upstream, and its URL."""
    made = Early()
    if request.param == "http":
        return made, upstream(made.serve_1).url
    if request.param == "h2c":
        return made, upstream(made.serve_2, Http2Upstream).h2c
    if request.param == "https of HTTP/1.1":
        return made, upstream(made.serve_1, tls=tls("http/1.1")).url
    return made, upstream(made.serve_2, Http2Upstream, tls=tls("h2")).url


def test_the_proxy_passes_it_on(early, start, connect, local_certificate):
    made, url = early
    server = start({"block.lua": BLOCK}, "--max-cpu", "5", "--upstream", f"/up/={url}",
                   "--upstream-max-failures", "1", "--upstream-ca", local_certificate.cert)
    client, other = connect(server.http), connect(server.http)
    stream = client.request("/up/", "POST", end=False)
    client.send(stream, bytes(1000))
    assert made.heads.acquire(timeout=30)
    blocked = other.request("/block")
    made.told.set()
    client.send(stream, bytes(1000))
    assert other.response(blocked).text == "blocked"
    while not client.so_far(stream).over:
        client.send(stream, bytes(1000))
        client.ping()
    got = client.so_far(stream)
    assert (got.status, got.text) == (413, "big")
    assert not server.lines("upstream failed") and not server.lines("upstream left out")


def test_a_script_gets_it_between_two_writes(early, start, connect):
    made, url = early
    made.told.set()
    client = connect(start({"index.lua": RUN}, "--max-cpu", "5").http)
    got = run_lua(client, """
        local call = mt.http.open { url = "URL/", method = "POST", verify = false }
        call:write(("x"):rep(1000))

        mt.sleep(0.1)
        local over = os.clock() + 0.2
        while os.clock() < over do end
        pcall(call.write, call, ("x"):rep(100000))
        pcall(call.finish, call)
        local body = call:body()
        return call.status, body""".replace("URL", url))
    assert got.text == "413|big"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_large_upload_gets_it(upstream, start, connect, tls, local_certificate, scheme):
    """However the bytes of both directions cross."""
    def serve(connection):
        connection.socket.recv(65536)
        connection.write(TOO_LARGE)
        connection.close()

    url = upstream(serve, tls=tls("http/1.1") if scheme == "https" else None).url
    server = start({"index.lua": RUN}, "--max-cpu", "5", "--upstream", f"/up/={url}",
                   "--upstream-max-failures", "1", "--upstream-ca", local_certificate.cert)
    client = connect(server.http)
    got = run_lua(client, """
        local seen = {}
        for i = 1, 10 do
            local r = mt.http.post("URL/", ("x"):rep(4000000), { verify = false })
            seen[r.status .. r:body()] = true
        end
        local only = next(seen)
        return only, next(seen, only)""".replace("URL", url))
    assert got.text == "413big|nil"
    for _ in range(10):
        with_body = client.request("/up/", "POST", end=False)
        while not client.so_far(with_body).over:
            client.send(with_body, bytes(16000))
            client.ping()
        assert client.so_far(with_body).status == 413
    assert not server.lines("upstream failed")


def test_a_response_that_ends_with_the_connection_is_cut_by_a_reset(upstream, start, connect):
    """Without a length nobody knows whether it is whole (RFC 9112 8)."""
    def serve(connection):
        connection.head()
        reset_after(connection, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\npart")

    client = connect(start(None, "--upstream", upstream(serve).url).http)
    stream = client.request("/", "POST", end=False)
    while not client.so_far(stream).over:
        client.send(stream, bytes(16000))
        client.ping()
    assert not client.so_far(stream).ended
