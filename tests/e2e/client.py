"""An HTTP/2 client that remembers every frame it receives."""
import socket
import ssl
import struct
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events

from server import PATIENCE

TYPES = ["DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
         "WINDOW_UPDATE", "CONTINUATION"]
END_STREAM = 0x1


class Closed(Exception):
    """The server has closed the connection."""


@dataclass
class Frame:
    type: str
    flags: int
    stream: int
    payload: bytes

    def __str__(self):
        ends = self.type in ("DATA", "HEADERS") and self.flags & END_STREAM
        return self.type + (" END_STREAM" if ends else "")


@dataclass
class Goaway:
    last_stream: int
    code: int


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self):
        self.frames = []
        self._rest = b""

    def feed(self, data):
        """Takes bytes, and gives each frame that they complete, with its own bytes."""
        self._rest += data
        while len(self._rest) >= 9:
            high, low, kind, flags, stream = struct.unpack(">BHBBL", self._rest[:9])
            end = 9 + (high << 16 | low)
            if len(self._rest) < end:
                return
            frame, whole = Frame(TYPES[kind], flags, stream, self._rest[9:end]), self._rest[:end]
            self._rest = self._rest[end:]
            self.frames.append(frame)
            yield frame, whole


@dataclass
class Response:
    """What was received so far on one stream."""
    headers: list = None
    body: bytes = b""
    trailers: list = None
    ended: bool = False
    reset: int = None  # the code of RST_STREAM
    informs: list = field(default_factory=list)  # interim ones: each its status and fields

    @property
    def status(self):
        return int(self.header(":status"))

    @property
    def text(self):
        return self.body.decode()

    @property
    def over(self):
        return self.ended or self.reset is not None

    def header(self, name):
        return ", ".join(value for key, value in self.headers or [] if key == name) or None


def tls_context(alpn=("h2",)):
    """For a server whose certificate nobody has signed. That a connection ends without close_notify
    is an error."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def open_socket(url, context=None, server_name=None, session=None):
    """Connects to https://HOST:PORT or http://HOST:PORT."""
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if parts.scheme == "http":
        return sock
    try:
        return (context or tls_context()).wrap_socket(
            sock, server_hostname=server_name, suppress_ragged_eofs=False, session=session)
    except BaseException:
        sock.close()
        raise


class Client:
    """One connection. Requests are begun with request(), and read with wait() or response()."""

    def __init__(self, url, **connecting):
        self.url = urlsplit(url)
        self.socket = open_socket(url, **connecting)
        self.reading = True  # False gives credit to the connection only, and none to streams
        self.goaways = []
        self._frames = FrameReader()
        self._responses = {}
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    # Requests.

    def request(self, path, method="GET", headers=(), body=b"", end=True):
        """Begins a request and gives its stream."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", self.url.scheme),
                  (":authority", self.url.netloc), (":path", path)]
        self._responses[stream] = Response()
        self.h2.send_headers(stream, pseudo + list(headers), end_stream=end and not body)
        self.flush()
        if body:
            self.send(stream, body, end)
        return stream

    def send(self, stream, data=b"", end=False):
        """Sends a piece of a request's body, as fast as the server lets it."""
        while data:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room == 0:
                self.receive()
                continue
            self.h2.send_data(stream, data[:room])
            self.flush()
            data = data[room:]
        if end:
            self.h2.end_stream(stream)
            self.flush()

    def send_trailers(self, stream, fields):
        """Ends a request."""
        self.h2.send_headers(stream, fields, end_stream=True)
        self.flush()

    def reset(self, stream, code=8):
        self.h2.reset_stream(stream, code)
        self.flush()

    # Responses.

    def receive(self):
        """Waits for bytes and takes in what they say."""
        data = self.socket.recv(65536)
        if not data:
            raise Closed()
        for frame, whole in self._frames.feed(data):
            if frame.type == "GOAWAY":  # after which h2 would end the streams that go on
                self.goaways.append(Goaway(*struct.unpack(">LL", frame.payload[:8])))
                continue
            for event in self.h2.receive_data(whole):
                self._on_event(event)
        self.flush()

    def _on_event(self, event):
        response = self._responses.get(getattr(event, "stream_id", None))
        if not response:
            return
        if isinstance(event, h2.events.ResponseReceived):
            response.headers = event.headers
        elif isinstance(event, h2.events.InformationalResponseReceived):
            (_, status), *fields = event.headers
            response.informs.append((int(status), fields))
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            self._give_credit(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            response.ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = int(event.error_code)

    def _give_credit(self, size, stream):
        if size and self.reading:
            self.h2.acknowledge_received_data(size, stream)
        elif size:
            self.h2.increment_flow_control_window(size)

    def wait(self, condition):
        """Receives until the condition holds."""
        while not condition():
            self.receive()

    def so_far(self, stream):
        return self._responses[stream]

    def response(self, stream):
        """The response of a stream, once it is over."""
        response = self._responses[stream]
        self.wait(lambda: response.over)
        return response

    def fetch(self, path, method="GET", **request):
        """Makes a request and gives its response."""
        return self.response(self.request(path, method, **request))

    def frames(self, stream):
        """The frames that the server sent on a stream, except those of flow control."""
        return [str(f) for f in self._frames.frames
                if f.stream == stream and f.type != "WINDOW_UPDATE"]

    def reset_code(self, stream):
        """The code of the RST_STREAM frame of a stream, even of one that had ended before."""
        for frame in self._frames.frames:
            if frame.stream == stream and frame.type == "RST_STREAM":
                return int.from_bytes(frame.payload, "big")
        return None

    def wait_for_frame(self, stream, kind):
        self.wait(lambda: any(f.startswith(kind) for f in self.frames(stream)))

    def ping(self):
        """Waits until the server has taken in all that was sent to it before."""
        answers = sum(f.type == "PING" for f in self._frames.frames)
        self.h2.ping(b"12345678")
        self.flush()
        self.wait(lambda: sum(f.type == "PING" for f in self._frames.frames) > answers)

    # Ends.

    def wait_closed(self):
        """Waits for the server to close the connection."""
        try:
            while True:
                self.receive()
        except Closed:
            pass

    def close(self):
        self.socket.close()

    def vanish(self):
        """Cuts the connection without a word, as a crashed client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
