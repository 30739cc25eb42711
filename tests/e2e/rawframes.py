"""A client that writes whatever bytes it is told to, and tells frame by frame what comes back."""
import struct
import time
from urllib.parse import urlsplit

import hpack

from client import TYPES, Frame, FrameReader, open_socket

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY = 0x20
NO_ERROR, PROTOCOL_ERROR, _, FLOW_CONTROL_ERROR, _, STREAM_CLOSED, FRAME_SIZE_ERROR, \
    REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(10)
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, \
    MAX_HEADER_LIST_SIZE = range(1, 7)

TIMEOUT = 2  # seconds to wait for a frame
FIRST_RECORD = 1200  # bytes of a TLS record; each one of a long write is longer by as much


# Frames, as bytes.

def frame(kind, flags=0, stream=0, payload=b""):
    """A frame of a type by name or number; with an int as payload, its header and that length."""
    number = TYPES.index(kind) if isinstance(kind, str) else kind
    length = payload if isinstance(payload, int) else len(payload)
    head = struct.pack(">BHBBL", length >> 16, length & 0xFFFF, number, flags, stream)
    return head if isinstance(payload, int) else head + payload


def data(stream=1, payload=b"test", end=False, padding=None):
    flags = END_STREAM if end else 0
    if padding is not None:
        flags |= PADDED
        payload = bytes([padding]) + payload + bytes(padding)
    return frame("DATA", flags, stream, payload)


def weight(depends_on=0, value=255, exclusive=False):
    """The payload of PRIORITY."""
    return struct.pack(">LB", depends_on | exclusive << 31, value)


def priority(stream=1, depends_on=0, value=255, exclusive=False):
    return frame("PRIORITY", 0, stream, weight(depends_on, value, exclusive))


def reset(stream=1, code=CANCEL):
    return frame("RST_STREAM", 0, stream, struct.pack(">L", code))


def settings(*pairs):
    return frame("SETTINGS", 0, 0, b"".join(struct.pack(">HL", *pair) for pair in pairs))


def ping(payload=bytes(8), flags=0):
    return frame("PING", flags, 0, payload)


def goaway(code=NO_ERROR, debug=b""):
    return frame("GOAWAY", 0, 0, struct.pack(">LL", 0, code) + debug)


def window_update(stream, increment):
    return frame("WINDOW_UPDATE", 0, stream, struct.pack(">L", increment))


def error_code(event):
    """The code of RST_STREAM or GOAWAY."""
    where = {"RST_STREAM": 0, "GOAWAY": 4}[event.type]
    return int.from_bytes(event.payload[where:where + 4], "big")


def read_settings(event):
    return dict(struct.iter_unpack(">HL", event.payload))


# The pace of writes, which decides what the server has answered when the next one arrives.
EACH = "each"  # a TLS record for each write, one after the other
JOINED = "joined"  # all writes up to the next read in one record
SLOW = "slow"  # a pause after each write
PAUSE = 0.01


class RawClient:
    """One connection, without a mind of its own. Beside frames it reports the events CLOSED,
    TIMEOUT and ERROR, each of which is the last."""

    def __init__(self, url, pace=EACH):
        self.authority = urlsplit(url).netloc
        self.pace = pace
        self.closed = False
        self.settings = None  # the server's
        self.last_write = b""
        self.encoder = hpack.Encoder()
        self._socket = open_socket(url)
        self._reader = FrameReader()
        self._taken = 0
        self._joined = b""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._socket.close()

    # Writing. That the server closes the connection meanwhile is no error.

    def write(self, piece):
        self.last_write = piece
        if self.pace == JOINED:
            self._joined += piece
            return
        self._send(piece)
        if self.pace == SLOW:
            time.sleep(PAUSE)

    def _send(self, piece):
        size = FIRST_RECORD if self.pace != JOINED else 16384
        try:
            self._socket.settimeout(TIMEOUT)
            while piece:
                self._socket.sendall(piece[:size])
                piece = piece[size:]
                size = min(size + FIRST_RECORD, 16384)
        except OSError:
            pass

    def block(self, fields):
        return self.encoder.encode(fields)

    def request(self, method="GET", path="/"):
        """The fields of a request."""
        return [(":method", method), (":scheme", "https"), (":path", path),
                (":authority", self.authority)]

    # Reading.

    def event(self):
        """The next frame or other event."""
        self._send(self._joined)
        self._joined = b""
        end = time.monotonic() + TIMEOUT
        while self._taken == len(self._reader.frames):
            problem = self._receive(end - time.monotonic())
            if problem:
                self.closed = True
                return Frame(problem, 0, 0, b"")
        self._taken += 1
        return self.received[-1]

    @property
    def received(self):
        """All frames that event() has given."""
        return self._reader.frames[:self._taken]

    def _receive(self, seconds):
        try:
            self._socket.settimeout(max(seconds, 0.001))
            received = self._socket.recv(65536)
        except TimeoutError:
            return "TIMEOUT"
        except OSError:
            return "ERROR"
        if not received:
            return "CLOSED"
        list(self._reader.feed(received))
        return None

    def find(self, *conditions):
        """The next event that meets a condition; fails where none does."""
        seen = []
        while not self.closed:
            event = self.event()
            seen.append(event)
            if any(condition(event) for condition in conditions):
                return event
        raise AssertionError("not among what came: " + ", ".join(map(describe, seen)))

    def find_type(self, kind):
        return self.find(lambda event: event.type == kind)

    def shake_hands(self):
        """Sends the preface, and waits for the server's settings and for its answer to ours."""
        self.write(PREFACE)
        self.write(settings((INITIAL_WINDOW_SIZE, 65535)))
        acknowledged = False
        while not acknowledged or self.settings is None:
            event = self.find_type("SETTINGS")
            if event.flags & ACK:
                acknowledged = True
            else:
                self.settings = read_settings(event)
                self.write(frame("SETTINGS", ACK))


def describe(event):
    code = f" {error_code(event)}" if event.type in ("RST_STREAM", "GOAWAY") else ""
    return f"{event}{code} on {event.stream}" if event.stream else f"{event}{code}"
