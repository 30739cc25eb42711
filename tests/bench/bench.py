#!/usr/bin/python3
"""Measures the server CPU time of one request: the product against the bare responder.

Both run at once, pinned to one core; h2load, on the other core, visits each case in turn, round
after round. A ratio compares two neighbours of one round, so that a machine whose speed drifts
slows both. The cost of opening the connections is measured apart and taken out.

A server is a row of SERVERS, a case a row of CASES, a kind of run a row of PLANS.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
RESULTS = BUILD / "bench" / "results.json"

SERVER_CORE, CLIENT_CORE = "0", "1"
CONNECTIONS, STREAMS = 50, 20
READY_SECONDS, STOP_SECONDS, CLIENT_SECONDS = 10, 5, 60
REPLY = b"Hello world\n"
FLOOR = "bare"

HELLO = """return function(ctx) ctx:text("Hello world\\n") end
"""
TRAILER = """return function(ctx)
    ctx:declare_trailer("trailername")
    ctx:text("Hello world\\n")
    ctx:append_trailer("trailername", "trailervalue")
end
"""


@dataclass
class Server:
    """How to start a server; {port} and {folder} in argv are filled in, scripts fill the folder."""

    argv: list[str]
    scripts: dict[str, str] = field(default_factory=dict)


@dataclass
class Case:
    """One kind of request to one of SERVERS, and the trailers that its reply must bring.

    The path costs CPU too: cases that are compared have paths of about the same length.
    """

    server: str
    path: str
    trailers: dict[str, str] = field(default_factory=dict)


@dataclass
class Plan:
    """What one run measures: rounds of each case go on until the seconds are used up."""

    cases: list[str]
    requests: int
    seconds: float
    min_rounds: int


SERVERS = {
    "bare": Server([str(BUILD / "bench" / "bare"), "{port}"]),
    "moontrail": Server(
        [
            *(str(BUILD / "moontrail"), "-l", "https://127.0.0.1:{port}"),
            *("--log-level", "warn", "{folder}"),
        ],
        {"hello.lua": HELLO, "trailer.lua": TRAILER},
    ),
}

CASES = {
    "bare": Case("bare", "/hello"),
    "hello": Case("moontrail", "/hello"),
    "hello with trailers": Case("moontrail", "/trailer", {"trailername": "trailervalue"}),
}

PLANS = {
    "quick": Plan(["bare", "hello", "hello with trailers"], 60_000, 24, 3),
}


class BenchError(Exception):
    """Why the run cannot give numbers; told to the user in one line."""


# Servers


@dataclass
class Running:
    """A started server; its process leads a session, which holds its children too."""

    name: str
    process: subprocess.Popen
    port: int
    stderr: pathlib.Path

    def url(self, path):
        return f"https://127.0.0.1:{self.port}{path}"

    def last_words(self):
        lines = self.stderr.read_text(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_ready(server):
    """Returns once the server accepts connections; BenchError when it ends or is too slow."""
    deadline = time.monotonic() + READY_SECONDS
    while not accepts(server.port):
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
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def started(name):
    """Runs a server of SERVERS on a port of its own, with its scripts in a folder of its own."""
    spec = SERVERS[name]
    with tempfile.TemporaryDirectory(prefix="bench-") as temp:
        folder = pathlib.Path(temp, "scripts")
        folder.mkdir()
        for file, text in spec.scripts.items():
            (folder / file).write_text(text)
        port, stderr = free_port(), pathlib.Path(temp, "stderr")
        argv = [word.format(port=port, folder=folder) for word in spec.argv]
        if not os.access(argv[0], os.X_OK):
            raise BenchError(f"{argv[0]} is not built")
        with stderr.open("wb") as log:
            process = subprocess.Popen(
                ["taskset", "-c", SERVER_CORE, *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            server = Running(name, process, port, stderr)
            wait_ready(server)
            yield server
        finally:
            stop(process)


# CPU time


def session_pids(leader):
    """The processes of the session that `leader` leads: a server and its children."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(after_name[3]) == leader:
                    found.append(int(entry.name))
    return found


def task_times(server):
    """CPU nanoseconds of every thread of every process of the server, by thread id."""
    times = {}
    for pid in session_pids(server.process.pid):
        with contextlib.suppress(OSError):  # it has just ended
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                times[int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return times


def cpu_spent(server, before):
    """CPU microseconds since `before`; a task that ended would take its time with it."""
    now = task_times(server)
    if not before or not before.keys() <= now.keys():
        raise BenchError(f"{server.name} lost a process or thread in a round{server.last_words()}")
    return sum(now[task] - before.get(task, 0) for task in now) / 1000


# Clients


def run_client(argv):
    """Runs a client on its core and returns its output; BenchError when it fails."""
    try:
        done = subprocess.run(
            ["taskset", "-c", CLIENT_CORE, *argv], capture_output=True, timeout=CLIENT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{argv[0]} took more than {CLIENT_SECONDS} seconds") from None
    if done.returncode != 0:
        raise BenchError(f"{' '.join(argv)} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def check_reply(server, name):
    """Makes sure, once, that what will be measured is the right answer."""
    case = CASES[name]
    url = server.url(case.path)
    body = run_client(["nghttp", "-y", url])
    if body != REPLY:
        raise BenchError(f"{name}: the body is {body!r}")
    log = run_client(["nghttp", "-nvy", url]).decode(errors="replace")
    head, _, tail = log.partition("recv DATA frame")
    received = r"recv \(stream_id=\d+\) (:?[^:\s]+): (.*)"
    status = dict(re.findall(received, head)).get(":status")
    trailers = dict(re.findall(received, tail))
    if status != "200":
        raise BenchError(f"{name}: the status is {status}")
    if trailers != case.trailers:
        raise BenchError(f"{name}: the trailers are {trailers}, not {case.trailers}")


def load(server, name, requests):
    """Sends the requests; returns (server CPU microseconds, seconds from first to last)."""
    argv = ["h2load", "-c", str(CONNECTIONS), "-m", str(STREAMS), "-n", str(requests)]
    before = task_times(server)
    report = run_client([*argv, server.url(CASES[name].path)]).decode(errors="replace")
    cpu = cpu_spent(server, before)
    total = re.search(r"^requests: .*$", report, re.M)
    codes = re.search(r"^status codes: (\d+) 2xx", report, re.M)
    good = f"{requests} succeeded, 0 failed, 0 errored, 0 timeout"
    if not total or good not in total[0] or not codes or int(codes[1]) != requests:
        words = (total[0] if total else "no report") + ("; " + codes[0] if codes else "")
        raise BenchError(f"{name}: h2load saw failures: {words}")
    return cpu, seconds_taken(report)


def seconds_taken(report):
    value, unit = re.search(r"^finished in ([\d.]+)(us|ms|s),", report, re.M).groups()
    return float(value) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]


# Rounds


def measure(server, name, requests):
    """One round of one case: first one request on each connection, then the load.

    The difference between the two is what the requests alone cost.
    """
    opening_us, _ = load(server, name, CONNECTIONS)
    cpu_us, seconds = load(server, name, requests)
    return {
        "cpu_us_per_request": (cpu_us - opening_us) / (requests - CONNECTIONS),
        "cpu_us_per_connection": opening_us / CONNECTIONS,
        "requests_per_second": requests / seconds,
        "core_busy": cpu_us / seconds / 1e6,
    }


def one_round(servers, plan, number):
    """Measures every case once; each round starts with another case, so that none is favoured."""
    shift = number % len(plan.cases)
    taken = {}
    for name in plan.cases[shift:] + plan.cases[:shift]:
        taken[name] = measure(servers[CASES[name].server], name, plan.requests)
    floor = taken[FLOOR]["cpu_us_per_request"]
    for values in taken.values():
        values["ratio_to_bare"] = values["cpu_us_per_request"] / floor
    return taken


def run_rounds(servers, plan):
    """Rounds until the plan's time is over; a list of {case: {quantity: value}}."""
    start = time.monotonic()
    rounds = []
    while True:
        rounds.append(one_round(servers, plan, len(rounds)))
        spent = time.monotonic() - start
        if len(rounds) >= plan.min_rounds and spent + spent / len(rounds) > plan.seconds:
            return rounds


def summary(values):
    """The median and the spread of one quantity over the rounds."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    spread = {"median": middle, "q1": low, "q3": high, "min": min(values), "max": max(values)}
    return {key: round(value, 3) for key, value in spread.items()}


def summarize(plan, rounds):
    """{case: {quantity: summary and the value of every round}}"""
    cases = {}
    for name in plan.cases:
        cases[name] = {}
        for quantity in rounds[0][name]:
            values = [round(taken[name][quantity], 3) for taken in rounds]
            cases[name][quantity] = {**summary(values), "rounds": values}
    return cases


# Results


def show(plan, load_before, rounds, cases):
    print(
        f"h2load -c {CONNECTIONS} -m {STREAMS} -n {plan.requests}, {len(rounds)} rounds;"
        f" median (quartiles); load average before: {load_before:.1f}"
    )
    row = "{:<20} {:>18} {:>24} {:>8} {:>5} {:>18}"
    heads = ("CPU us/request", "requests/s", "us/conn", "busy", "ratio to bare")
    print(row.format("case", *heads))
    for name, taken in cases.items():
        cells = (
            "{median:.2f} ({q1:.2f}..{q3:.2f})".format(**taken["cpu_us_per_request"]),
            "{median:.0f} ({q1:.0f}..{q3:.0f})".format(**taken["requests_per_second"]),
            "{median:.0f}".format(**taken["cpu_us_per_connection"]),
            "{median:.0%}".format(**taken["core_busy"]),
            "{median:.2f} ({q1:.2f}..{q3:.2f})".format(**taken["ratio_to_bare"]),
        )
        print(row.format(name, *cells))


def save(plan_name, load_before, rounds, cases):
    record = {
        "plan": {"name": plan_name, **vars(PLANS[plan_name])},
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": platform.release(),
        "load_before": load_before,
        "h2load": {"connections": CONNECTIONS, "streams": STREAMS},
        "rounds": len(rounds),
        "cases": cases,
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


def run(plan_name):
    plan = PLANS[plan_name]
    load_before = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        names = dict.fromkeys(CASES[name].server for name in plan.cases)
        servers = {name: stack.enter_context(started(name)) for name in names}
        for name in plan.cases:
            check_reply(servers[CASES[name].server], name)
        rounds = run_rounds(servers, plan)
    cases = summarize(plan, rounds)
    show(plan, load_before, rounds, cases)
    save(plan_name, load_before, rounds, cases)


def interrupt(number, _frame):
    """Turns a signal into an exit that stops the servers on its way out."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", required=True, help="half a minute")
    parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        run("quick")
    except BenchError as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
