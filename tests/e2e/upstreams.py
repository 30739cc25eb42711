"""Upstreams that do whatever a test tells them, byte by byte or frame by frame."""
import re
import socket
import ssl
import threading
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from attacker import vanish
from server import PATIENCE


@dataclass
class Request:
    """A request of HTTP/1.x, as an upstream received it."""
    line: str
    fields: list
    body: bytes = b""
    trailers: list = field(default_factory=list)

    def values(self, name):
        return [value for key, value in self.fields if key.lower() == name]

    def value(self, name):
        return ", ".join(self.values(name)) or None


class Connection:
    """One connection that the upstream has accepted."""

    def __init__(self, sock):
        self.socket = sock
        self._file = sock.makefile("rb")

    def write(self, data):
        self.socket.sendall(data)

    def _fields(self):
        fields = []
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, value = line.decode("latin-1").rstrip("\r\n").split(":", 1)
            fields.append((name, value.strip()))
        return fields

    def head(self):
        """The next request without its body, or None at the end of the connection."""
        line = self._file.readline().decode("latin-1")
        return Request(line.rstrip("\r\n"), self._fields()) if line else None

    def piece(self, request):
        """The next chunk of a request, b"" at its end."""
        size = int(self._file.readline(), 16)
        data = self._file.read(size)
        if size:
            self._file.readline()
        else:
            request.trailers = self._fields()
        return data

    def body(self, request):
        if request.value("transfer-encoding") == "chunked":
            while data := self.piece(request):
                request.body += data
        elif length := request.value("content-length"):
            request.body = self._file.read(int(length))

    def request(self):
        """The next request, whole, or None at the end of the connection."""
        request = self.head()
        if request:
            self.body(request)
        return request

    def wait_closed(self):
        """Reads until the other side has closed the connection; whether it did so in order."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            return False
        return True

    def vanish(self):
        self._file.close()  # which would keep the connection
        vanish(self.socket)

    def close(self):
        self._file.close()
        self.socket.close()


class Upstream:
    """Listens, and calls serve(connection) in a thread for each connection."""

    def __init__(self, serve, tls=None, backlog=128):
        self.connections, self.requests, self.faults = 0, [], []
        self._serve, self._tls = serve, tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self._listener.getsockname()[1]
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def h2c(self):
        return f"h2c://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        try:
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
        except (OSError, ssl.SSLError):
            sock.close()
            return
        connection = Connection(sock)
        self._open.add(connection)
        try:
            self._serve(connection)
        except OSError:
            pass
        except Exception as fault:  # for the test to see
            self.faults.append(fault)
        finally:
            self._open.discard(connection)
            if sock.fileno() >= 0:
                connection.close()

    def kill(self):
        """As if the process had died."""
        self.stop()
        for connection in list(self._open):
            if connection.socket.fileno() >= 0:
                connection.socket.shutdown(socket.SHUT_RDWR)

    def stop(self):
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        assert not self.faults, self.faults


def always(answer, requests=None):
    """Serves the same bytes to each request, and notes the requests."""
    def serve(connection):
        while request := connection.request():
            if requests is not None:
                requests.append(request)
            connection.write(answer)
    return serve


def response(body=b"", status="200 OK", *fields, length=True):
    """A response of HTTP/1.1, as bytes."""
    lines = [f"HTTP/1.1 {status}", *fields, *([f"content-length: {len(body)}"] if length else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*pieces, trailers=(), fields=()):
    """A chunked response of HTTP/1.1, as bytes."""
    head = "".join(f"{line}\r\n" for line in
                   ("HTTP/1.1 200 OK", "transfer-encoding: chunked", *fields))
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head.encode() + b"\r\n" + body + b"0\r\n" + "".join(
        f"{line}\r\n" for line in trailers).encode() + b"\r\n"


class Http2Upstream(Upstream):
    """An upstream of HTTP/2: on_event(connection, h2, event) answers; sends follow at once."""

    def __init__(self, on_event, **more):
        self.resets = []  # (stream, code) of each that came
        self._on_event = on_event
        super().__init__(self._speak, **more)

    @staticmethod
    def _take(speaker, data):
        try:
            return speaker.receive_data(data)
        except h2.exceptions.ProtocolError:  # what comes after it has said GOAWAY
            return []

    def _speak(self, connection):
        speaker = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8"))
        speaker.initiate_connection()
        connection.write(speaker.data_to_send())
        while data := connection.socket.recv(65536):
            for event in self._take(speaker, data):
                if isinstance(event, h2.events.StreamReset):
                    self.resets.append((event.stream_id, int(event.error_code)))
                if isinstance(event, h2.events.DataReceived):
                    speaker.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id)
                self._on_event(connection, speaker, event)
            connection.write(speaker.data_to_send())


def port_of(url):
    return int(re.search(r":(\d+)$", url)[1])


def free_port():
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]
