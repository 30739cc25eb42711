"""A server in this process that does with each connection what a test says."""
import os
import socket
import ssl
import threading


class PlainServer:
    """Calls serve(connection, number) in a thread for each connection that it takes; the numbers count
    from 1. The connection is closed after that."""

    def __init__(self, serve, address=("127.0.0.1", 0), tls=None):
        self.tls = tls
        self.serve = serve
        self.taken = 0
        self.changed = threading.Condition()
        self.open = 0
        self.most = 0
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        self.listener.listen(256)
        self.port = None if isinstance(address, str) else self.listener.getsockname()[1]
        self.url = f"unix:{address}" if isinstance(address, str) else f"tcp://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _count(self, by):
        with self.changed:
            self.open += by
            self.most = max(self.most, self.open)
            self.taken += by > 0
            self.changed.notify_all()
            return self.taken

    def wait(self, condition):
        """Until condition() holds, which is looked at with each connection that comes or goes."""
        with self.changed:
            assert self.changed.wait_for(condition, 30)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            number = self._count(1)
            threading.Thread(target=self._run, args=(connection, number), daemon=True).start()

    def _run(self, connection, number):
        try:
            connection.settimeout(30)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self.serve(connection, number)
        except (OSError, ssl.SSLError, EOFError):
            pass
        finally:
            connection.close()
            self._count(-1)

    def close(self):
        # A shutdown wakes accept; closing does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.port is None:
            os.unlink(self.url.removeprefix("unix:"))


def read_line(connection):
    """A line with its end; EOFError where there is none."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise EOFError
        line += byte
    return line


def drain(connection):
    """All that comes until the other side ends."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def echo(connection, _):
    while piece := connection.recv(65536):
        connection.sendall(piece)
