"""The load: h2load on a core of its own, and a look at one reply before anything is timed."""
import re
import subprocess
import tempfile
from dataclasses import dataclass

from servers import BenchError, cpu_spent, cpu_times

CLIENT_SECONDS = 60
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1}


@dataclass
class Target:
    """A case at one server, as it is measured."""

    label: str
    case: object
    server: object
    path: str
    cores: str       # the client's
    length: int = 0  # bytes of a reply's body
    count: int = 0   # requests of a round

    @property
    def url(self):
        return self.server.url(self.path, self.case.tls)

    def fail(self, why):
        raise BenchError(f"{self.case.title}, {self.label}: {why}")


def run_client(target, argv):
    """Runs a client of the case, its fields and its body on its cores; returns its output."""
    options = [word for name, value in target.case.fields.items()
               for word in ("-H", f"{name}: {value}")]
    with tempfile.NamedTemporaryFile(prefix="bench-") as data:
        if target.case.data is not None:
            data.write(target.case.data)
            data.flush()
            options += ["-d", data.name]
        command = ["taskset", "-c", target.cores, *argv, *options, target.url]
        try:
            done = subprocess.run(command, capture_output=True, timeout=CLIENT_SECONDS)
        except subprocess.TimeoutExpired:
            target.fail(f"{argv[0]} took more than {CLIENT_SECONDS} seconds")
    if done.returncode != 0:
        target.fail(f"{' '.join(command)} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def reply_http1(target):
    body, _, status = run_client(
        target, ["curl", "-sk", "--http1.1", "-w", "\n%{http_version} %{http_code}"]
    ).rpartition(b"\n")
    return body, status.decode().removeprefix("1.1 "), {}


def reply_http2(target):
    body = run_client(target, ["nghttp", "-y"])
    log = run_client(target, ["nghttp", "-nvy"]).decode(errors="replace")
    head, _, tail = log.partition("recv DATA frame")
    received = r"recv \(stream_id=\d+\) (:?[^:\s]+): (.*)"
    return body, dict(re.findall(received, head)).get(":status"), dict(re.findall(received, tail))


def check_reply(target):
    """Makes sure that what will be measured is the right answer, and keeps how long it is."""
    body, status, trailers = (reply_http1 if target.case.http1 else reply_http2)(target)
    if status != "200":
        target.fail(f"the status is {status}")
    if not target.case.is_right(body):
        target.fail(f"the body is {body[:100]!r}")
    if not target.case.trailers.items() <= trailers.items():
        target.fail(f"the trailers are {trailers}, not {target.case.trailers}")
    target.length = len(body)


def load(target, requests):
    """Sends the requests; returns (server CPU seconds, seconds from first to last)."""
    case = target.case
    argv = ["h2load", "-t", str(case.client_threads), "-c", str(case.connections),
            "-m", str(case.streams), "-n", str(requests), *(["--h1"] if case.http1 else [])]
    before = cpu_times(target.server)
    report = run_client(target, argv).decode(errors="replace")
    cpu = cpu_spent(target.server, before)
    check_report(target, requests, report)
    value, unit = re.search(r"^finished in ([\d.]+)(us|ms|s),", report, re.M).groups()
    return cpu, float(value) * UNITS[unit]


def check_report(target, requests, report):
    """Every request was answered, with 2xx and with a body as long as the one that was right."""
    total = re.search(r"^requests: .*$", report, re.M)
    codes = re.search(r"^status codes: (\d+) 2xx", report, re.M)
    data = re.search(r"^traffic: .*\((\d+)\) data$", report, re.M)
    if not total or not codes or not data:
        target.fail("h2load reports nothing")
    if f"{requests} succeeded, 0 failed, 0 errored, 0 timeout" not in total[0]:
        target.fail(f"h2load saw failures: {total[0]}")
    if int(codes[1]) != requests:
        target.fail(f"h2load saw another status: {codes[0]}")
    if int(data[1]) != requests * target.length:
        target.fail(f"h2load got {data[1]} bytes for {requests} bodies of {target.length}")
