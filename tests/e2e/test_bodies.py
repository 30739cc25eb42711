"""Bodies of requests and responses."""
import pytest

from handlers import HEADERS, PIECES, STATUS

SCRIPTS = {
    "echo.lua": """
        return function(ctx)
            ctx:text(ctx:body())
        end""",
    "limited.lua": """
        return function(ctx)
            ctx:text(ctx:body(10))
        end""",
    "pieces.lua": PIECES,
    "large.lua": """
        local line = ("0123456789abcdef"):rep(625)
        return function(ctx)
            for _ = 1, 500 do
                ctx:write(line)
            end
        end""",
    "unread.lua": """
        local mt = require "moontrail"
        return function(ctx)
            ctx:flush()
            mt.sleep(3600)
        end""",
    "status/[code].lua": STATUS,
    "empty.lua": "return function() end",
    "json.lua": """
        return { POST = function(ctx)
            ctx:header("content-type", "application/problem+json")
            ctx:json { is = ctx.headers["content-type"] }
        end }""",
    "short.lua": """
        return function(ctx)
            ctx:header("content-length", 10)
            ctx:write("short")
        end""",
    "headers.lua": HEADERS,
}

SIZES = [0, 1, 16384, 65535, 65536, 1 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_a_body_comes_back(client, size):
    body = (b"0123456789" * (size // 10 + 1))[:size]
    response = client.fetch("/echo", "POST", body=body)
    assert response.body == body


def test_a_body_over_the_default_limit(client):
    response = client.fetch("/echo", "POST", body=b"x" * ((1 << 20) + 1))
    assert (response.status, response.text) == (413, "Content Too Large\n")


@pytest.mark.parametrize("size, status", [(10, 200), (11, 413)])
def test_a_body_at_the_handlers_limit(client, size, status):
    assert client.fetch("/limited", "POST", body=b"x" * size).status == status


def test_read_takes_at_most_what_is_asked(client):
    assert client.fetch("/pieces", "POST", body=b"x" * 8).text == "3 3 2"


def test_a_large_response_waits_for_a_slow_reader(client):
    client.reading = False
    stream = client.request("/large")
    response = client.so_far(stream)
    client.wait(lambda: len(response.body) == 65535)
    client.ping()
    assert len(response.body) == 65535
    client.reading = True
    client.h2.increment_flow_control_window(65535, stream)
    client.flush()
    client.wait(lambda: response.over)
    assert response.body == b"0123456789abcdef" * (625 * 500)


def test_an_upload_that_nobody_reads_holds_up_no_other(client):
    stream = client.request("/unread", "POST", end=False)
    client.send(stream, b"x" * 65535)
    assert client.fetch("/echo", "POST", body=b"y" * 300000).body == b"y" * 300000


def test_head_is_like_get_without_the_body(client):
    stream = client.request("/status/200", "HEAD")
    response = client.response(stream)
    assert (response.header("content-length"), response.header("x-method")) == ("9", "HEAD")
    assert client.frames(stream) == ["HEADERS END_STREAM"]


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_content(client, status):
    stream = client.request(f"/status/{status}")
    response = client.response(stream)
    assert (response.status, response.header("content-length")) == (status, None)
    assert client.frames(stream) == ["HEADERS END_STREAM"]


def test_a_handler_that_does_nothing(client):
    stream = client.request("/empty")
    response = client.response(stream)
    assert (response.status, response.header("content-length")) == (200, "0")
    assert client.frames(stream) == ["HEADERS END_STREAM"]


def test_json(client):
    response = client.fetch("/json", "POST", headers=[("content-type", "text/x")], body=b"x")
    assert response.header("content-type") == "application/problem+json"
    assert response.text == '{"is":"text/x"}'


def test_less_than_content_length_says_is_an_error(server, client):
    assert client.fetch("/short").status == 500
    server.wait_for(r'handler failed .*"less is written than content-length says"')


def test_headers(client):
    response = client.fetch("/headers", headers=[("x-two", "1"), ("x-two", "2"), ("cookie", "a=1"),
                                                 ("cookie", "b=2")])
    assert response.text == "1, 2|a=1; b=2"
    assert sorted(h for h in response.headers if h[0].startswith("x-")) == [
        ("x-added", "a"), ("x-added", "b"), ("x-number", "7"), ("x-set", "once")]
