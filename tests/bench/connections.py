"""What connections cost: TLS handshakes, full and resumed, and the memory of idle ones."""
import contextlib
import os
import socket
import ssl
import time

from h2client import Client
from servers import BenchError, cpu_spent, cpu_times, memory

HANDSHAKES, IDLE = 200, 1000
SETTLE_SECONDS = 0.3
TIMEOUT = 10


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def connect(server, context, session=None):
    plain = socket.create_connection(("127.0.0.1", server.ports["port"]), TIMEOUT)
    secure = context.wrap_socket(plain, session=session)
    if secure.selected_alpn_protocol() != "h2":
        raise BenchError(f"{server.name} does not speak HTTP/2")
    return secure


def get_hello(secure):
    """One request and its whole reply; the session tickets of TLS 1.3 come along with it."""
    Client(secure).ask("/hello")


def handshakes(server, resumed):
    """CPU microseconds of a connection that is opened and closed, on average; None where the server
    does not do what is asked."""
    context = tls_context()
    session = None
    if resumed:
        with connect(server, context) as first:
            get_hello(first)
            session = first.session
    before = cpu_times(server)
    for _ in range(HANDSHAKES):
        with connect(server, context, session) as secure:
            if secure.session_reused != resumed:
                return None
    time.sleep(SETTLE_SECONDS / 3)  # the server may still close the last
    return cpu_spent(server, before) / HANDSHAKES * 1e6


def idle_bytes(server):
    """Bytes of memory for one of many idle connections, each of which has had one reply."""
    context = tls_context()
    with contextlib.ExitStack() as stack:
        with connect(server, context) as first:
            get_hello(first)  # what the server keeps from its first request is no connection's
        before = memory(server)
        for _ in range(IDLE):
            get_hello(stack.enter_context(connect(server, context)))
        time.sleep(SETTLE_SECONDS)
        return (memory(server) - before) / IDLE


def on_core(core, function, *arguments):
    """Calls the function with this process on the core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(core)})
    try:
        return function(*arguments)
    finally:
        os.sched_setaffinity(0, cores)
