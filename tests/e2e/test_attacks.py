"""Attacks by floods and by faults, in waves of connections, while a bystander goes on as if nothing
was."""
import itertools
import struct

import pytest

from attacker import ENHANCE_YOUR_CALM, block, fields_of, headers, request, streams
from handlers import PARK
from rawframes import (FRAME_SIZE_ERROR, INITIAL_WINDOW_SIZE, PROTOCOL_ERROR, STREAM_CLOSED, data,
                       frame, ping, priority, reset, settings, weight, window_update)

pytest_plugins = ["figures"]

MANY = 2 ** 31 - 1

SCRIPTS = {
    "hello.lua": """
        return function(ctx) ctx:text("hello\\n") end""",
    "park.lua": PARK,
    "sink.lua": """
        return function(ctx)
            repeat local piece = ctx:read() until not piece
        end""",
    "refuse.lua": """
        return function(ctx) ctx:reset("CANCEL") end""",
}


# Floods: frames without end, of which the server is to have enough at some point.

def rapid_resets(_):
    for stream in streams():
        yield request(stream)
        yield reset(stream)


def late_resets(_):
    """Resets of requests that run already."""
    for stream in streams():
        yield request(stream, "/park")
        if stream > 40:
            yield reset(stream - 40)


def pings(_):
    return itertools.repeat(ping())


def ping_answers(_):
    return itertools.repeat(ping(flags=1))


def empty_settings(_):
    return itertools.repeat(settings())


def full_settings(_):
    return itertools.repeat(settings(*[(INITIAL_WINDOW_SIZE, 65535 + i) for i in range(32)]))


def priorities(_):
    return (priority(stream, stream + 2) for stream in streams())


def priority_updates(_):
    for stream in itertools.cycle(range(1, 201, 2)):
        yield frame(0x10, 0, 0, struct.pack(">L", stream) + b"u=%d" % (stream % 8))


def unknown_types(_):
    return (frame(0x42, 0xff, n % 1000, b"what?") for n in itertools.count())


def resets_of_the_closed(attacker):
    attacker.send(request(1))
    attacker.wait(lambda: attacker.has_ended(1))
    return itertools.repeat(reset(1))


def window_updates(_):
    return itertools.repeat(window_update(0, 1))


def window_updates_of_a_stream(attacker):
    attacker.send(request(1, "/park"))
    return itertools.repeat(window_update(1, 1))


def window_updates_of_the_closed(attacker):
    attacker.send(request(1))
    attacker.wait(lambda: attacker.has_ended(1))
    return itertools.repeat(window_update(1, 1))


def empty_data(attacker):
    attacker.send(request(1, "/sink", "POST", end=False))
    return itertools.repeat(data(1, b""))


def padding_only(attacker):
    attacker.send(request(1, "/sink", "POST", end=False))
    return itertools.repeat(data(1, b"", padding=0))


def empty_data_of_the_closed(attacker):
    attacker.send(request(1, "/refuse", "POST", end=False))
    attacker.reset_code(1)
    return itertools.repeat(data(1, b""))


def continuations(_):
    yield headers(1, block(*fields_of()), last=False)
    yield from itertools.repeat(frame("CONTINUATION", 0, 1, block(("x-more", "x" * 1000))))


def empty_continuations(_):
    yield headers(1, block(*fields_of()), last=False)
    yield from itertools.repeat(frame("CONTINUATION", 0, 1))


def tiny_blocks(_):
    """Requests of which each comes in as many frames as may be."""
    for stream in streams():
        yield headers(stream, b"", last=False)
        yield from itertools.repeat(frame("CONTINUATION", 0, stream), 6)
        yield frame("CONTINUATION", 4, stream, block(*fields_of()))


FLOODS = {
    "rapid reset": (rapid_resets, "max-resets"),
    "rapid reset of running requests": (late_resets, "max-resets"),
    "PING": (pings, "max-control-frames"),
    "PING answers": (ping_answers, "max-control-frames"),
    "SETTINGS, empty": (empty_settings, "max-control-frames"),
    "SETTINGS, 32 entries": (full_settings, "max-control-frames"),
    "PRIORITY": (priorities, "max-control-frames"),
    "PRIORITY_UPDATE": (priority_updates, "max-control-frames"),
    "unknown frame type": (unknown_types, "max-control-frames"),
    "RST_STREAM on a closed stream": (resets_of_the_closed, "max-control-frames"),
    "WINDOW_UPDATE": (window_updates, "max-window-updates"),
    "WINDOW_UPDATE on a stream": (window_updates_of_a_stream, "max-window-updates"),
    "WINDOW_UPDATE on a closed stream": (window_updates_of_the_closed, "max-window-updates"),
    "empty DATA": (empty_data, "max-empty-frames"),
    "DATA with padding only": (padding_only, "max-empty-frames"),
    "empty DATA on a closed stream": (empty_data_of_the_closed, "max-empty-frames"),
    "CONTINUATION": (continuations, "max-continuations"),
    "CONTINUATION, empty": (empty_continuations, "max-continuations"),
    "CONTINUATION, seven each": (tiny_blocks, "max-empty-frames"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood(siege, name):
    frames, limit = FLOODS[name]
    with siege(name) as s:
        for attacker in s.waves():
            attacker.flood(frames(attacker))
            s.expect_end(attacker, ENHANCE_YOUR_CALM, f"limit reached limit={limit}")


# Made you reset: ways to make the server reset a stream. Each gives the frames for one stream.

def open_stream(stream):
    return request(stream, "/park", "POST", end=False)


def with_length(stream, length):
    return request(stream, "/sink", "POST", ("content-length", str(length)), end=False)


FAULTS = {
    "window overflow": lambda n: [open_stream(n), window_update(n, MANY)],
    "more than content-length": lambda n: [with_length(n, 1), data(n, b"xy")],
    "less than content-length": lambda n: [with_length(n, 2), data(n, b"x", end=True)],
    "field in upper case": lambda n: [request(n, "/hello", "GET", ("X-Upper", "x"))],
    "empty HEADERS": lambda n: [headers(n, b"")],
    "connection field": lambda n: [request(n, "/hello", "GET", ("connection", "close"))],
    "no :path": lambda n: [headers(n, block(*fields_of()[:3]))],
    "trailers that end nothing": lambda n: [open_stream(n), headers(n, block(("x", "y")), False)],
    "more than the window": lambda n: [open_stream(n), *[data(n, bytes(16384))] * 4, data(n, b"x")],
}

# Those that break the connection's state instead, which ends it at once.
REASON = "connection error|frame after the stream's end|priority refused"
BREACHES = {
    "WINDOW_UPDATE of 0": (PROTOCOL_ERROR, lambda n: [open_stream(n), window_update(n, 0)]),
    "SETTINGS answers": (PROTOCOL_ERROR, lambda n: [frame("SETTINGS", 1)]),
    "half-closed DATA": (STREAM_CLOSED, lambda n: [request(n, "/park"), data(n)]),
    "half-closed HEADERS": (STREAM_CLOSED, lambda n: [request(n, "/park"), request(n)]),
    "priority on itself": (PROTOCOL_ERROR, lambda n: [open_stream(n), priority(n, n)]),
    "HEADERS on itself": (PROTOCOL_ERROR, lambda n: [
        frame("HEADERS", 0x25, n, weight(n) + block(*fields_of()))]),
    "PRIORITY cut short": (FRAME_SIZE_ERROR, lambda n: [
        open_stream(n), frame("PRIORITY", 0, n, bytes(4))]),
    "padding too long": (PROTOCOL_ERROR, lambda n: [
        open_stream(n), frame("DATA", 8, n, b"\xff" + bytes(9))]),
}


def faults_of(name):
    return itertools.chain.from_iterable(map(FAULTS[name], streams()))


@pytest.mark.parametrize("name", FAULTS)
def test_made_you_reset(siege, name):
    with siege(f"made you reset: {name}") as s:
        for attacker in s.waves():
            attacker.flood(faults_of(name), batch=36, patient=True)
            s.expect_end(attacker, ENHANCE_YOUR_CALM, "limit reached limit=max-faults")


@pytest.mark.parametrize("name", BREACHES)
def test_breach_of_connection_state(siege, name):
    code, frames = BREACHES[name]
    with siege(f"made you reset: {name}") as s:
        for attacker in s.waves():
            attacker.send(*frames(1), *frames(3))
            assert attacker.goaway() == code
        s.expect_line(REASON, len(s.attackers))


def test_responses_behind_a_breach_are_not_logged(siege):
    """They are made while GOAWAY waits to go out, and cannot follow it."""
    with siege("responses behind a breach") as s:
        for attacker in s.waves():
            attacker.send(request(1), request(3), window_update(5, 0))
            assert attacker.goaway() == PROTOCOL_ERROR
        s.expect_line(REASON, len(s.attackers))
        assert not s.lines("headers not sent")
