"""systemd: sockets that it opens, and what it is told."""
import os
import signal
import socket
import subprocess
import sys

import pytest

from client import Client
from handlers import HELLO, WHO
from server import PATIENCE, PROGRAM, write_scripts

SCRIPTS = {
    "hello.lua": HELLO,
    "who.lua": WHO,
}
# Puts the descriptors given in their places, and becomes the program.
ACTIVATE = """
import os, sys
first, second, names, *command = sys.argv[1:]
os.dup2(int(first), 3)
os.dup2(int(second), 4)
os.environ.update(LISTEN_FDNAMES=names, LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
os.execv(command[0], command)"""


@pytest.fixture
def activate(start, tmp_path):
    """Starts a server with two sockets as systemd does; gives it and their addresses."""
    def activate_one(names, *options, listen=()):
        sockets = [socket.create_server(("127.0.0.1", 0), backlog=100) for _ in range(2)]
        fds = [sock.fileno() for sock in sockets]
        addresses = ["%s:%d" % sock.getsockname() for sock in sockets]
        server = start(SCRIPTS, *options, listen=[url.format(*addresses) for url in listen],
                       through=[sys.executable, "-c", ACTIVATE, *map(str, fds), names],
                       pass_fds=fds)
        for sock in sockets:
            sock.close()
        return server, addresses
    return activate_one


def test_sockets_are_taken_over_by_their_names(activate, connect):
    server, addresses = activate("https:http", "-w", "2")
    assert server.urls == [f"https://{addresses[0]}", f"http://{addresses[1]}"]
    for url in server.urls:
        served = set()
        while len(served) < 2:
            with Client(url) as client:
                served.add(int(client.fetch("/who").text))
        assert served == set(server.workers)


def test_sockets_are_found_by_their_addresses(activate, connect):
    server, addresses = activate(
        "web:web", listen=["http://{0}", "https://{1}", "http://127.0.0.1:0"])
    assert server.urls[:2] == [f"http://{addresses[0]}", f"https://{addresses[1]}"]
    assert len(server.urls) == 3
    for url in server.urls:
        assert connect(url).fetch("/hello").text == "hello"


def test_sockets_are_kept_over_hup_and_usr2(activate, connect):
    server, addresses = activate("https:http")
    server.renew()
    server.wait_for("info configuration loaded listen=" + ",".join(server.urls))
    assert connect(server.https).fetch("/hello").text == "hello"
    server.signal(signal.SIGUSR2)
    server.wait_until(lambda: len(server.lines("info ready")) == 2)
    server.wait_until(lambda: len(server.lines("info ready")) == 2)
    heir = int(server.lines("info ready")[1].rpartition("pid=")[2])
    assert connect(server.http).fetch("/hello").text == "hello"
    assert server.process.wait(30) == 0
    os.kill(heir, signal.SIGTERM)
    server.wait_for(f"stopped pid={heir} ")


def test_a_socket_that_cannot_be_served_is_named(tmp_path):
    with socket.socket(socket.AF_UNIX) as local, socket.create_server(("127.0.0.1", 0)) as good:
        local.bind(f"{tmp_path}/local")
        fds = [good.fileno(), local.fileno()]
        done = subprocess.run(
            [sys.executable, "-c", ACTIVATE, *map(str, fds), "http:http", PROGRAM, tmp_path],
            stderr=subprocess.PIPE, text=True, pass_fds=fds, timeout=PATIENCE)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "the start failed: socket 2 of the 2 in LISTEN_FDS cannot be served" in done.stderr


class Notices:
    """The socket of a service manager."""

    def __init__(self, address):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(30)
        self._socket.bind(address)

    def next(self):
        return self._socket.recv(4096).decode().split("\n")


@pytest.mark.parametrize("abstract", [False, True])
def test_states_are_told(start, tmp_path, abstract):
    path = f"{tmp_path}/notify"
    notices = Notices(("\0" if abstract else "") + path)
    environment = os.environ | {"NOTIFY_SOCKET": ("@" if abstract else "") + path}
    server = start(SCRIPTS, env=environment)
    assert notices.next() == ["READY=1", f"MAINPID={server.process.pid}"]
    server.signal(signal.SIGHUP)
    state, clock = notices.next()
    assert state == "RELOADING=1" and clock.removeprefix("MONOTONIC_USEC=").isdigit()
    assert notices.next()[0] == "READY=1"
    write_scripts(tmp_path / "scripts", {"hello.lua": "error('not today')"})
    server.signal(signal.SIGHUP)
    assert notices.next()[0] == "RELOADING=1"
    assert notices.next()[0] == "READY=1"
    server.signal(signal.SIGTERM)
    assert notices.next() == ["STOPPING=1"]


def test_the_new_program_is_told(start, tmp_path):
    notices = Notices(f"{tmp_path}/notify")
    server = start(SCRIPTS, env=os.environ | {"NOTIFY_SOCKET": f"{tmp_path}/notify"})
    assert notices.next()[0] == "READY=1"
    server.signal(signal.SIGUSR2)
    told = [notices.next(), notices.next()]
    server.wait_until(lambda: len(server.lines("info ready")) == 2)
    heir = int(server.lines("info ready")[1].rpartition("pid=")[2])
    assert sorted(told) == [[f"MAINPID={heir}"], ["READY=1", f"MAINPID={heir}"]]
    assert server.process.wait(30) == 0
    os.kill(heir, signal.SIGTERM)
    assert notices.next() == ["STOPPING=1"]
    server.wait_for(f"stopped pid={heir} ")
