"""Frames under way to a stream that the server has just closed: they are never punished, and the
connection goes on. Limits hold for them too."""
import time

import pytest

from rawframes import (
    CANCEL, EACH, END_HEADERS, END_STREAM, JOINED, MAX_CONCURRENT_STREAMS, NO_ERROR, PREFACE,
    PROTOCOL_ERROR, REFUSED_STREAM, RawClient, data, error_code, frame, ping, priority,
    read_settings, reset, settings, window_update)
from server import ROOT, Server

STREAM = 1
NEXT = 4001  # a stream above all others
ENHANCE_YOUR_CALM = 0xB


def begin(c, path="/", stream=STREAM, extra=()):
    """A request whose body is to come."""
    block = c.block(c.request("POST", path) + list(extra))
    c.write(frame("HEADERS", END_HEADERS, stream, block))


# Ways in which the server closes STREAM, before the client has ended its request.

def is_reset_with(code, stream=STREAM):
    return lambda event: (event.type == "RST_STREAM" and event.stream == stream and
                          error_code(event) == code)


def reset_by_handler(c):
    begin(c, "/reset")
    return is_reset_with(CANCEL)


def early_response(c):
    begin(c)
    return lambda event: event.type == "DATA" and event.flags & END_STREAM


def reset_after_early_response(c):
    begin(c)
    return is_reset_with(NO_ERROR)


def malformed(c):
    begin(c, extra=[("Upper", "case")])
    return is_reset_with(PROTOCOL_ERROR)


def header_too_large(c):
    begin(c, extra=[(f"x-{i}", "") for i in range(200)])
    return is_reset_with(NO_ERROR)


CLOSINGS = [reset_by_handler, early_response, reset_after_early_response, malformed,
            header_too_large]


# What was under way.

def trailers(c, stream=STREAM, flags=END_HEADERS | END_STREAM):
    c.write(frame("HEADERS", flags, stream, c.block([("x-late", "trailer")])))


def long_trailers(c, stream=STREAM):
    trailers(c, stream, END_STREAM)
    c.write(frame("CONTINUATION", 0, stream, c.block([("x-late", "too")])))
    c.write(frame("CONTINUATION", END_HEADERS, stream, c.block([("x-late", "and last")])))


LATE = {
    "DATA": lambda c: c.write(data()),
    "last DATA": lambda c: c.write(data(end=True)),
    "empty DATA": lambda c: c.write(data(payload=b"", end=True)),
    "padded DATA": lambda c: c.write(data(padding=100)),
    "largest DATA": lambda c: [c.write(data(payload=bytes(16384))) for _ in range(3)],
    "WINDOW_UPDATE": lambda c: c.write(window_update(STREAM, 1000)),
    "RST_STREAM": lambda c: c.write(reset(STREAM)),
    "PRIORITY": lambda c: c.write(priority(STREAM)),
    "PRIORITY_UPDATE": lambda c: c.write(frame(0x10, 0, 0, STREAM.to_bytes(4, "big") + b"u=1")),
    "trailers": trailers,
    "long trailers": long_trailers,
    "all": lambda c: (c.write(data()), c.write(window_update(STREAM, 1)), trailers(c),
                      c.write(window_update(STREAM, 1)), c.write(reset(STREAM))),
}


def assert_goes_on(c, stream=NEXT):
    """The server answers another request, whose header needs the fields sent before."""
    block = c.block(c.request() + [("x-late", "trailer")])
    c.write(frame("HEADERS", END_HEADERS | END_STREAM, stream, block))
    c.find(lambda event: event.type == "DATA" and event.stream == stream and
           event.flags & END_STREAM)
    c.write(ping())
    c.find_type("PING")
    assert not any(event.type == "GOAWAY" for event in c.received)


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("closing", CLOSINGS)
def test_after_it_was_closed(demo, closing, late):
    with RawClient(demo.https) as c:
        c.shake_hands()
        c.find(closing(c))
        LATE[late](c)
        assert_goes_on(c)


@pytest.mark.parametrize("pace", [EACH, JOINED])
@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("closing", CLOSINGS)
def test_while_it_is_closed(demo, closing, late, pace):
    with RawClient(demo.https, pace) as c:
        c.shake_hands()
        closing(c)
        LATE[late](c)
        assert_goes_on(c)


@pytest.mark.parametrize("late", ["WINDOW_UPDATE", "RST_STREAM", "PRIORITY", "PRIORITY_UPDATE"])
def test_after_both_have_ended(demo, late):
    with RawClient(demo.https) as c:
        c.shake_hands()
        c.write(frame("HEADERS", END_HEADERS | END_STREAM, STREAM, c.block(c.request())))
        c.find(lambda event: event.type == "DATA" and event.flags & END_STREAM)
        LATE[late](c)
        assert_goes_on(c)


@pytest.mark.parametrize("pace", [EACH, JOINED])
def test_stream_that_is_refused(demo, pace):
    """A client that has not seen the limit yet opens one stream too many."""
    with RawClient(demo.https, pace) as c:
        c.write(PREFACE + settings())
        limit = read_settings(c.find_type("SETTINGS"))[MAX_CONCURRENT_STREAMS]
        for i in range(limit + 1):
            begin(c, "/echo", STREAM + 2 * i)
        over = STREAM + 2 * limit
        c.write(data(over))
        c.write(window_update(over, 1))
        trailers(c, over)
        c.write(reset(over))
        c.write(reset(STREAM))
        assert_goes_on(c)
        assert any(map(is_reset_with(REFUSED_STREAM, over), c.received))


def window(c):
    """The connection's, as the server's WINDOW_UPDATEs have it."""
    return 65535 + sum(int.from_bytes(event.payload, "big") for event in c.received
                       if event.type == "WINDOW_UPDATE" and event.stream == 0)


@pytest.mark.parametrize("closing", [reset_by_handler, early_response])
def test_credit_for_what_was_discarded_is_given_back(demo, closing):
    """Three connection windows of DATA, none of it read."""
    with RawClient(demo.https, JOINED) as c:
        c.shake_hands()
        c.write(window_update(0, 1 << 20))
        sent = 0
        for stream in range(1, 101, 2):
            begin(c, "/reset" if closing == reset_by_handler else "/", stream)
            for _ in range(4):
                c.write(data(stream, bytes(16000)))
            sent += 4 * 16000
            assert sent <= window(c)
            c.write(ping())
            c.find_type("PING")
        assert sent > 3 << 20
        assert_goes_on(c)


# Limits and rules are for frames on closed streams as for others.

def closed_stream(c):
    c.shake_hands()
    c.find(reset_by_handler(c))


def assert_calmed(c):
    assert error_code(c.find_type("GOAWAY")) == ENHANCE_YOUR_CALM
    c.find_type("CLOSED")


FLOODS = {
    "empty DATA": data(STREAM, b""),
    "unknown frames": frame(0x42, 0, STREAM, b"unknown"),
    "PRIORITY": priority(STREAM),
    "WINDOW_UPDATE": window_update(STREAM, 1),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_flood_on_a_closed_stream(demo, kind):
    with RawClient(demo.https) as c:
        closed_stream(c)
        c.write(FLOODS[kind] * 1500)
        assert_calmed(c)


def test_endless_trailers_on_a_closed_stream(demo):
    with RawClient(demo.https) as c:
        closed_stream(c)
        trailers(c, flags=END_STREAM)
        c.write(frame("CONTINUATION", 0, STREAM, c.block([("x", "y")])) * 20)
        assert_calmed(c)


@pytest.fixture(scope="module")
def hasty():
    """A server that gives a header block a second."""
    server = Server(ROOT / "scripts", "--header-timeout", "1")
    yield server
    server.stop()


def test_trailers_on_a_closed_stream_start_no_timeout(hasty):
    with RawClient(hasty.https) as c:
        closed_stream(c)
        trailers(c)
        time.sleep(3.2)
        assert_goes_on(c)


def test_trailers_that_stop_on_a_closed_stream_time_out(hasty):
    with RawClient(hasty.https) as c:
        closed_stream(c)
        trailers(c, flags=END_STREAM)
        time.sleep(1.5)  # longer than the client waits for an event
        assert_calmed(c)
