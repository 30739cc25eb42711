"""The scripts that a newcomer meets first."""
import re
import zlib

import pytest

from client import Client
from server import ROOT

LINES = bytes(range(256)) * 1200  # more than any window


@pytest.fixture
def client(demo, connect):
    return connect(demo.https)


def test_index_lists_every_script(demo, connect):
    for url in demo.urls:
        page = connect(url).fetch("/")
        assert page.header("content-type") == "text/html; charset=utf-8"
        for script in (ROOT / "scripts").glob("*.lua"):
            path = {"greeter": "helloworld.Greeter/SayHello"}.get(script.stem, script.stem)
            assert script.stem == "index" or f"{url}/{path}" in page.text


def test_the_greeter_answers_json(demo, connect, http1):
    for client in connect(demo.https), connect(demo.http), http1(demo.http):
        response = client.fetch("/helloworld.Greeter/SayHello", "POST", body=b'{"name":"moon"}',
                                headers=[("content-type", "application/json")])
        assert (response.status, response.text) == (200, '{"message":"Hello moon"}')


def test_index_escapes_what_the_client_says(client):
    client.url = client.url._replace(netloc="it's&co")
    assert "https://it&#39;s&#38;co/hello" in client.fetch("/").text


def test_hello(client):
    response = client.fetch("/hello")
    assert response.text == "Hello world\n"
    assert response.header("trailer") == "trailername"
    assert response.trailers == [("trailername", "TrailerValue")]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("body", [b"", b"123456789", LINES], ids=len)
def test_echo_gives_body_and_crc(client, method, body):
    response = client.fetch("/echo", method, body=body)
    assert response.body == body
    assert response.header("trailer") == "x-crc32"
    assert response.trailers == [("x-crc32", f"{zlib.crc32(body):08x}")]


def test_echo_answers_each_piece_at_once(client):
    stream = client.request("/echo", "POST", end=False)
    expected = b""
    for piece in (b"one", b"two", b"three"):
        client.send(stream, piece)
        expected += piece
        client.wait(lambda: client.so_far(stream).body == expected)
    client.send(stream, end=True)
    assert client.response(stream).trailers == [("x-crc32", f"{zlib.crc32(expected):08x}")]


def test_echo_has_no_get(client):
    response = client.fetch("/echo")
    assert (response.status, response.header("allow")) == (405, "POST, PUT, OPTIONS")


@pytest.mark.parametrize("query, code", [
    ("", 8), ("?code=2", 2), ("?code=INTERNAL_ERROR", 2), ("?a=b&code=0x7", 7),
    ("?code=4294967295", 4294967295)])
def test_reset_gives_the_code(client, query, code):
    response = client.fetch("/reset" + query)
    assert (response.reset, response.headers) == (code, None)


@pytest.mark.parametrize("query", ["?code=", "?code=NO_SUCH", "?code=-1", "?code=4294967296",
                                   "?code=1.5"])
def test_reset_explains_a_bad_code(client, query):
    response = client.fetch("/reset" + query)
    assert response.status == 400
    assert response.text == "code is a number up to 4294967295, or a name such as INTERNAL_ERROR\n"


def test_clock_sends_as_many_events_as_asked(client):
    response = client.fetch("/clock?n=2")
    assert response.header("content-type") == "text/event-stream"
    assert re.fullmatch(r"(id: [12]\ndata: \d\d:\d\d:\d\d UTC\n\n){2}", response.text)


def test_clock_ends_when_the_client_goes(demo):
    since = len(demo.log)
    with Client(demo.https) as client:
        stream = client.request("/clock")
        client.wait(lambda: client.so_far(stream).body)
        client.reset(stream)
        port = client.socket.getsockname()[1]
        conn = demo.wait_for(rf"opened conn=(\d+) remote=127.0.0.1:{port}$", since=since)[1]
        demo.wait_for(f'handler stopped conn={conn} stream=1 error="request aborted: CANCEL"')
