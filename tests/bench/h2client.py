"""A client of HTTP/2 on one connection: several requests at once, each reply whole."""
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings

from servers import BenchError

WINDOW = 1 << 24  # a reply is never kept waiting for credit


@dataclass
class Reply:
    status: str = None
    body: bytes = b""
    trailers: dict = field(default_factory=dict)
    ended: bool = False


class Client:
    """Owns neither the socket nor what is below it."""

    def __init__(self, sock):
        self.sock = sock
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.http.initiate_connection()
        self.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.http.increment_flow_control_window(WINDOW)
        self.replies = {}

    def send(self, path, fields, data):
        """Begins a request, which goes out with the next flush."""
        stream = self.http.get_next_available_stream_id()
        method = "GET" if data is None else "POST"
        self.http.send_headers(
            stream, [(":method", method), (":scheme", "https"), (":path", path),
                     (":authority", "127.0.0.1"), *fields.items()], end_stream=data is None)
        if data is not None:
            self.http.send_data(stream, data, end_stream=True)
        self.replies[stream] = Reply()

    def ask(self, path, fields=None, data=None, count=1):
        """Sends the same request so many times, in one piece; returns the replies."""
        self.replies = {}
        for _ in range(count):
            self.send(path, fields or {}, data)
        self.sock.sendall(self.http.data_to_send())
        while not all(reply.ended for reply in self.replies.values()):
            self.receive()
        return list(self.replies.values())

    def receive(self):
        received = self.sock.recv(65536)
        if not received:
            raise BenchError("the connection ended before the reply did")
        for event in self.http.receive_data(received):
            self.note(event)
        if answer := self.http.data_to_send():
            self.sock.sendall(answer)

    def note(self, event):
        if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
            raise BenchError(f"instead of a reply there was {event}")
        reply = self.replies.get(getattr(event, "stream_id", None))
        if not reply:
            return
        if isinstance(event, h2.events.ResponseReceived):
            reply.status = dict(event.headers)[":status"]
        elif isinstance(event, h2.events.TrailersReceived):
            reply.trailers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            reply.body += event.data
            self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            reply.ended = True
