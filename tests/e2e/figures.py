"""What an attack costs: the server's CPU and memory, and what a bystander notices. A pytest plugin:
the figures of all tests are shown as one table at the end, with pytest -s."""
import multiprocessing
import os
import re
import time
from pathlib import Path

import pytest

from attacker import Attacker
from client import Client
from server import PATIENCE

WORST = 3  # seconds that a bystander may wait for an answer, on machines that are busy
PAUSE = 0.004  # seconds between a bystander's requests
LONG = float(os.environ.get("MOONTRAIL_SIEGE", 0.4))  # seconds of one that goes on in waves
COLUMNS = ("", "connections", "frames sent", "seconds", "server CPU ms", "memory KiB",
           "bystander's requests", "median ms", "worst ms")

rows = []


def status_kib(pid, field):
    """A size from /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise KeyError(field)


def cpu_ms(pid):
    """The CPU time of a process with one thread."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def reset_peak(pid):
    """Lets VmHWM start again at VmRSS."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Cost:
    """What a server spends from here on."""

    def __init__(self, server):
        self.pid, = server.workers
        reset_peak(self.pid)
        self._memory = status_kib(self.pid, "VmRSS")
        self._cpu = cpu_ms(self.pid)
        self._began = time.monotonic()

    def seconds(self):
        return time.monotonic() - self._began

    def cpu(self):
        return cpu_ms(self.pid) - self._cpu

    def memory(self):
        """KiB by which the server has grown at its largest."""
        return status_kib(self.pid, "VmHWM") - self._memory


def stand_by(url, pipe):
    """Asks for /hello again and again over one connection, until it is told to stop."""
    waits, problem = [], None
    try:
        with Client(url) as client:
            while not pipe.poll():
                began = time.monotonic()
                response = client.fetch("/hello")
                waits.append(time.monotonic() - began)
                assert (response.status, response.text) == (200, "hello\n"), response
                if len(waits) == 1:
                    pipe.send("ready")
                time.sleep(PAUSE)
            assert not client.goaways, client.goaways
    except Exception as error:
        problem = repr(error)
        if not waits:
            pipe.send("ready")
    pipe.send((waits, problem))


def describe(cost):
    """The cells of a row on what a server has spent."""
    return f"{cost.seconds():.1f}", f"{cost.cpu():.0f}", cost.memory()


class Bystander:
    """Another client of the server, in a process of its own, so that nothing but the server keeps
    it waiting."""

    def __init__(self, url):
        fork = multiprocessing.get_context("fork")
        self._pipe, theirs = fork.Pipe()
        self._process = fork.Process(target=stand_by, args=(url, theirs), daemon=True)
        self._process.start()
        self._pipe.recv()

    def stop(self):
        """The seconds that each answer took, sorted."""
        self._pipe.send("stop")
        waits, problem = self._pipe.recv()
        self._process.join()
        assert problem is None, problem
        return sorted(waits)


class Siege:
    """A server, those who attack it, and a bystander, whom that must not harm."""

    def __init__(self, name, server):
        self.name = name
        self.server = server
        self.attackers = []

    def __enter__(self):
        self._bystander = Bystander(self.server.https)
        self._cost = Cost(self.server)
        return self

    def seconds(self):
        return self._cost.seconds()

    def waves(self, *settings, **connecting):
        """Attackers, one after the other, for a while."""
        while True:
            attacker = self.attack(*settings, **connecting)
            yield attacker
            attacker.close()
            if self.seconds() > LONG:
                return

    def attack(self, *settings, url=None, **connecting):
        self.attackers.append(Attacker(url or self.server.http, *settings, **connecting))
        return self.attackers[-1]

    def expect_end(self, attacker, code, pattern):
        """The attacker's connection was ended with a code, and one line in the log says why."""
        assert attacker.goaway() == code
        self.expect_line(pattern + f".*remote={attacker.local}")

    def expect_line(self, pattern, count=1):
        """So many lines of the log match, at once or a little later; those that the rate of their event has
        left out may be among them."""
        end = time.monotonic() + PATIENCE
        while self.least(pattern, count) < count and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.lines(pattern)) <= count <= self.least(pattern, count), "\n".join(self.server.log)

    def least(self, pattern, count):
        """Lines that match, and of those left out as many as can be."""
        left_out = sum(int(line.split("left_out=")[1]) for line in self.lines("left_out="))
        return min(count, len(self.lines(pattern)) + left_out)

    def lines(self, pattern):
        return [line for line in list(self.server.log) if re.search(pattern, line)]

    def expect_unharmed(self, attacker):
        """The attacker's connection lives on, and answers."""
        attacker.settle()
        assert not attacker.is_over()

    def __exit__(self, kind, error, trace):
        cells = describe(self._cost)
        waits = self._bystander.stop()
        for attacker in self.attackers:
            attacker.close()
        sent = sum(attacker.sent for attacker in self.attackers)
        rows.append((self.name, len(self.attackers), sent, *cells, len(waits),
                     *[f"{wait * 1000:.1f}" for wait in (waits[len(waits) // 2], waits[-1])]))
        if not kind:
            assert waits[-1] < WORST
            with Client(self.server.https) as client:
                assert client.fetch("/hello").status == 200


@pytest.fixture
def siege(request, start):
    """Starts a server with options, attacked under a name."""
    def lay(name, *options):
        return Siege(name, start(request.module.SCRIPTS, "--log-level", "info", *options))
    return lay


@pytest.fixture
def measure():
    """Measures what a server spends from then on."""
    return Cost


@pytest.fixture
def figure():
    """Notes what a server has spent on something without a siege."""
    def note(name, cost, sent, connections=1):
        rows.append((name, connections, sent, *describe(cost), "", "", ""))
    return note


def pytest_terminal_summary(terminalreporter, config):
    if not rows or config.option.capture != "no":
        return
    terminalreporter.section("figures")
    cells = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    for row in cells:
        terminalreporter.line("| " + " | ".join(str(cell) for cell in row) + " |")
