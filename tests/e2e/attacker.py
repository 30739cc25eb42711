"""A client that keeps no rule it was not told to keep, for attacks: many frames, and fast."""
import itertools
import select
import socket
import struct
import time
from functools import cache
from urllib.parse import urlsplit

import hpack

from client import END_STREAM, TYPES, Frame, tls_context
from rawframes import ACK, END_HEADERS, PREFACE, data, error_code, frame
from rawframes import settings as settings_frame
from server import PATIENCE

ENHANCE_YOUR_CALM = 11
GREETING_FRAMES = 2  # SETTINGS and the acknowledgement of the server's
PIECE = 65536


@cache
def shared_context():
    return tls_context()


@cache
def block(*fields):
    """A header block that leaves the dynamic table alone: it can be sent any number of times."""
    return hpack.Encoder().encode([(name, value, True) for name, value in fields])


def fields_of(path="/hello", method="GET", *more):
    return ((":method", method), (":scheme", "http"), (":authority", "attacked.test"),
            (":path", path), *more)


def headers(stream, header_block, end=True, last=True):
    flags = (END_STREAM if end else 0) | (END_HEADERS if last else 0)
    return frame("HEADERS", flags, stream, header_block)


def request(stream, path="/hello", method="GET", *more, end=True):
    return headers(stream, block(*fields_of(path, method, *more)), end)


def streams(first=1):
    """The ids of a client's streams."""
    return itertools.count(first, 2)


def connect(url, receive_buffer=None, source=None):
    """A socket without TLS, from an address and with a small buffer where these are given."""
    parts = urlsplit(url)
    sock = socket.socket()
    sock.settimeout(PATIENCE)
    if source:
        sock.bind((source, 0))
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.connect((parts.hostname, parts.port))
    return sock


def vanish(sock):
    """Cuts a connection without a word, as a crashed client does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def cut(received, frames):
    """Adds the frames among received bytes to a list, and gives what is left of the bytes."""
    at = 0
    while at + 9 <= len(received):
        high, low, kind, flags, stream = struct.unpack_from(">BHBBL", received, at)
        end = at + 9 + (high << 16 | low)
        if end > len(received):
            break
        frames.append(Frame(TYPES[kind], flags, stream, received[at + 9:end]))
        at = end
    return received[at:]


class Attacker:
    """One connection. It reads only when told to, and remembers each frame."""

    def __init__(self, url, *settings, greets=True, **connecting):
        self.socket = connect(url, **connecting)
        self.local = "%s:%d" % self.socket.getsockname()
        if url.startswith("https:") and greets:
            self.socket = shared_context().wrap_socket(self.socket)
        self.sent = 0  # frames
        self.closed = False
        self.frames = []  # received
        self._rest = b""
        self._heads = []
        self._decoder = hpack.Decoder()
        if greets:
            self.write(PREFACE)
            self.send(settings_frame(*settings), frame("SETTINGS", ACK))

    def close(self):
        self.socket.close()

    # Writing. That the server closes the connection meanwhile is no error.

    def write(self, text):
        try:
            self.socket.sendall(text)
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def send(self, *frames):
        self.write(b"".join(frames))
        self.sent += len(frames)

    def flood(self, frames, most=20000, batch=64, patient=False):
        """Sends frames until the server has had enough, or most of them are sent. The patient wait
        for the server after each batch."""
        end = self.sent + most
        while self.sent < end and not self.is_over():
            some = list(itertools.islice(frames, min(batch, end - self.sent)))
            if not some:
                return
            self.send(*some)
            if patient:
                self.settle()
            self.read()

    # Reading.

    def _poll(self, events, seconds):
        poll = select.poll()
        poll.register(self.socket, events)
        return poll.poll(seconds * 1000)

    def read(self, seconds=0):
        """Takes in what there is, once; waits for it if need be."""
        waiting = getattr(self.socket, "pending", int)()
        if self.closed or not waiting and not self._poll(select.POLLIN, seconds):
            return
        try:
            received = self.socket.recv(PIECE)
        except ConnectionResetError:
            received = b""
        self.closed = not received
        self._rest = cut(self._rest + received, self.frames)

    def wait(self, condition, seconds=PATIENCE):
        """Reads until the condition holds; whether it does."""
        end = time.monotonic() + seconds
        while not condition() and not self.closed and time.monotonic() < end:
            self.read(min(0.05, seconds))
        return condition()

    def of_type(self, kind, stream=None):
        return [f for f in self.frames if f.type == kind and stream in (None, f.stream)]

    def is_over(self):
        return self.closed or bool(self.of_type("GOAWAY"))

    def goaway(self):
        """The code that the connection ended with, waited for; None where it just ended."""
        self.wait(self.is_over)
        self.wait(lambda: False, 0.01)
        found = self.of_type("GOAWAY")
        return error_code(found[-1]) if found else None

    def reset_code(self, stream):
        """The code that a stream was reset with, waited for."""
        self.wait(lambda: self.of_type("RST_STREAM", stream))
        return error_code(self.of_type("RST_STREAM", stream)[0])

    def heads(self, stream):
        """The header lists received on a stream: interim ones, the final one, trailers."""
        received = self.of_type("HEADERS")
        for head in received[len(self._heads):]:
            self._heads.append((head.stream, dict(self._decoder.decode(head.payload))))
        return [fields for where, fields in self._heads if where == stream]

    def status(self, stream):
        """The status of a response's first head, waited for."""
        self.wait(lambda: self.of_type("HEADERS", stream))
        return int(self.heads(stream)[0][":status"])

    def body(self, stream):
        return b"".join(f.payload for f in self.of_type("DATA", stream))

    def credit(self, stream):
        """What WINDOW_UPDATEs gave for a stream so far, or with 0 for the connection."""
        return sum(int.from_bytes(f.payload, "big") for f in self.of_type("WINDOW_UPDATE", stream))

    def wait_end(self, stream):
        assert self.wait(lambda: self.has_ended(stream)), f"stream {stream} does not end"

    def has_ended(self, stream):
        return any(f.stream == stream and f.flags & END_STREAM
                   for f in self.of_type("DATA") + self.of_type("HEADERS"))

    def wait_closed(self):
        """Waits for the end of the connection; whether it came."""
        return self.wait(lambda: self.closed)

    def rest(self, seconds):
        """Waits without reading, but for the connection's end."""
        self._poll(select.POLLHUP, seconds)

    def settle(self):
        """Waits until the server has taken in all that was sent so far, or has had enough."""
        answers = len(self.of_type("PING"))
        self.send(frame("PING", 0, 0, bytes(8)))
        self.wait(lambda: len(self.of_type("PING")) > answers or self.is_over())


def upload_all(client, path, most):
    """Fills the windows of streams, as long as that of the connection lets it; gives the streams,
    and how many bytes were sent."""
    sent = 0
    for n in range(1, 2 * most, 2):
        client.send(request(n, path, "POST", end=False))
        for _ in range(4):
            if not client.wait(lambda: client.credit(0) + 65535 - sent >= 16384, 0.5):
                return range(1, n + 2, 2), sent
            client.send(data(n, bytes(16384)))
            sent += 16384
    return range(1, 2 * most, 2), sent
