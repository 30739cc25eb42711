"""Servers: started on ports and a core of their own, accounted for, and ended with all they
began."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass

READY_SECONDS, STOP_SECONDS = 15, 5
DIES_WITH_US = ["setpriv", "--pdeathsig", "TERM"]


class BenchError(Exception):
    """Why there are no numbers; told to the user in one line."""


@dataclass
class Server:
    """A started server; its process leads a session, which holds its children too."""

    name: str
    process: subprocess.Popen
    ports: dict
    log: pathlib.Path

    def url(self, path, tls=True):
        scheme, port = ("https", "port") if tls else ("http", "plain")
        return f"{scheme}://127.0.0.1:{self.ports[port]}{path}"

    def last_words(self):
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def free_ports(*names):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in names]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return {name: probe.getsockname()[1] for name, probe in zip(names, probes)}


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_ready(server):
    """Returns once the server accepts connections; BenchError when it ends or is too slow."""
    deadline = time.monotonic() + READY_SECONDS
    while not accepts(server.ports["port"]):
        if server.process.poll() is not None:
            status = server.process.returncode
            raise BenchError(f"{server.name} ended with status {status}{server.last_words()}")
        if time.monotonic() > deadline:
            raise BenchError(f"{server.name} does not listen after {READY_SECONDS} seconds")
        time.sleep(0.02)


def stop(process):
    """Ends a server, gently and then by force, and whatever is left of its session."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    for pid in session_pids(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def render(text, values):
    """Fills in @name@; any other @ stays."""
    return re.sub(r"@(\w+)@", lambda match: str(values.get(match[1], match[0])), text)


@contextlib.contextmanager
def started(name, peer, cores, common):
    """Runs a peer (peers.py) with its files in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as temp:
        folder = pathlib.Path(temp)
        folder.chmod(0o755)  # some serve as another user
        ports = free_ports("port", "plain")
        values = {**common, **ports, "folder": folder}
        for source in peer.files:
            (folder / source.name).write_text(render(source.read_text(), values))
        argv = [render(word, values) for word in peer.argv]
        if not shutil.which(argv[0]):
            raise BenchError(f"{name} is not installed: there is no {argv[0]}")
        log = folder / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*DIES_WITH_US, "taskset", "-c", cores, *argv], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
                env={**os.environ, **{name: render(value, values)
                                      for name, value in peer.environment.items()}})
        try:
            server = Server(name, process, ports, log)
            wait_ready(server)
            yield server
        finally:
            stop(process)


def session_pids(leader):
    """The processes of a session, by what the operating system says of every process."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(after_name[3]) == leader:
                    found.append(int(entry.name))
    return found


def cpu_clock(pid):
    """The clock of a process's CPU time, ended threads included (CPUCLOCK_SCHED in the kernel)."""
    return (~pid << 3) | 2


def cpu_times(server):
    """CPU seconds of every process of the server, by process id."""
    times = {}
    for pid in session_pids(server.process.pid):
        with contextlib.suppress(OSError):  # it has just ended
            times[pid] = time.clock_gettime_ns(cpu_clock(pid)) / 1e9
    return times


def cpu_spent(server, before):
    """CPU seconds since `before`; a process that ended would take its time with it."""
    now = cpu_times(server)
    if not before or not before.keys() <= now.keys():
        raise BenchError(f"{server.name} lost a process in a round{server.last_words()}")
    return sum(now[pid] - before.get(pid, 0) for pid in now)


def memory(server):
    """Bytes that the server's processes take: their own pages, and their share of the others."""
    total = 0
    for pid in session_pids(server.process.pid):
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)[1]) * 1024
    return total
