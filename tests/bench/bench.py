#!/usr/bin/python3
"""Measures what a request costs: the server's CPU time, moontrail beside its peers.

All servers run at once, pinned to one core; the client, on another, visits each case of each in
turn, round after round. The cost of opening the connections is measured apart and taken out.
Who takes part says peers.py, what is asked cases.py, how it is counted loadgen.py.
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import chart
import report
from cases import CASES, HELLO
from connections import handshakes, idle_bytes, on_core
from loadgen import Target, check_reply
from peers import BUILD, PEERS, PRODUCT, ROOT, Peer, listening, proxying
from rounds import choose_count, run_rounds, summarize, summary
from servers import BenchError, render, started

DOCS = ROOT / "docs"
HANDSHAKE_ROUNDS = 3
REQUIRED = ("bare", "moontrail")


@dataclass
class Plan:
    """How much one run measures: rounds of so many seconds a target, until the time is used up."""

    cases: list
    peers: list
    slice: float
    seconds: float
    least_rounds: int
    connections: bool


def plan_of(quick):
    if quick:
        return Plan(["hello", "trailer"], list(REQUIRED), 1.0, 20, 3, False)
    return Plan(list(CASES), list(PEERS), 0.3, 140, 3, True)


class Bench:
    """The servers that run, and what was found."""

    def __init__(self, plan, stack):
        self.plan = plan
        self.stack = stack
        every = sorted(os.sched_getaffinity(0))
        if len(every) < 2:
            raise BenchError("this takes two cores: one for the server, one for the client")
        self.cores = [str(core) for core in every]
        self.servers = {}
        self.left_out = {}
        self.common = self.prepare()

    def prepare(self):
        """What the servers share: a certificate, files, and a server to be proxied to."""
        temp = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        folder = pathlib.Path(temp)
        folder.chmod(0o755)
        cert, key, pem, www = (folder / name for name in ("cert", "key", "pem", "www"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert],
            check=True, capture_output=True)
        pem.write_text(cert.read_text() + key.read_text())
        www.mkdir()
        (www / "hello").write_text("Hello world\n")
        (www / "download").write_bytes(bytes(1 << 20))
        return {"cert": cert, "key": key, "pem": pem, "www": www}

    def start(self, peers):
        if "proxy" in self.plan.cases:
            origin = Peer([str(BUILD / "chandler"), *listening("-w", "1")], [])
            server = self.stack.enter_context(
                started("origin", origin, self.cores[-1], self.common))
            self.common["origin"] = server.ports["plain"]
        if "redis" in self.plan.cases:
            self.start_redis()
        if "postgres" in self.plan.cases:
            self.start_postgres()
        for name, peer in peers.items():
            try:
                self.servers[name] = self.stack.enter_context(
                    started(name, peer, self.server_cores(peer), self.common))
            except BenchError as error:
                self.leave_out(name, error)

    def start_redis(self):
        """A Redis beside the client, with what is asked for in it."""
        argv = ["redis-server", "--bind", "127.0.0.1", "--port", "@port@", "--save", ""]
        try:
            server = self.stack.enter_context(
                started("redis", Peer(argv, []), self.cores[-1], self.common))
        except BenchError as error:
            self.leave_out("redis", error)
            return
        self.common["redis"] = port = server.ports["port"]
        subprocess.run(["redis-cli", "-p", str(port), "SET", "key", HELLO],
                       check=True, capture_output=True)

    def start_postgres(self):
        """A PostgreSQL beside the client, with a row in it."""
        stored = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-postgres-"))
        programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), default=pathlib.Path("/"))
        as_user = []  # it does not run as root
        if os.getuid() == 0:
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(stored, "postgres", "postgres")
        argv = [*as_user, str(programs / "postgres"), "-D", f"{stored}/data", "-p", "@port@", "-k",
                stored, "-c", "fsync=off"]
        try:
            subprocess.run([*as_user, str(programs / "initdb"), "-D", f"{stored}/data",
                            "--username=bench", "--auth=trust", "--no-sync"],
                           check=True, capture_output=True)
            server = self.stack.enter_context(
                started("postgres", Peer(argv, []), self.cores[-1], self.common))
        except (BenchError, OSError, subprocess.SubprocessError) as error:
            self.leave_out("postgres", error)
            return
        self.common["postgres"] = port = server.ports["port"]
        table = ("create table greetings (id int primary key, greeting text);"
                 f"insert into greetings values (7, '{HELLO.decode()}')")
        subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-d", "postgres",
                        "-c", table], check=True, capture_output=True)

    def server_cores(self, peer):
        """One core; and where there are to be several, half of them, or the client shares them."""
        if peer.pinned:
            return self.cores[0]
        return ",".join(self.cores[:2])

    def client_cores(self, peer):
        if peer.pinned or len(self.cores) < 4:
            return self.cores[-1] if peer.pinned else ",".join(self.cores[:2])
        return ",".join(self.cores[2:4])

    def leave_out(self, name, error):
        if name in REQUIRED:
            raise error
        print(f"left out: {name}: {error}", file=sys.stderr)
        self.left_out[name] = str(error)

    def targets(self, peers):
        """Each case of each server, by (case, label), in the order of the cases."""
        found = {}
        for key in self.plan.cases:
            for name, server in self.servers.items():
                for row in peers[name].rows:
                    if row.case == key:
                        target = Target(name + row.note, CASES[key], server,
                                        row.path or CASES[key].path, self.client_cores(peers[name]))
                        found[key, target.label] = target
        return found

    def choose(self, targets):
        """Those that answer right, each with its number of requests."""
        good = {}
        for key, target in targets.items():
            try:
                check_reply(target)
                choose_count(target, self.plan.slice)
                good[key] = target
            except BenchError as error:
                self.leave_out(target.label, error)
        return good

    def idle(self, peers):
        """Taken first, when no server has had a load that would leave memory to be used again."""
        return {name: on_core(self.cores[-1], idle_bytes, server)
                for name, server in self.servers.items() if peers[name].opened}

    def handshakes(self, names):
        rounds = {name: {True: [], False: []} for name in names}
        for _ in range(HANDSHAKE_ROUNDS):
            for name in names:
                for resumed in (False, True):
                    cost = on_core(self.cores[-1], handshakes, self.servers[name], resumed)
                    rounds[name][resumed].append(cost)
        return {name: {"full": summary(costs[False]),
                       "resumed": None if None in costs[True] else summary(costs[True])}
                for name, costs in rounds.items()}


def run(plan):
    load_before = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        bench = Bench(plan, stack)
        peers = {name: PEERS[name] for name in plan.peers}
        bench.start(peers)
        idle = bench.idle(peers) if plan.connections else {}
        targets = bench.choose(bench.targets(peers))
        rounds = run_rounds(targets, plan.seconds, plan.least_rounds,
                            lambda key: CASES[key[0]].reference)
        opened = bench.handshakes(list(idle))
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "kernel": platform.release(),
        "cpu": cpu_model(),
        "cores": len(bench.cores),
        "load_before": load_before,
        "rounds": len(rounds),
        "left_out": bench.left_out,
        "requests": [
            {"case": case, "title": CASES[case].title, "label": label,
             "reference": CASES[case].reference, **found}
            for (case, label), found in summarize(rounds).items()],
        "connections": {name: {**opened[name], "idle_bytes": round(idle[name])} for name in idle},
    }


def cpu_model():
    found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else platform.machine()


def save(results, record):
    """Into the build folder, and into the documents where the run is to be kept."""
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (BUILD / "performance.svg").write_text(chart.svg(results))
    if record:
        (DOCS / "performance.svg").write_text(chart.svg(results))
        page = DOCS / "performance.md"
        begin, end = "<!-- results -->\n", "<!-- end of results -->\n"
        before, _, rest = page.read_text().partition(begin)
        after = rest.partition(end)[2]
        page.write_text(before + begin + "\n" + report.text(results) + "\n" + end + after)


def interrupt(number, _frame):
    """Turns a signal into an exit that stops the servers on its way out."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two servers, half a minute")
    parser.add_argument("--record", action="store_true", help="write the results into docs/ too")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        results = run(plan_of(options.quick))
    except BenchError as error:
        sys.exit(f"bench: {error}")
    save(results, options.record)
    print(report.text(results))


if __name__ == "__main__":
    main()
