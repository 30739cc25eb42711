"""Servers of Debian's, each at a socket of its own: redis-server and memcached."""
import contextlib
import socket
import subprocess
import time

from upstreams import free_port


def wait_for_port(port, process):
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def running(*command, port):
    """Runs a server until the end of the block."""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL) as process:
        try:
            wait_for_port(port, process)
            yield port
        finally:
            process.kill()


def redis_server(folder, *options):
    port = free_port()
    return running("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder,
                   "--appendonly", "no", *options, port=port)


def memcached():
    port = free_port()
    return running("memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", port, "-U", "0", port=port)
