#!/usr/bin/python3
"""Counts what a request takes of the release build, in instructions and calls of malloc, and holds
both under bounds: those recorded in instructions.json, and a little more.

That is no time, so a machine's mood does not matter. The requests of a case come in groups of the
same size on a warm connection, each group in one piece and once the replies to the last are here.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from callgrind import count_parts, counted, read_parts
from cases import CASES
from connections import connect, tls_context
from h2client import Client, Reply
from peers import HERE, PRODUCT, QUIET, Peer
from servers import BenchError, free_ports, started

RECORD = HERE / "instructions.json"
SLACK_MALLOCS = 0.25  # a request, and the slack of its instructions
MALLOCS_OF_HELLO = 1  # it takes less, whatever is recorded
PACKAGES = ["gcc-12", "libc-ares2", "libc6", "libev4", "liblua5.4-0", "libnghttp2-14",
            "libprotobuf32", "libssl3", "libyajl2", "valgrind"]


@dataclass(frozen=True)
class Count:
    """A case and how it is asked: `groups` times `group` requests."""

    case: str
    groups: int = 20
    group: int = 20
    tls: bool = False
    path: str = ""  # where it is not the case's
    slack: float = 0.03  # of the bounds

    @property
    def name(self):
        return self.case + ", TLS" * self.tls


COUNTS = [
    Count("hello"), Count("hello", tls=True), Count("middleware"), Count("trailer"), Count("fields"), Count("json", 10),
    Count("echo", 100, 1), Count("download", 10, 1), Count("download", 5, 1, tls=True),
    Count("grpc"), Count("connect"), Count("connect_json"), Count("incr"), Count("http1", 200, 1),
    # Whether an upstream's reply comes in one piece or two is up to the kernel.
    Count("proxy", 200, 1, path="/proxied/hello", slack=0.08),
]


class Http1:
    """One request at a time, by HTTP/1.1."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.connection.connect()
        self.sock = self.connection.sock

    def ask(self, path, fields, _data, count):
        replies = []
        for _ in range(count):
            self.connection.request("GET", path, headers=fields)
            got = self.connection.getresponse()
            replies.append(Reply(str(got.status), got.read()))
        return replies


def open_client(server, count):
    if CASES[count.case].http1:
        return Http1(server.ports["plain"])
    if count.tls:
        return Client(connect(server, tls_context()))
    return Client(socket.create_connection(("127.0.0.1", server.ports["plain"]), 20))


def ask(client, count, groups):
    """Sends groups of the case's requests; every reply is to be right."""
    case = CASES[count.case]
    for _ in range(groups):
        for reply in client.ask(count.path or case.path, case.fields, case.data, count.group):
            right = (reply.status == "200" and case.is_right(reply.body)
                     and case.trailers.items() <= reply.trailers.items())
            if not right:
                raise BenchError(f"{count.name}: the reply is {reply}"[:500])


def get_alone(server, path):
    """A request on a connection of its own, which is over when this returns."""
    client = Http1(server.ports["plain"])
    client.ask(path, {"connection": "close"}, None, 1)
    client.connection.close()


def measure_part(server, folder, work):
    """What the work takes, and the collection of its garbage. Collections come when they are told
    to, or the counts would depend on how many come within the work."""
    get_alone(server, "/collect")
    first = count_parts(folder) + 1
    work()
    get_alone(server, "/collect")
    last = count_parts(folder) + 1  # ends with the next connection
    get_alone(server, "/hello")
    return read_parts(folder, first, last)


def measure(server, folder):
    """{name: {"instructions", "mallocs"}} for one request of each."""
    get_alone(server, "/hello")
    idle = measure_part(server, folder, lambda: None)
    found = {}
    for count in COUNTS:
        client = open_client(server, count)
        measure_part(server, folder, lambda: ask(client, count, count.groups))  # warms up
        part = measure_part(server, folder, lambda: ask(client, count, count.groups))
        client.sock.close()
        requests = count.groups * count.group
        found[count.name] = {
            "instructions": round((part.instructions - idle.instructions) / requests),
            "mallocs": max(0, round((part.mallocs - idle.mallocs) / requests, 2))}
    return found


def versions():
    """The packages that have a part in the counts."""
    shown = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Version}\n", *PACKAGES],
                           capture_output=True, text=True).stdout
    return dict(line.split() for line in shown.splitlines())


def over(found, recorded):
    """A line for each count beyond its bound."""
    for count in COUNTS:
        name, counts, bound = count.name, found[count.name], recorded.get(count.name)
        if not bound:
            yield f"{name} is not recorded"
            continue
        most = bound["instructions"] * (1 + count.slack)
        if counts["instructions"] > most:
            yield f"{name} takes {counts['instructions']:,} instructions, over {most:,.0f}"
        mallocs = bound["mallocs"] * (1 + count.slack) + SLACK_MALLOCS
        if count.case == "hello":
            mallocs = min(mallocs, MALLOCS_OF_HELLO)
        if counts["mallocs"] >= mallocs:
            yield f"{name} calls malloc {counts['mallocs']} times, not less than {mallocs:.2f}"


def show(found, recorded):
    print(f"{'a request of':16}{'instructions':>14}{'recorded':>12}{'change':>9}{'mallocs':>9}")
    for name, counts in found.items():
        old = recorded.get(name, counts)["instructions"]
        change = counts["instructions"] / old - 1
        print(f"{name:16}{counts['instructions']:14,}{old:12,}{change:9.1%}{counts['mallocs']:9}")


def moontrail(ports, *options):
    """The command; a certificate is not given, so that the server makes one. It listens on "port"
    last, which tells that it is ready."""
    return [PRODUCT, "-w", "1", "-l", f"http://127.0.0.1:{ports['plain']}",
            "-l", f"https://127.0.0.1:{ports['port']}", *QUIET, *options, str(HERE / "scripts")]


def count_all():
    origin = Peer(moontrail({"port": "@port@", "plain": "@plain@"}), [])
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        core = str(min(os.sched_getaffinity(0)))
        behind = stack.enter_context(started("origin", origin, core, {}))
        ports = free_ports("port", "plain")
        upstream = f"/proxied/=http://127.0.0.1:{behind.ports['plain']}/"
        argv = moontrail(ports, "--upstream", upstream)
        return measure(stack.enter_context(counted(argv, ports, folder)), folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--record", action="store_true", help="make these counts the bounds")
    options = parser.parse_args()
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {"packages": {}, "counts": {}}
    try:
        found = count_all()
    except BenchError as error:
        sys.exit(f"instructions: {error}")
    show(found, recorded["counts"])
    if options.record:
        RECORD.write_text(json.dumps({"packages": versions(), "counts": found}, indent=2) + "\n")
        return
    complaints = list(over(found, recorded["counts"]))
    for line in complaints:
        print(f"instructions: {line}", file=sys.stderr)
    if complaints and versions() != recorded["packages"]:
        print(f"instructions: recorded with {recorded['packages']}, not {versions()}",
              file=sys.stderr)
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
