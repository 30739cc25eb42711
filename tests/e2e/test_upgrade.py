"""USR2: a new program takes over on the same sockets."""
import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from client import Client, tls_context
from handlers import HELLO, WAIT, WHO
from load import Load
from server import PROGRAM

SCRIPTS = {
    "hello.lua": HELLO,
    "who.lua": WHO,
    "wait.lua": WAIT,
}
# For a shell: the pipe on which the new program is waited for is among them.
CLOSE_ALL = "for fd in $(ls /proc/$$/fd); do [ $fd -le 2 ] || eval \"exec $fd<&-\"; done\n"


def parent_of(pid):
    return int(re.search(r"PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


@pytest.fixture
def program(tmp_path):
    """A copy of the program, to be written over."""
    return shutil.copy(PROGRAM, tmp_path / "moontrail")


@pytest.fixture
def upgrade():
    """Lets a new program take over from a server, and gives its process id."""
    heirs = []

    def upgrade_one(server):
        before = len(server.lines("info ready"))
        server.signal(signal.SIGUSR2)
        server.wait_until(lambda: len(server.lines("info ready")) > before)
        heirs.append(int(re.search(r"pid=(\d+)$", server.lines("info ready")[-1])[1]))
        return heirs[-1]

    yield upgrade_one
    for heir in heirs:
        try:
            os.kill(heir, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end(server, heir):
    """Ends the new program; the old one has ended."""
    assert server.process.wait(timeout=30) == 0
    os.kill(heir, signal.SIGTERM)
    server.wait_for(f"info stopped pid={heir} ")


def replace(program, text):
    Path(program).unlink()
    Path(program).write_text(text)
    Path(program).chmod(0o755)


def test_a_new_program_under_load(start, upgrade, program):
    server = start(SCRIPTS, "-w", "2", "--log-level", "info", program=program)
    with Load(server.https) as load:
        heir = upgrade(server)
        server.wait_for(f"info stopped pid={server.process.pid} ")
        with Client(server.https) as client:
            assert parent_of(int(client.fetch("/who").text)) == heir
        counts = load.stop()
    assert counts["failed"] == 0 and counts["answered"] > 50, counts
    assert server.find("ready listen=" + ",".join(server.urls) + f" .*pid={heir}$")
    end(server, heir)


def test_requests_under_way_finish_on_the_old_program(start, connect, upgrade):
    server = start(SCRIPTS)
    client = connect(server.https)
    stream = client.request("/wait", "POST", end=False)
    client.wait(lambda: client.so_far(stream).body == b"begun")
    heir = upgrade(server)
    client.wait(lambda: len(client.goaways) == 2)
    client.send(stream, b" and ended", end=True)
    assert client.response(stream).text == "begun and ended"
    end(server, heir)


def test_sessions_are_resumed_by_the_new_program(start, connect, upgrade):
    server = start(SCRIPTS)
    context = tls_context()
    first = connect(server.https, context=context)
    assert first.fetch("/hello").text == "hello"
    heir = upgrade(server)
    again = connect(server.https, context=context, session=first.socket.session)
    assert again.fetch("/hello").text == "hello" and again.socket.session_reused
    end(server, heir)


def test_the_pid_file_names_the_new_program(start, upgrade, tmp_path):
    file = tmp_path / "pid"
    server = start(SCRIPTS, "--pid-file", file)
    heir = upgrade(server)
    assert server.process.wait(timeout=30) == 0
    assert file.read_text() == f"{heir}\n"
    end(server, heir)
    server.wait()
    assert not file.exists()


@pytest.mark.parametrize("text, complaint", [
    ("#!/bin/sh\necho 'moontrail: not today' >&2\nexit 1\n", "moontrail: not today"),
    ("no program", "cannot be run: Exec format error"),
    ("#!/bin/sh\necho 'neither ready' >&2\n" + CLOSE_ALL + "exec sleep 1000 2>&-\n",
     "neither ready")], ids=["fails", "no program", "never ends"])
def test_a_new_program_that_fails(start, connect, upgrade, program, text, complaint):
    server = start(SCRIPTS, "-w", "2", program=program)
    workers = server.workers
    client = connect(server.https)
    replace(program, text)
    server.signal(signal.SIGUSR2)
    server.wait_for("error upgrade failed")
    assert server.find(complaint)
    assert client.fetch("/hello").text == "hello" and not client.goaways
    assert connect(server.https).fetch("/hello").text == "hello"
    assert server.workers == workers
    Path(program).unlink()
    shutil.copy(PROGRAM, program)
    end(server, upgrade(server))


def test_a_new_program_whose_scripts_do_not_load(start, connect, tmp_path):
    server = start(SCRIPTS)
    (tmp_path / "scripts" / "hello.lua").write_text("error('not today')")
    server.signal(signal.SIGUSR2)
    server.wait_for("error upgrade failed")
    assert server.find("^moontrail: .*hello.lua:1: not today")
    assert connect(server.https).fetch("/hello").text == "hello"
