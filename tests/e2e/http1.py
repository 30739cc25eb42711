"""An HTTP/1.x client that keeps every byte it receives, and takes no liberty in reading them. It
has the functions of the HTTP/2 client, so that a test can run over either."""
import re
import select
import socket
import ssl
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from attacker import vanish
from client import Closed, Response, open_socket, tls_context
from server import PATIENCE

NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
BROKEN = (ConnectionError, ssl.SSLError)
CUT = "closed"  # what a response was reset with, where the connection ended before it

STATUS_LINE = re.compile(r"HTTP/1\.1 ([1-5]\d\d) ([A-Z][\w' -]*|)")
FIELD_LINE = re.compile(r"([a-z0-9!#$%&'*+.^_`|~-]+): ([\x21-\x7e\x80-\xff](?:.*\S)?|)")
CHUNK_LINE = re.compile(r"[1-9a-f][0-9a-f]*|0")


@dataclass
class Http1Response(Response):
    """What was received so far of one response."""
    method: str = "GET"  # of the request
    code: int = None
    framing: str = None  # "length", "chunked", "close", or "none" where there is no body
    chunks: list = field(default_factory=list)  # their sizes

    @property
    def status(self):
        return self.code


@dataclass
class Sending:
    """How the body of a request goes out."""
    response: Http1Response
    chunked: bool


def chunk(data, extension=b""):
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


def head(method, target, version="HTTP/1.1", fields=()):
    """The head of a request, as bytes."""
    lines = [f"{method} {target} {version}", *[f"{name}: {value}" for name, value in fields]]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def get(path, *fields, version="HTTP/1.1", method="GET"):
    """The head of a request to no server in particular, as bytes."""
    return head(method, path, version, [("host", "a.test"), *fields])


def framing_of(response):
    """How a response says where its body ends (RFC 9112 6.3). It must not say it twice."""
    coding, length = response.header("transfer-encoding"), response.header("content-length")
    assert coding in (None, "chunked") and not (coding and length), response
    if response.method == "HEAD" or response.code in (204, 304):
        assert response.code != 204 or not (coding or length), response
        return "none"
    return "chunked" if coding else "close" if length is None else "length"


class Http1:
    """One connection. Requests are begun with request(), or as bytes with write() and expect()."""

    def __init__(self, url, alpn=("http/1.1",), version="HTTP/1.1"):
        self.url = urlsplit(url)
        self.version = version
        self.socket = open_socket(url, tls_context(alpn) if url.startswith("https:") else None)
        self.socket.settimeout(0)
        self.local = "%s:%d" % self.socket.getsockname()
        self.received = bytearray()
        self.closed = None  # "cleanly" or "abruptly" once it is
        self._at = 0  # what of the received bytes is parsed
        self._sent = []
        self._parser = self._parse()
        next(self._parser)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    # Requests.

    def write(self, data):
        """Sends bytes, and takes in meanwhile what comes back. The server may have closed."""
        data = memoryview(data)
        while data and not self.closed:
            try:
                data = data[self.socket.send(data):]
            except NOT_READY:
                select.select([self.socket], [self.socket], [], PATIENCE)
            except BROKEN:
                self._drain()
                return
            self._take_in()

    def expect(self, method="GET"):
        """A response to come, for a request that was written as bytes."""
        self._sent.append(Sending(Http1Response(method=method), False))
        self._parser.send(None)
        if self.closed:
            self._end(self.closed)
        return len(self._sent) - 1

    def request(self, path, method="GET", headers=(), body=b"", end=True):
        """Begins a request and gives its number. One without an end, or without content-length, has
        a chunked body."""
        names = {name for name, _ in headers}
        fields = [("host", self.url.netloc)] * ("host" not in names) + list(headers)
        number = self.expect(method)
        if end and body:
            fields.append(("content-length", len(body)))
        elif not end and "content-length" not in names:
            fields.append(("transfer-encoding", "chunked"))
            self._sent[number].chunked = True
        begun = head(method, path, self.version, fields)
        if not self._sent[number].chunked:
            self.write(begun + body)
        else:
            self.write(begun)
            self.send(number, body)
        return number

    def send(self, number, data=b"", end=False):
        """Sends a piece of a request's body."""
        chunked = self._sent[number].chunked
        self.write(chunk(data) if chunked and data else data)
        if chunked and end:
            self.send_trailers(number, ())

    def send_trailers(self, number, fields):
        """Ends a chunked request."""
        assert self._sent[number].chunked
        self.write(b"0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields).encode() + b"\r\n")

    # Responses.

    def _take_in(self):
        """Takes in what there is; whether there was anything."""
        try:
            data = self.socket.recv(1 << 18)
        except NOT_READY:
            return False
        except BROKEN:
            self._end("abruptly")
            return True
        if data:
            self.received += data
            self._parser.send(None)
        else:
            self._end("cleanly")
        return True

    def _drain(self):
        while not self.closed and self._take_in():
            pass
        if not self.closed:
            self._end("abruptly")

    def _end(self, how):
        self.closed = how
        self._parser.send(None)
        for sending in self._sent:
            if not sending.response.over:
                sending.response.reset = CUT

    def receive(self):
        """Waits for bytes and takes in what they say."""
        if self.closed:
            raise Closed()
        if not self._take_in():
            ready, _, _ = select.select([self.socket], [], [], PATIENCE)
            assert ready, f"nothing comes after {bytes(self.received[-200:])}"

    def listen(self, seconds):
        """Takes in what comes within a time."""
        end = time.monotonic() + seconds
        while not self.closed and (left := end - time.monotonic()) > 0:
            if not self._take_in():
                select.select([self.socket], [], [], left)

    def wait(self, condition):
        """Receives until the condition holds."""
        while not condition():
            self.receive()

    def so_far(self, number):
        return self._sent[number].response

    def response(self, number):
        """A response, once it is over."""
        response = self.so_far(number)
        self.wait(lambda: response.over)
        return response

    def fetch(self, path, method="GET", **request):
        """Makes a request and gives its response."""
        return self.response(self.request(path, method, **request))

    @property
    def rest(self):
        """The bytes that belong to no response that was asked for."""
        return bytes(self.received[self._at:])

    # Parsing: each step is given control with each piece that comes.

    def _parse(self):
        number = 0
        while True:
            while number == len(self._sent) or not self._left():
                yield
            yield from self._message(self._sent[number].response)
            number += 1

    def _left(self):
        return len(self.received) - self._at

    def _message(self, response):
        while True:
            line = yield from self._line()
            status, reason = STATUS_LINE.fullmatch(line).groups()
            fields = yield from self._fields()
            if int(status) >= 200:
                break
            response.informs.append((int(status), fields))
        response.code, response.headers = int(status), fields
        response.framing = framing_of(response)
        if response.framing == "length":
            yield from self._piece(response, int(response.header("content-length")))
        elif response.framing == "chunked":
            yield from self._chunks(response)
        elif response.framing == "close":
            yield from self._until_close(response)
        response.ended = True

    def _line(self):
        while (end := self.received.find(b"\r\n", self._at)) < 0:
            yield
        line = self.received[self._at:end].decode("latin-1")
        self._at = end + 2
        return line

    def _fields(self):
        fields = []
        while line := (yield from self._line()):
            fields.append(FIELD_LINE.fullmatch(line).groups())
        return fields

    def _piece(self, response, size):
        while size:
            piece = bytes(self.received[self._at:self._at + size])
            response.body += piece
            self._at += len(piece)
            size -= len(piece)
            if size:
                yield

    def _chunks(self, response):
        size = None
        while size != 0:
            line = yield from self._line()
            assert CHUNK_LINE.fullmatch(line), line
            size = int(line, 16)
            if size:
                response.chunks.append(size)
                yield from self._piece(response, size)
                assert (yield from self._line()) == ""
        response.trailers = (yield from self._fields()) or None

    def _until_close(self, response):
        while self.closed != "cleanly":
            yield from self._piece(response, self._left())
            yield
        yield from self._piece(response, self._left())

    # Ends.

    def wait_closed(self):
        """Waits for the server to close the connection."""
        while not self.closed:
            self.receive()

    def finish_sending(self):
        """Closes the client's side of the connection."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def vanish(self):
        """Cuts the connection without a word, as a crashed client does."""
        vanish(self.socket)


def fill(sock, piece, most):
    """Sends pieces until none has been taken for a while, or most bytes; how many were."""
    sent, waited = 0, time.monotonic()
    sock.setblocking(False)
    while sent < most and time.monotonic() - waited < 0.3:
        try:
            sent += sock.send(piece[sent % len(piece):])
            waited = time.monotonic()
        except NOT_READY:
            time.sleep(0.01)
    sock.settimeout(PATIENCE)
    return sent


def check_closed(client):
    """The server closes now, and has sent nothing but responses."""
    began = time.monotonic()
    client.wait_closed()
    assert (client.closed, client.rest) == ("cleanly", b"")
    assert time.monotonic() - began < PATIENCE / 2
