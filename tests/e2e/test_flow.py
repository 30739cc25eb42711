"""HTTP/2 beyond a request and its answer: what flows, in which order, and what stops it."""
import signal
import time

import pytest

from attacker import Attacker, block, headers, request, upload_all
from handlers import DRIP, ECHO, INFORM, PARK, SIZE
from rawframes import (CANCEL, INITIAL_WINDOW_SIZE, NO_ERROR, data, error_code, frame,
                       read_settings, reset, window_update)

LAST = 2 ** 31 - 1
MANY = 2 ** 31 - 1

SCRIPTS = {
    "hello.lua": """
        return function(ctx) ctx:text("hello\\n") end""",
    "inform.lua": INFORM,
    "trailers.lua": """
        return function(ctx)
            local body = ctx:body()
            ctx:text(body .. " " .. ctx:request_trailers()["x-sum"])
        end""",
    "status/[code].lua": """
        return function(ctx)
            ctx:status(math.tointeger(ctx.params.code))
            ctx:write("never", "sent")
            if ctx.method == "HEAD" then ctx:append_trailer("never", "sent") end
        end""",
    "echo.lua": ECHO,
    "size.lua": SIZE,
    "early.lua": """
        return function(ctx) ctx:text("enough") end""",
    "park.lua": PARK,
    "drip.lua": DRIP,
    "big.lua": """
        local piece = ("x"):rep(16384)
        return function(ctx)
            for _ = 1, tonumber(ctx.query) do ctx:write(piece) end
        end""",
}


@pytest.fixture
def raw(server):
    """Opens connections without a mind of their own."""
    opened = []

    def open_one(*settings, url=None):
        opened.append(Attacker(url or server.http, *settings))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close()


def kinds(client, stream):
    """The frames received on a stream, but for those of flow control."""
    return [str(f) for f in client.frames if f.stream == stream and f.type != "WINDOW_UPDATE"]


# Heads and ends.

def test_settings_are_announced(raw):
    client = raw()
    client.settle()
    assert read_settings(client.of_type("SETTINGS")[0]) == {3: 128, 4: 65536, 6: 65536, 9: 1}


def test_interim_responses_come_first_and_at_once(raw):
    client = raw()
    client.send(request(1, "/inform", "POST", end=False))
    client.wait(lambda: len(client.heads(1)) == 2)
    assert [(h[":status"], h["link"]) for h in client.heads(1)] == [
        ("103", "</style.css>; rel=preload"), ("103", "</code.js>; rel=preload")]
    client.send(data(1, b"", end=True))
    client.wait_end(1)
    assert client.heads(1)[2][":status"] == "200"
    assert kinds(client, 1) == ["HEADERS", "HEADERS", "HEADERS", "DATA END_STREAM"]


def test_request_trailers(raw):
    client = raw()
    client.send(request(1, "/trailers", "POST", end=False), data(1, b"body"),
                headers(1, block(("x-sum", "42"))))
    client.wait_end(1)
    assert client.body(1) == b"body 42"


@pytest.mark.parametrize("method, code", [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_no_body_where_there_is_none(raw, method, code):
    client = raw()
    client.send(request(1, f"/status/{code}", method))
    client.wait_end(1)
    assert client.heads(1)[0][":status"] == str(code)
    assert kinds(client, 1) == ["HEADERS END_STREAM"]


def test_early_answer_ends_the_upload(raw):
    """END_STREAM, and then RST_STREAM NO_ERROR; what is still under way is ignored."""
    client = raw()
    client.send(request(1, "/early", "POST", end=False), data(1, bytes(1000)))
    assert client.reset_code(1) == NO_ERROR
    assert kinds(client, 1) == ["HEADERS", "DATA END_STREAM", "RST_STREAM"]
    client.send(data(1, bytes(1000)), data(1, b"", end=True))
    client.send(request(3))
    client.wait_end(3)
    assert not client.is_over()


# Both directions.

def test_turns_in_both_directions(raw):
    client = raw()
    client.send(request(1, "/echo", "POST", end=False))
    said = b""
    for turn in range(20):
        said += b"turn %d, " % turn
        client.send(data(1, b"turn %d, " % turn))
        assert client.wait(lambda: client.body(1) == said)
    client.send(data(1, b"", end=True))
    client.wait_end(1)


def test_both_directions_at_once(client):
    text = bytes(range(256)) * 16384
    response = client.fetch("/echo", "POST", body=text)
    assert response.body == text


# Uploads that nobody reads.

def test_unread_upload_holds_up_no_other(raw):
    client = raw()
    client.send(request(1, "/park", "POST", end=False), *[data(1, bytes(16384))] * 4)
    client.send(request(3, "/size", "POST", end=False))
    sent = 65536
    for _ in range(64):
        client.wait(lambda: min(client.credit(0) + 65535, client.credit(3) + 65536 * 2) - sent
                    >= 16384)
        client.send(data(3, bytes(16384)))
        sent += 16384
    client.send(data(3, b"", end=True))
    client.wait_end(3)
    assert client.body(3) == b"1048576"


def test_unread_uploads_are_bounded_by_their_streams(raw):
    """Each by its own window: the connection's credit comes back at once, so that none holds up another."""
    client = raw()
    numbers, sent = upload_all(client, "/park", 100)
    assert 1 << 20 <= sent <= 100 * 65536
    assert client.wait(lambda: client.credit(0) + 65535 - sent >= 1 << 19, 5)
    client.send(*map(reset, numbers))
    assert not client.is_over()


# Timeouts.

def test_request_timeout(start, raw):
    server = start(SCRIPTS, "--request-timeout", 1)
    client = raw(url=server.http)
    began = time.monotonic()
    client.send(request(1, "/park"), request(3, "/drip"))
    assert client.status(1) == 504
    assert time.monotonic() - began >= 1
    assert client.reset_code(3) == CANCEL
    assert kinds(client, 3) == ["HEADERS", "DATA", "RST_STREAM"]
    for stream in (1, 3):
        server.wait_for(f"stream timed out limit=request-timeout .*stream={stream} ")


def test_body_timeout(start, raw):
    server = start(SCRIPTS, "--body-timeout", 1)
    client = raw(url=server.http)
    began = time.monotonic()
    client.send(request(1, "/size", "POST", end=False),
                request(3, "/echo", "POST", end=False), data(3, b"piece"),
                request(5, "/park", "POST", end=False))
    assert client.status(1) == 408
    assert time.monotonic() - began >= 1
    assert client.reset_code(3) == CANCEL
    assert kinds(client, 3) == ["HEADERS", "DATA", "RST_STREAM"]
    for stream in (1, 3):
        server.wait_for(f"stream timed out limit=body-timeout .*stream={stream} ")
    assert kinds(client, 5) == []


# The end of the server.

def goaways(client):
    return [(int.from_bytes(f.payload[:4], "big"), error_code(f))
            for f in client.of_type("GOAWAY")]


def test_goaway_in_two_steps(start, raw):
    server = start(SCRIPTS)
    client = raw(url=server.http)
    client.send(request(1, "/echo", "POST", end=False), data(1, b"begun"))
    client.wait(lambda: client.body(1) == b"begun")
    server.signal(signal.SIGTERM)
    client.wait(lambda: goaways(client))
    assert goaways(client) == [(LAST, NO_ERROR)]
    client.send(request(3))
    client.wait_end(3)
    client.wait(lambda: len(goaways(client)) == 2)
    assert goaways(client)[1] == (3, NO_ERROR)
    client.send(request(5), data(1, b" and done", end=True))
    client.wait_end(1)
    assert client.body(1) == b"begun and done"
    assert client.wait_closed()
    client.close()
    assert client.heads(3)[0][":status"] == "200" and not client.heads(5)
    assert server.wait() == 0


# Priority.

def download_both(raw, *priorities):
    """Begins downloads on streams 1 and 3, by the connection's window of 65535 bytes."""
    client = raw((INITIAL_WINDOW_SIZE, MANY))
    client.granted = 65535
    client.send(*[request(stream, "/big?16", "GET", ("priority", priority))
                  for stream, priority in zip((1, 3), priorities)])
    return client


def order(client, most=40):
    """Opens the connection's window bit by bit; the streams whose DATA came, one for each frame."""
    def is_used_up():
        return sum(len(f.payload) for f in client.of_type("DATA")) == client.granted

    for _ in range(most):
        client.send(window_update(0, 16384))
        client.granted += 16384
        assert client.wait(lambda: is_used_up() or client.has_ended(1) and client.has_ended(3))
    return [f.stream for f in client.of_type("DATA")]


def reprioritize(stream, priority):
    return frame(0x10, 0, 0, stream.to_bytes(4, "big") + priority)


def test_urgent_response_goes_first(raw):
    client = download_both(raw, "u=7", "u=0")
    came = order(client)
    assert came.count(1) == came.count(3) and came == sorted(came, reverse=True), came


def test_responses_of_one_urgency_go_one_by_one(raw):
    client = download_both(raw, "u=3", "u=3")
    came = order(client)
    assert came == sorted(came), came


def test_incremental_responses_take_turns(raw):
    client = download_both(raw, "u=3, i", "u=3, i")
    came = order(client)
    assert abs(came[:10].count(1) - 5) <= 1, came


def test_priority_update_changes_the_order(raw):
    client = download_both(raw, "u=2", "u=5")
    assert set(order(client, most=4)) == {1}
    client.send(reprioritize(3, b"u=1"))
    came = order(client)
    first = came.index(3)
    assert first < 16 and came[first:first + 16] == [3] * 16, came
