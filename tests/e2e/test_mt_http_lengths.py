"""mt.http: responses whose length is another than they say."""
import ssl

import pytest

from handlers import RUN, run_lua
from upstreams import Http2Upstream

SCRIPTS = {"index.lua": RUN}
SERVER_OPTIONS = ("--upstream-max-failures", "0")

WHOLE = """
    local r = mt.http.get("URL", { verify = false })
    local ok, body = pcall(r.body, r)
    return r.status, ok, ok and body or body.kind"""
PIECES = """
    local r = mt.http.get("URL", { verify = false })
    local read, ok, piece = {}, nil, nil
    repeat
        ok, piece = pcall(r.read, r)
        read[#read + 1] = ok and piece or nil
    until not ok or not piece
    return r.status, table.concat(read), ok or piece.kind"""


class Says:
    """Says a length, and sends some bytes of a body."""

    def __init__(self, length, body):
        self.length, self.body = length, body

    def serve_1(self, connection):
        while connection.request():
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {self.length}\r\n\r\n"
            connection.write(head.encode() + self.body)
            if len(self.body) < self.length:
                return

    def serve_2(self, _, h2, event):
        if type(event).__name__ == "RequestReceived":
            h2.send_headers(event.stream_id, [(":status", "200"),
                                              ("content-length", str(self.length))])
            h2.send_data(event.stream_id, self.body, end_stream=True)


@pytest.fixture(params=["http", "https", "h2c"])
def says(request, upstream, local_certificate):
    """Starts an upstream → it, its URL, and whether it is one of HTTP/2."""
    def start(length, body):
        made = Says(length, body)
        if request.param == "h2c":
            one = upstream(made.serve_2, Http2Upstream)
            return one, one.h2c, True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(local_certificate.cert, local_certificate.key)
        one = upstream(made.serve_1, tls=context if request.param == "https" else None)
        return one, one.url, False

    return start


def run(client, code, url):
    return run_lua(client, code.replace("URL", url)).text


@pytest.mark.parametrize("body", ["", "half"])
def test_one_that_is_cut_is_lost_and_over_http2_malformed(says, client, body):
    _, url, is_2 = says(10, body.encode())
    kind = "protocol" if is_2 else "lost"
    assert run(client, WHOLE, url) == f"200|false|{kind}"
    status, read, told = run(client, PIECES, url).split("|")
    assert (status, told) == ("200", kind) and body.startswith(read)


def test_one_that_goes_on_ends_at_its_length_and_over_http2_is_malformed(says, client):
    """Over HTTP/1.1 what is behind it is no response to the next request."""
    one, url, is_2 = says(4, b"mineHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nnot")
    for _ in range(3):
        assert run(client, WHOLE, url) == ("200|false|protocol" if is_2 else "200|true|mine")
        status, read, told = run(client, PIECES, url).split("|")
        assert (status, told) == ("200", "protocol" if is_2 else "true")
        assert "mine".startswith(read) if is_2 else read == "mine"
    assert one.connections == (1 if is_2 else 6)


def test_one_of_no_length_that_goes_on_is_empty_and_over_http2_malformed(says, client):
    _, url, is_2 = says(0, b"excess")
    assert run(client, WHOLE, url) == ("200|false|protocol" if is_2 else "200|true|")


@pytest.mark.parametrize("length", [10, 2])
def test_the_proxy_passes_no_more_on_and_no_less_as_whole(
        says, start, connect, http1, local_certificate, length):
    _, url, is_2 = says(length, b"half")
    server = start(None, "--upstream", url, "--upstream-max-failures", "0", "--upstream-ca",
                   local_certificate.cert)
    for other in (connect(server.https), http1(server.http)):
        got = other.fetch("/")
        if length == 2 and not is_2:
            assert (got.status, got.text, got.ended) == (200, "ha", True)
        else:  # if the head has gone on by then is up to the clock
            assert got.status == 502 or (not got.ended and "half".startswith(got.text))
            assert server.wait_for("upstream failed")
