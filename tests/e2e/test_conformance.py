"""What h2spec --strict asks of a server, all 147 cases of it, at / of scripts/.

A case is a list of steps: bytes are one write, a function does what it says with the connection,
and the last one tells what is accepted as an answer, which is what h2spec accepts.
"""
from dataclasses import dataclass

import pytest

from rawframes import (
    ACK, COMPRESSION_ERROR, ENABLE_PUSH, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, JOINED, MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, NO_ERROR, PADDED, PREFACE, PRIORITY, PROTOCOL_ERROR,
    REFUSED_STREAM, SLOW, STREAM_CLOSED, EACH, RawClient, data, error_code, frame, goaway, ping,
    priority, reset, settings, weight, window_update)

UNKNOWN_TYPE = 0x16
UNKNOWN_CODE = 0xFF
ODD_FLAGS = 0x16  # none of which PING knows
MAX_WINDOW = 2**31 - 1
OPAQUE = b"h2spec\0\0"


# Steps that write.

def request(stream=1, method="GET", end=True, whole=True, fields=None, extra=(), before=b"",
            after=b"", padding=0, priority=b""):
    """HEADERS; fields makes its fields of the usual ones; before and after are put round them as
    they are."""
    def write(c):
        usual = c.request(method)
        block = before + c.block((fields(usual) if fields else usual) + list(extra)) + after
        flags = (END_STREAM if end else 0) | (END_HEADERS if whole else 0)
        if priority:
            flags |= PRIORITY
            block = priority + block
        if padding:
            flags |= PADDED
            block = bytes([padding]) + block + bytes(padding)
        c.write(frame("HEADERS", flags, stream, block))
    return write


def post(stream=1, end=False, **more):
    return request(stream, "POST", end, **more)


def trailers(*fields, end=True):
    return request(method="POST", end=end, fields=lambda usual: list(fields))


def big_fields(count=1):
    return [(f"x-dummy{i}", "x" * 4000) for i in range(count)]


def continuation(stream=1, whole=True, fields=None):
    def write(c):
        block = c.block(fields or big_fields())
        c.write(frame("CONTINUATION", END_HEADERS if whole else 0, stream, block))
    return write


def request_in_pieces(*cuts):
    """A request whose block is cut at these places."""
    def write(c):
        block = c.block(c.request())
        places = [0, *cuts, len(block)]
        for start, end in zip(places, places[1:]):
            kind = "CONTINUATION" if start else "HEADERS"
            flags = (0 if start else END_STREAM) | (END_HEADERS if end == len(block) else 0)
            c.write(frame(kind, flags, 1, block[start:end]))
    return write


def push_promise(c):
    block = (3).to_bytes(4, "big") + c.block(c.request())
    c.write(frame("PUSH_PROMISE", END_HEADERS, 1, block))


def overpadded_request(c):
    block = c.block(c.request())
    c.write(frame("HEADERS", PADDED | END_HEADERS | END_STREAM, 1, len(block) + 1))
    c.write(bytes([len(block) + 2]))
    c.write(block)


def continued_by_same_block(c):
    block = c.block(c.request())
    c.write(frame("HEADERS", END_HEADERS | END_STREAM, 1, block))
    c.write(frame("CONTINUATION", END_HEADERS, 1, block))


def requests_past_the_limit(c):
    block = c.block(c.request())
    for i in range(c.settings[MAX_CONCURRENT_STREAMS] + 1):
        c.write(frame("HEADERS", END_HEADERS | END_STREAM, 2 * i + 1, block))


def largest_data_and(more):
    return lambda c: c.write(
        data(payload=b"x" * (c.settings.get(MAX_FRAME_SIZE, 16384) + more), end=True))


def table_too_large(c):
    assert HEADER_TABLE_SIZE not in c.settings  # else 4097 is not too large
    request(before=b"\x3f\xe2\x1f")(c)


def shrink_table(c):
    c.encoder.header_table_size = 128


def again(c):
    c.write(c.last_write)


# Steps that read.

def connection_error(*codes):
    """GOAWAY with one of the codes, or the connection's end."""
    return lambda c: c.find(
        is_closed, lambda event: event.type == "GOAWAY" and error_code(event) in codes)


def stream_error(*codes):
    """RST_STREAM or GOAWAY with one of the codes, or the connection's end."""
    return lambda c: c.find(is_closed, lambda event: event.type in ("RST_STREAM", "GOAWAY") and
                            error_code(event) in codes)


def is_closed(event):
    return event.type == "CLOSED"


def closed(c):
    c.find(is_closed)


def stream_closed(c):
    """The response's end, or RST_STREAM NO_ERROR."""
    c.find(lambda event: event.type in ("DATA", "HEADERS") and event.flags & END_STREAM,
           lambda event: event.type == "RST_STREAM" and error_code(event) == NO_ERROR)


def preface(c):
    event = c.event()
    assert event.type == "SETTINGS" and not event.flags & ACK


def response(c):
    assert c.find_type("HEADERS").stream == 1


def any_type(kind):
    return lambda c: c.find_type(kind)


def one_byte(c):
    assert len(c.find_type("DATA").payload) == 1


def settings_ack(c):
    assert c.find_type("SETTINGS").flags & ACK


def pong(payload=bytes(8)):
    def read(c):
        event = c.find_type("PING")
        assert event.flags & ACK and event.payload == payload
    return read


def pong_or_closed(c):
    c.find(is_closed, lambda event: event.type == "PING" and event.flags & ACK and
           event.payload == OPAQUE)


def goaway_for_window(c):
    assert error_code(c.find_type("GOAWAY")) == FLOW_CONTROL_ERROR


def reset_for_window(c):
    event = c.find_type("RST_STREAM")
    assert event.stream == 1 and error_code(event) == FLOW_CONTROL_ERROR


# The cases.

@dataclass
class Case:
    name: str
    steps: tuple


CASES = []


def case(section, title, *steps, shaken=True):
    """Adds a case; its steps follow the exchange of settings, where shaken."""
    number = sum(known.name.startswith(section + "/") for known in CASES) + 1
    CASES.append(Case(f"{section}/{number} {title}", ((RawClient.shake_hands,) if shaken else ()) +
                      steps))


def without(*names):
    return lambda usual: [field for field in usual if field[0] not in names]


SETTINGS = settings((INITIAL_WINDOW_SIZE, 65535))
NO_WINDOW = settings((INITIAL_WINDOW_SIZE, 0))

case("generic/1", "preface", PREFACE, SETTINGS, preface, shaken=False)

case("generic/2", "PRIORITY, idle", priority(), ping(), pong())
case("generic/2", "WINDOW_UPDATE, half-closed", NO_WINDOW, request(), window_update(1, 1),
     any_type("DATA"))
case("generic/2", "PRIORITY, half-closed", NO_WINDOW, request(), priority(), window_update(1, 1),
     any_type("DATA"))
case("generic/2", "RST_STREAM, half-closed", request(), reset(), ping(), pong())
case("generic/2", "PRIORITY, closed", request(), stream_closed, priority(), ping(), pong())

case("generic/3.1", "DATA", post(), data(end=True), response)
case("generic/3.1", "DATA twice", post(), data(), data(end=True), response)
case("generic/3.1", "DATA with padding", post(), data(end=True, padding=5), response)
case("generic/3.2", "HEADERS", request(), response)
case("generic/3.2", "HEADERS with padding", request(padding=8), response)
case("generic/3.2", "HEADERS with priority", request(priority=weight()), response)
case("generic/3.3", "PRIORITY 1", priority(value=0), request(), response)
case("generic/3.3", "PRIORITY 256", priority(), request(), response)
case("generic/3.3", "PRIORITY that depends", priority(3, depends_on=1, value=0), request(),
     response)
case("generic/3.3", "exclusive PRIORITY", priority(value=0, exclusive=True), request(), response)
case("generic/3.3", "PRIORITY of a later stream", priority(3), request(), response)
case("generic/3.4", "RST_STREAM", request(end=False), reset(), ping(), pong())
case("generic/3.5", "SETTINGS",
     settings((HEADER_TABLE_SIZE, 4096), (ENABLE_PUSH, 1), (MAX_CONCURRENT_STREAMS, 100),
              (INITIAL_WINDOW_SIZE, 65535), (MAX_FRAME_SIZE, 16384), (MAX_HEADER_LIST_SIZE, 100)),
     settings_ack)
case("generic/3.7", "PING", ping(OPAQUE), pong(OPAQUE))
case("generic/3.8", "GOAWAY", goaway(NO_ERROR, b"h2spec"), ping(OPAQUE), pong_or_closed)
case("generic/3.9", "WINDOW_UPDATE of the connection", window_update(0, 1), ping(), pong())
case("generic/3.9", "WINDOW_UPDATE of a stream", request(), window_update(1, 1), response)
case("generic/3.10", "CONTINUATION", request_in_pieces(5), response)
case("generic/3.10", "CONTINUATION twice", request_in_pieces(5, 10), response)

case("generic/4", "GET", request(), response)
case("generic/4", "HEAD", request(method="HEAD"), response)
case("generic/4", "POST", post(), data(end=True), response)
case("generic/4", "POST with trailers", post(extra=[("trailer", "x-test")]), data(),
     trailers(("x-test", "ok")), response)

case("generic/5", "indexed field", request(after=b"\xba"), response)
# The second of each is in Huffman's code.
USER_AGENT = (b"\x0auser-agent\x06h2spec",
              b"\x87\xb5\x05\xb1\x61\xcc\x5a\x93\x84\x9c\x48\xac\xa4")
X_TEST = b"\x06x-test\x06h2spec", b"\x85\xf2\xb2\x4a\x84\xff\x84\x9c\x48\xac\xa4"
for how, first, literals in (
        ("indexed", b"\x40", (USER_AGENT[1], USER_AGENT[0], X_TEST[0], X_TEST[1])),
        ("unindexed", b"\0", (USER_AGENT[0], USER_AGENT[1], X_TEST[0], X_TEST[1])),
        ("never indexed", b"\x10", (USER_AGENT[0], USER_AGENT[1], X_TEST[1], X_TEST[1]))):
    for number, literal in enumerate(literals):
        case("generic/5", f"{how} literal {number + 1}", request(after=first + literal), response)
case("generic/5", "table's size", shrink_table, request(), response)
case("generic/5", "table's size twice", request(before=b"\x3f\x61\x3f\xe1\x1f"), response)

case("http2/3.5", "preface", PREFACE, SETTINGS, preface, shaken=False)
case("http2/3.5", "no preface", b"INVALID CONNECTION PREFACE\r\n\r\n",
     connection_error(PROTOCOL_ERROR), shaken=False)

UNKNOWN_FRAME = frame(UNKNOWN_TYPE, payload=8), bytes(8)  # in two writes
case("http2/4.1", "unknown type", *UNKNOWN_FRAME, ping(), pong())
case("http2/4.1", "unknown flags", frame("PING", ODD_FLAGS, 0, 8), bytes(8), any_type("PING"))
case("http2/4.1", "reserved bit", frame("PING", ODD_FLAGS, 1 << 31, 8), bytes(8), any_type("PING"))
case("http2/4.2", "largest DATA", post(), largest_data_and(0), response)
case("http2/4.2", "DATA too large", post(), largest_data_and(1), stream_error(FRAME_SIZE_ERROR))
case("http2/4.2", "HEADERS too large", request(extra=big_fields(5)),
     connection_error(FRAME_SIZE_ERROR))
case("http2/4.3", "literal cut short", frame("HEADERS", END_HEADERS | END_STREAM, 1, b"\x40"),
     connection_error(COMPRESSION_ERROR))
case("http2/4.3", "PRIORITY in a header block", request(end=False, whole=False), priority(),
     continuation(), connection_error(PROTOCOL_ERROR))
case("http2/4.3", "HEADERS in another's header block", request(end=False, whole=False),
     request(3), continuation(), connection_error(PROTOCOL_ERROR))

case("http2/5.1", "DATA, idle", data(end=True), connection_error(PROTOCOL_ERROR))
case("http2/5.1", "RST_STREAM, idle", reset(), connection_error(PROTOCOL_ERROR))
case("http2/5.1", "WINDOW_UPDATE, idle", window_update(1, 100), connection_error(PROTOCOL_ERROR))
case("http2/5.1", "CONTINUATION, idle", lambda c: continuation(fields=c.request())(c),
     connection_error(PROTOCOL_ERROR))
case("http2/5.1", "DATA, half-closed", request(), data(end=True), stream_error(STREAM_CLOSED))
case("http2/5.1", "HEADERS, half-closed", request(), request(), stream_error(STREAM_CLOSED))
case("http2/5.1", "CONTINUATION, half-closed", continued_by_same_block,
     stream_error(STREAM_CLOSED, PROTOCOL_ERROR))
case("http2/5.1", "DATA after their RST_STREAM", request(end=False), reset(), data(end=True),
     stream_error(STREAM_CLOSED))
case("http2/5.1", "HEADERS after their RST_STREAM", request(end=False), reset(), request(),
     stream_error(STREAM_CLOSED))
case("http2/5.1", "CONTINUATION after their RST_STREAM", request(end=False), reset(),
     continuation(), stream_error(STREAM_CLOSED, PROTOCOL_ERROR))
case("http2/5.1", "DATA, closed", request(), stream_closed, data(end=True),
     stream_error(STREAM_CLOSED))
case("http2/5.1", "HEADERS, closed", request(), stream_closed, again,
     connection_error(STREAM_CLOSED))
case("http2/5.1", "CONTINUATION, closed", request(), stream_closed, continuation(),
     connection_error(STREAM_CLOSED, PROTOCOL_ERROR))
case("http2/5.1.1", "even stream", request(2), connection_error(PROTOCOL_ERROR))
case("http2/5.1.1", "skipped stream", request(5), request(3), connection_error(PROTOCOL_ERROR))
case("http2/5.1.2", "too many streams", NO_WINDOW, requests_past_the_limit,
     stream_error(PROTOCOL_ERROR, REFUSED_STREAM))
case("http2/5.3.1", "HEADERS that depends on itself", request(priority=weight(depends_on=1)),
     stream_error(PROTOCOL_ERROR))
case("http2/5.3.1", "PRIORITY that depends on itself", priority(depends_on=1),
     stream_error(PROTOCOL_ERROR))
PING_ON_A_STREAM = frame("PING", 0, 3, 8), bytes(8)
case("http2/5.4.1", "end of the connection", *PING_ON_A_STREAM, closed)
case("http2/5.4.1", "GOAWAY before it", *PING_ON_A_STREAM, any_type("GOAWAY"))
case("http2/5.5", "unknown type", *UNKNOWN_FRAME, ping(), pong())
case("http2/5.5", "unknown type in a header block", request(whole=False), *UNKNOWN_FRAME,
     connection_error(PROTOCOL_ERROR))

case("http2/6.1", "DATA on 0", data(0, end=True), connection_error(PROTOCOL_ERROR))
case("http2/6.1", "DATA, half-closed", post(end=True), data(end=True), stream_error(STREAM_CLOSED))
case("http2/6.1", "DATA too much padded", post(extra=[("content-length", "4")]),
     frame("DATA", END_STREAM | PADDED, 1, 5), b"\x06Test", connection_error(PROTOCOL_ERROR))
case("http2/6.2", "PRIORITY in a header block", request(end=False, whole=False), priority(),
     continuation(), connection_error(PROTOCOL_ERROR))
case("http2/6.2", "HEADERS in another's header block", request(end=False, whole=False),
     request(3), continuation(), connection_error(PROTOCOL_ERROR))
case("http2/6.2", "HEADERS on 0", request(0), connection_error(PROTOCOL_ERROR))
case("http2/6.2", "HEADERS too much padded", overpadded_request, stream_error(PROTOCOL_ERROR))
case("http2/6.3", "PRIORITY on 0", priority(0), connection_error(PROTOCOL_ERROR))
case("http2/6.3", "PRIORITY of 4 bytes", request(), frame("PRIORITY", 0, 1, 4), b"\x80\0\0\x01",
     stream_error(FRAME_SIZE_ERROR))
case("http2/6.4", "RST_STREAM on 0", reset(0), connection_error(PROTOCOL_ERROR))
case("http2/6.4", "RST_STREAM, idle", reset(), connection_error(PROTOCOL_ERROR))
case("http2/6.4", "RST_STREAM of 3 bytes", request(), frame("RST_STREAM", 0, 1, 3), bytes(3),
     stream_error(FRAME_SIZE_ERROR))
case("http2/6.5", "SETTINGS ACK with a payload", frame("SETTINGS", ACK, 0, 1), bytes(1),
     connection_error(FRAME_SIZE_ERROR))
case("http2/6.5", "SETTINGS on a stream", frame("SETTINGS", 0, 1, 6), b"\0\x03\0\0\0\x64",
     connection_error(PROTOCOL_ERROR))
case("http2/6.5", "SETTINGS of 3 bytes", frame("SETTINGS", 0, 0, 3), b"\0\x03\0",
     stream_error(PROTOCOL_ERROR, FRAME_SIZE_ERROR))
case("http2/6.5.2", "ENABLE_PUSH 2", settings((ENABLE_PUSH, 2)), connection_error(PROTOCOL_ERROR))
case("http2/6.5.2", "INITIAL_WINDOW_SIZE too large", settings((INITIAL_WINDOW_SIZE, 1 << 31)),
     connection_error(FLOW_CONTROL_ERROR))
case("http2/6.5.2", "MAX_FRAME_SIZE too small", settings((MAX_FRAME_SIZE, 16383)),
     connection_error(PROTOCOL_ERROR))
case("http2/6.5.2", "MAX_FRAME_SIZE too large", settings((MAX_FRAME_SIZE, 1 << 24)),
     connection_error(PROTOCOL_ERROR))
case("http2/6.5.2", "unknown setting", settings((0xFF, 1)), ping(), pong())
case("http2/6.5.3", "order of settings",
     settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)), settings_ack, request(),
     one_byte)
case("http2/6.5.3", "acknowledgement", settings((ENABLE_PUSH, 0)), settings_ack)
case("http2/6.7", "PING", ping(OPAQUE), pong(OPAQUE))
case("http2/6.7", "PING ACK", ping(b"invalid\0", ACK), ping(OPAQUE), pong(OPAQUE))
case("http2/6.7", "PING on a stream", frame("PING", 0, 1, 8), bytes(8),
     connection_error(PROTOCOL_ERROR))
case("http2/6.7", "PING of 6 bytes", frame("PING", 0, 0, 6), bytes(6),
     connection_error(FRAME_SIZE_ERROR))
case("http2/6.8", "GOAWAY on a stream", frame("GOAWAY", 0, 1, 8), bytes(8),
     connection_error(PROTOCOL_ERROR))
case("http2/6.9", "WINDOW_UPDATE 0", window_update(0, 0), connection_error(PROTOCOL_ERROR))
case("http2/6.9", "WINDOW_UPDATE 0 of a stream", request(end=False), window_update(1, 0),
     stream_error(PROTOCOL_ERROR))
case("http2/6.9", "WINDOW_UPDATE of 3 bytes", frame("WINDOW_UPDATE", 0, 0, 3), b"\0\0\x01",
     connection_error(FRAME_SIZE_ERROR))
case("http2/6.9.1", "window of one", settings((INITIAL_WINDOW_SIZE, 1)), settings_ack, request(),
     one_byte)
case("http2/6.9.1", "window past the maximum", window_update(0, MAX_WINDOW),
     window_update(0, MAX_WINDOW), goaway_for_window)
case("http2/6.9.1", "stream's window past the maximum", request(end=False),
     window_update(1, MAX_WINDOW), window_update(1, MAX_WINDOW), reset_for_window)
case("http2/6.9.2", "window opened by SETTINGS", NO_WINDOW, settings_ack, request(),
     settings((INITIAL_WINDOW_SIZE, 1)), one_byte)
case("http2/6.9.2", "window below zero", settings((INITIAL_WINDOW_SIZE, 3)), settings_ack,
     request(), any_type("DATA"), settings((INITIAL_WINDOW_SIZE, 2)), settings_ack,
     window_update(1, 2), one_byte)
case("http2/6.9.2", "INITIAL_WINDOW_SIZE too large", frame("SETTINGS", 0, 0, 6),
     b"\0\x04\x80\0\0\0", connection_error(FLOW_CONTROL_ERROR))
case("http2/6.10", "CONTINUATION twice", request(whole=False), continuation(whole=False),
     continuation(), response)
case("http2/6.10", "DATA in a header block", post(whole=False), continuation(whole=False),
     data(end=True), connection_error(PROTOCOL_ERROR))
case("http2/6.10", "CONTINUATION on 0", request(whole=False), continuation(0),
     connection_error(PROTOCOL_ERROR))
case("http2/6.10", "CONTINUATION after a block's HEADERS", request(), continuation(),
     connection_error(PROTOCOL_ERROR))
case("http2/6.10", "CONTINUATION after a block's last", request(whole=False), continuation(),
     continuation(), connection_error(PROTOCOL_ERROR))
case("http2/6.10", "CONTINUATION after DATA", post(whole=False), data(end=True),
     continuation(whole=False), continuation(0), connection_error(PROTOCOL_ERROR))

case("http2/7", "GOAWAY with an unknown code", goaway(UNKNOWN_CODE), ping(OPAQUE), pong_or_closed)
case("http2/7", "RST_STREAM with an unknown code", post(), reset(code=UNKNOWN_CODE), ping(), pong())

case("http2/8.1", "trailers without END_STREAM", post(), data(),
     trailers(("x-test", "ok"), end=False), stream_error(PROTOCOL_ERROR))
case("http2/8.1.2", "upper case", request(extra=[("X-TEST", "ok")]), stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.1", "unknown pseudo-field", request(extra=[(":test", "ok")]),
     stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.1", "a response's pseudo-field", request(extra=[(":status", "200")]),
     stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.1", "pseudo-field in trailers", post(), data(),
     trailers((":method", "POST"), end=False), stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.1", "pseudo-field after a field",
     request(fields=lambda usual: [("x-test", "ok")] + usual), stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.2", "connection", request(extra=[("connection", "keep-alive")]),
     stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.2", "te", request(extra=[("trailers", "test"), ("te", "trailers, deflate")]),
     stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.3", "empty :path",
     request(fields=lambda usual: [(name, "" if name == ":path" else value)
                                   for name, value in usual]), stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.3", "no :method", request(fields=without(":method", ":scheme")),
     stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.3", "no :scheme", request(fields=without(":scheme")),
     stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.3", "no :path", request(fields=without(":path")), stream_error(PROTOCOL_ERROR))
for field in (":method", "GET"), (":scheme", "https"), (":path", "/"):
    case("http2/8.1.2.3", f"{field[0]} twice", request(extra=[field]),
         stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.6", "more than content-length", post(extra=[("content-length", "1")]),
     data(end=True), stream_error(PROTOCOL_ERROR))
case("http2/8.1.2.6", "more than content-length in two", post(extra=[("content-length", "1")]),
     data(), data(end=True), stream_error(PROTOCOL_ERROR))
case("http2/8.2", "PUSH_PROMISE", push_promise, connection_error(PROTOCOL_ERROR))

case("hpack/2.3.3", "index past the table", request(after=b"\xc6"),
     connection_error(COMPRESSION_ERROR))
case("hpack/2.3.3", "name's index past the table", request(after=b"\x7f\x07\0"),
     connection_error(COMPRESSION_ERROR))
case("hpack/4.2", "table's size at a block's end", request(after=b"\x21"),
     connection_error(COMPRESSION_ERROR))
case("hpack/5.2", "padding of a byte", request(
    after=b"\0\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"), connection_error(COMPRESSION_ERROR))
case("hpack/5.2", "padding of zeros", request(
    after=b"\0\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"), connection_error(COMPRESSION_ERROR))
case("hpack/5.2", "end-of-string symbol", request(
    after=b"\0\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"),
     connection_error(COMPRESSION_ERROR))
case("hpack/6.1", "index 0", request(after=b"\x80"), connection_error(COMPRESSION_ERROR))
case("hpack/6.3", "table too large", table_too_large, connection_error(COMPRESSION_ERROR))


def run(url, steps, pace):
    with RawClient(url, pace) as c:
        for step in steps:
            c.write(step) if isinstance(step, bytes) else step(c)


def in_each_case():
    return pytest.mark.parametrize("steps", [known.steps for known in CASES],
                                   ids=[known.name.replace(" ", "-") for known in CASES])


@in_each_case()
def test_case(demo, steps):
    run(demo.https, steps, EACH)


@in_each_case()
@pytest.mark.parametrize("pace", [JOINED, SLOW])
def test_case_at_another_pace(demo, steps, pace):
    """Whether the server has answered between two writes must make no difference."""
    run(demo.https, steps, pace)


def test_page_lets_no_case_be_skipped(demo):
    """h2spec leaves out what needs MAX_CONCURRENT_STREAMS or five bytes of body."""
    assert len(CASES) == 147
    with RawClient(demo.https) as c:
        c.shake_hands()
        assert MAX_CONCURRENT_STREAMS in c.settings
        request()(c)
        assert len(c.find_type("DATA").payload) >= 5
