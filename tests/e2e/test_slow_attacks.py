"""Attacks by size and by patience: what is too large, too slow, never read, or too many."""
import itertools

import pytest

from attacker import ENHANCE_YOUR_CALM, block, fields_of, headers, request, streams
from attacker import connect as connect_to
from handlers import BIG, ECHO, PARK
from rawframes import (CANCEL, INITIAL_WINDOW_SIZE, NO_ERROR, PREFACE, PROTOCOL_ERROR,
                       REFUSED_STREAM, data, ping, settings, window_update)

pytest_plugins = ["figures"]

SETTINGS_TIMEOUT = 4
MANY = 2 ** 31 - 1
STREAMS = 128  # at once, at the most

SCRIPTS = {
    "hello.lua": """
        return function(ctx) ctx:text("hello\\n") end""",
    "park.lua": PARK,
    "echo.lua": ECHO,
    "big.lua": BIG,
    "length.lua": "return function(ctx) ctx:text(#ctx:body()) end",
}


# Size.

def string(text):
    """A string of HPACK, of under 16384 bytes."""
    n = len(text)
    if n < 127:
        return bytes([n]) + text
    return bytes([127, (n - 127) & 0x7f | 0x80, (n - 127) >> 7]) + text


def bomb(count):
    """A field of 4000 bytes that goes into the dynamic table, and then one byte for each copy."""
    return b"\x40" + string(b"bomb") + string(b"x" * 4000) + b"\xbe" * count


LISTS = {
    "small HPACK bomb": (block(*fields_of()) + bomb(12), "max-header-bytes"),
    "header list too large": (block(*fields_of(), ("x", "x" * 8000)) + b"\x00\x01y" +
                              string(b"y" * 8000), "max-header-bytes"),
    "too many fields": (block(*fields_of(), *[("x", "")] * 200), "max-header-fields"),
}


@pytest.mark.parametrize("name", LISTS)
def test_header_list_is_refused(siege, name):
    header_block, limit = LISTS[name]
    with siege(name, "--max-header-bytes", 16000) as s:
        for attacker in s.waves():
            for stream in range(1, 41, 2):
                attacker.send(headers(stream, header_block))
                assert attacker.status(stream) == 431
            s.expect_unharmed(attacker)
        s.expect_line(f"limit reached limit={limit}", 20 * len(s.attackers))


def test_header_list_by_far_too_large_ends_the_connection(siege):
    with siege("HPACK bomb") as s:
        for attacker in s.waves():
            attacker.send(headers(1, block(*fields_of()) + bomb(12000)))
            s.expect_end(attacker, ENHANCE_YOUR_CALM, "limit reached limit=max-header-bytes")


def test_trailers_too_large_reset_the_stream(siege):
    trailers = block(*[("x", "")] * 200)
    with siege("too many trailers") as s:
        for attacker in s.waves():
            attacker.send(request(1, "/echo", "POST", end=False), headers(1, trailers))
            assert attacker.reset_code(1) == ENHANCE_YOUR_CALM
            s.expect_unharmed(attacker)
        s.expect_line("limit reached limit=max-header-fields", len(s.attackers))


# Number.

def test_streams_too_many_are_refused(siege):
    """Up to the acknowledgement of its SETTINGS the server refuses streams, then connections."""
    with siege("too many streams, early") as s:
        for attacker in s.waves(greets=False):
            attacker.write(PREFACE + settings())
            numbers = list(itertools.islice(streams(), STREAMS + 20))
            attacker.send(*[request(n, "/park") for n in numbers])
            assert [attacker.reset_code(n) for n in numbers[STREAMS:]] == [REFUSED_STREAM] * 20
            s.expect_unharmed(attacker)
            assert len(attacker.of_type("RST_STREAM")) == 20


def test_streams_more_than_acknowledged_end_the_connection(siege):
    with siege("too many streams") as s:
        for attacker in s.waves():
            attacker.flood((request(n, "/park") for n in streams()))
            assert attacker.goaway() == PROTOCOL_ERROR
        s.expect_line("connection error .*max concurrent streams exceeded", len(s.attackers))


def test_connections_too_many_are_closed(siege):
    with siege("too many connections", "--max-connections", 8) as s:
        attackers = [s.attack() for _ in range(7)]
        for attacker in attackers:
            s.expect_unharmed(attacker)
            attacker.send(request(101, "/park"))  # none idles
            attacker.settle()
        assert s.attack().wait_closed()
        s.expect_line("connection refused limit=max-connections ")
        attackers[0].close()
        attackers[1].settle()
        s.expect_unharmed(s.attack())


def test_longest_idle_connection_makes_room(siege):
    with siege("idle connections that fill it", "--max-connections", 8) as s:
        busy = s.attack()
        busy.send(request(1, "/park"))
        busy.settle()
        idle = []
        for source in ("127.0.0.2", "127.0.0.3") * 3:
            idle.append(s.attack(source=source))
            s.expect_unharmed(idle[-1])
            idle[-1].rest(0.1)
        idle[0].rest(1.2)
        for attacker in idle[:3]:
            s.expect_unharmed(s.attack())
            assert attacker.wait_closed()
            assert attacker.goaway() == NO_ERROR
            s.expect_line(f"connection closed for room limit=max-connections .*"
                          f"remote={attacker.local} idle=true")
        busy.settle()
        assert not busy.is_over()
        assert not s.lines("connection refused")


def test_connections_too_many_of_one_address_are_closed(siege):
    with siege("too many connections of an address", "--max-connections-each", 5) as s:
        for _ in range(5):
            s.expect_unharmed(s.attack(source="127.0.0.2"))
        for _ in range(500):
            assert s.attack(source="127.0.0.2").wait_closed()
        assert s.lines("connection refused limit=max-connections-each .*remote=127.0.0.2")
        s.expect_unharmed(s.attack())


# Memory.

LARGE_FIELD = b"\x40" + string(b"large") + string(b"x" * 4000)  # now 62 in HPACK's table
AGAIN = b"\xbe" * 15


def test_fields_that_pin_memory_are_bounded_over_all_connections(siege):
    """A few KiB on the wire are 8 MB of fields on each connection, and no rule is broken."""
    with siege("references that pin memory", "--max-connection-memory", 24) as s:
        attackers = []
        for _ in range(12):
            attackers.append(s.attack())
            first = block(*fields_of("/park")) + LARGE_FIELD + AGAIN
            attackers[-1].send(headers(1, first), *[
                headers(n, block(*fields_of("/park")) + AGAIN) for n in range(3, 2 * STREAMS, 2)])
            attackers[-1].settle()
        for attacker in attackers[:8]:
            assert attacker.wait_closed()
        assert s.lines("connection closed for room limit=max-connection-memory .* idle=false")
        s.expect_unharmed(s.attack())


# Windows.

def dribbles(attacker):
    """Opens the windows of many streams by a byte at a time."""
    numbers = range(1, 2 * 100, 2)
    attacker.send(*[request(n, "/big?1") for n in numbers])
    return (window_update(n, 1) for n in itertools.cycle(numbers))


def test_data_dribble(siege):
    with siege("data dribble") as s:
        for attacker in s.waves((INITIAL_WINDOW_SIZE, 1)):
            attacker.flood(dribbles(attacker), batch=100, patient=True)
            s.expect_end(attacker, ENHANCE_YOUR_CALM, "limit reached limit=max-dribbles")


def test_zero_window_is_no_parking_place(siege):
    """Neither a stream's nor a connection's; the connection lives on."""
    with siege("zero windows, parked", "--write-timeout", 1) as s:
        by_stream = s.attack((INITIAL_WINDOW_SIZE, 0))
        by_connection = s.attack((INITIAL_WINDOW_SIZE, MANY))
        numbers = range(1, 2 * STREAMS, 2)
        for attacker in (by_stream, by_connection):
            attacker.send(*[request(n, "/big?2") for n in numbers])
        for attacker in (by_stream, by_connection):
            assert {attacker.reset_code(n) for n in numbers} == {CANCEL}
            s.expect_unharmed(attacker)
        assert s.lines("stream timed out limit=write-timeout")


def test_response_that_is_never_read_ends_the_connection(siege):
    """Even where the client goes on to send."""
    with siege("responses never read", "--write-timeout", 1) as s:
        attacker = s.attack((INITIAL_WINDOW_SIZE, MANY), receive_buffer=4096)
        attacker.send(window_update(0, MANY - 65535))
        attacker.send(*[request(n, "/big?1000") for n in range(1, 2 * STREAMS, 2)])
        pattern = f"connection timed out limit=write-timeout .*remote={attacker.local}"
        while not s.lines(pattern):
            assert s.seconds() < 10
            attacker.send(ping())
            attacker.rest(0.1)


def test_bodies_of_a_byte_at_a_time_are_refused(siege):
    """Each byte is a sign of life, and yet they hold a handler each."""
    with siege("bodies a byte at a time", "--min-body-rate", 1000) as s:
        attacker = s.attack()
        numbers = range(1, 20, 2)
        attacker.send(*[request(n, "/length", "POST", end=False) for n in numbers])
        pattern = f"stream timed out limit=min-body-rate .*remote={attacker.local}"
        while not s.lines(pattern):
            assert s.seconds() < 60
            attacker.send(*[data(n, b"x") for n in numbers])
            attacker.rest(0.2)
        assert {attacker.status(n) for n in numbers} == {408}


def test_windows_of_a_byte_at_a_time_are_no_parking_place(siege):
    with siege("windows a byte at a time", "--min-send-rate", 1000) as s:
        attacker = s.attack((INITIAL_WINDOW_SIZE, 0))
        numbers = range(1, 2 * STREAMS, 2)
        attacker.send(*[request(n, "/big?2") for n in numbers])
        pattern = f"stream timed out limit=min-send-rate .*remote={attacker.local}"
        while not s.lines(pattern):
            assert s.seconds() < 60
            attacker.send(*[window_update(n, 1) for n in numbers])
            attacker.rest(0.5)


def say_http1(sock):
    sock.sendall(b"GET /big?1000 HTTP/1.1\r\nhost: attacked.test\r\n\r\n")


def say_http2(sock):
    sock.sendall(PREFACE + settings((INITIAL_WINDOW_SIZE, MANY)) + window_update(0, MANY - 65535) +
                 request(1, "/big?1000"))


@pytest.mark.parametrize("say", [say_http1, say_http2])
def test_sockets_read_a_byte_at_a_time_are_closed_and_brisk_ones_are_not(start, connect, http1, say):
    server = start(SCRIPTS, "--min-send-rate", "1000")
    brisk = [connect(server.http), http1(server.http)]
    with connect_to(server.http, receive_buffer=4096) as slow:
        say(slow)
        local = "%s:%d" % slow.getsockname()
        while not server.lines(f"connection timed out limit=min-send-rate .*remote={local}"):
            assert slow.recv(1)
            for client in brisk:
                assert len(client.fetch("/big?16").body) == 16 * 65536
    assert len(server.lines("timed out")) == 1


def test_answers_that_are_never_read_end_the_connection(siege):
    with siege("PING answers never read", "--max-control-frames", 0) as s:
        attacker = s.attack(receive_buffer=4096)
        pattern = "limit reached limit=max-queued-frames"
        while not s.lines(pattern) and attacker.sent < 4e6:
            attacker.send(*[ping()] * 1000)
        s.expect_end(attacker, ENHANCE_YOUR_CALM, pattern)


# Slowloris.

def begin_nothing(attacker):
    """Connects and says nothing."""


def begin_handshake(attacker):
    attacker.write(b"\x16\x03\x01\x02\x00\x01")


def begin_preface(attacker):
    attacker.write(PREFACE[:10])


def begin_settings(attacker):
    attacker.write(PREFACE + settings()[:5])


def begin_headers(attacker):
    attacker.send(headers(1, block(*fields_of()), last=False))


def begin_frame(attacker):
    attacker.write(request(1)[:20])


def begin_trailers(attacker):
    attacker.send(request(1, "/echo", "POST", end=False), data(1, b"x"))
    attacker.send(headers(1, block(("x", "y")), last=False))


def begin_body(attacker):
    attacker.send(request(1, "/echo", "POST", end=False))


SLOW = {
    "handshake": (begin_handshake, "https", False, "connection timed out limit=handshake-timeout"),
    "first byte": (begin_nothing, "http", False, "connection timed out limit=idle-timeout"),
    "preface": (begin_preface, "http", False, "connection timed out limit=preface-timeout"),
    "SETTINGS": (begin_settings, "http", False, "session timed out limit=preface-timeout"),
    "header block": (begin_headers, "http", True, "session timed out limit=header-timeout"),
    "frame of headers": (begin_frame, "http", True, "session timed out limit=header-timeout"),
    "trailers": (begin_trailers, "http", True, "session timed out limit=header-timeout"),
    "request": (begin_nothing, "http", True, "connection timed out limit=idle-timeout"),
    "body": (begin_body, "http", True, "stream timed out limit=body-timeout"),
}
CODES = {"SETTINGS": SETTINGS_TIMEOUT, "header block": ENHANCE_YOUR_CALM,
         "frame of headers": ENHANCE_YOUR_CALM, "trailers": ENHANCE_YOUR_CALM, "request": NO_ERROR}
SHORT = [word for name in ("handshake", "preface", "header", "idle", "body")
         for word in (f"--{name}-timeout", 1)]


def test_slowloris(siege):
    """Each waits in its own way for the server to wait for it; all at once, to save time."""
    with siege("slowloris", *SHORT) as s:
        attackers = {}
        for name, (begin, scheme, greets, _) in SLOW.items():
            attackers[name] = s.attack(url=getattr(s.server, scheme), greets=greets)
            begin(attackers[name])
        for name, (_, _, _, pattern) in SLOW.items():
            s.expect_line(f"{pattern} .*remote={attackers[name].local}")
            assert name not in CODES or attackers[name].goaway() == CODES[name], name
        assert attackers["body"].status(1) == 408
        for name in SLOW.keys() - {"body"}:
            assert attackers[name].wait_closed(), name
