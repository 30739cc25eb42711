#!/usr/bin/python3
"""Measures the server CPU time of one proxied request: moontrail, nginx proxy_pass and HAProxy, each
with one worker and the same upstream, in one run. h2load speaks HTTP/2 over TLS to each in turn, round
after round, so that a machine whose speed drifts slows all. The CPU is that of the edge alone; what
opening the connections costs is in it, and small beside the requests.

    tests/bench/proxy.py [--requests N] [--rounds N]
"""

import argparse
import contextlib
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOONTRAIL = ROOT / "build" / "moontrail"
EDGE_CORE, OTHER_CORE = "0", "1"
CONNECTIONS, STREAMS = "50", "20"

UPSTREAM = """
worker_processes 1; daemon off; master_process off; pid {folder}/upstream.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000000; {paths}
    server {{ listen 127.0.0.1:{upstream} backlog=1024; location / {{ return 200 "Hello world\\n"; }} }}
}}
"""

NGINX = """
worker_processes 1; daemon off; master_process off; pid {folder}/edge.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off; {paths}
    upstream behind {{
        server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{edge} ssl http2;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        location / {{
            proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
}}
"""

HAPROXY = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    http-reuse always
frontend edge
    bind 127.0.0.1:{edge} ssl crt {folder}/both.pem alpn h2
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    default_backend behind
backend behind
    server one 127.0.0.1:{upstream} pool-max-conn 512
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def write_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-out", folder / "cert.pem",
         "-keyout", folder / "key.pem"], check=True, capture_output=True)
    both = (folder / "cert.pem").read_text() + (folder / "key.pem").read_text()
    (folder / "both.pem").write_text(both)


class Edge:
    """A server in front of the upstream."""

    def __init__(self, name, port, process):
        self.name, self.port, self.process = name, port, process
        self.samples = []

    def pids(self):
        """Its process, and those that it forked."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def cpu(self):
        """Microseconds so far, of all threads."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0]) / 1000
        return total

    def measure(self, requests):
        before = self.cpu()
        done = subprocess.run(
            ["taskset", "-c", OTHER_CORE, "h2load", "-n", str(requests), "-c", CONNECTIONS,
             "-m", STREAMS, f"https://127.0.0.1:{self.port}/hello"],
            capture_output=True, text=True, timeout=300, check=True)
        good = int(re.search(r"(\d+) 2xx", done.stdout)[1])
        if good != requests:
            raise SystemExit(f"{self.name}: {good} of {requests} requests answered")
        self.samples.append((self.cpu() - before) / requests)


def start(stack, core, *command):
    process = subprocess.Popen(
        ["taskset", "-c", core, *map(str, command)], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def wait_for(port):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def start_edges(stack, folder):
    write_certificate(folder)
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};"
                     for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    upstream = free_port()

    def config(name, text, port):
        file = folder / name
        file.write_text(text.format(folder=folder, paths=paths, upstream=upstream, edge=port))
        return file

    start(stack, OTHER_CORE, "/usr/sbin/nginx", "-e", "stderr", "-c",
          config("upstream.conf", UPSTREAM, 0))
    wait_for(upstream)
    ports = {name: free_port() for name in ("moontrail", "nginx", "haproxy")}
    commands = {
        "moontrail": (MOONTRAIL, "-l", f"https://127.0.0.1:{ports['moontrail']}", "-w", "1",
                      "--cert", folder / "cert.pem", "--key", folder / "key.pem",
                      "--log-level", "warn", "--upstream", f"http://127.0.0.1:{upstream}"),
        "nginx": ("/usr/sbin/nginx", "-e", "stderr", "-c",
                  config("nginx.conf", NGINX, ports["nginx"])),
        "haproxy": ("/usr/sbin/haproxy", "-db", "-f",
                    config("haproxy.cfg", HAPROXY, ports["haproxy"])),
    }
    edges = [Edge(name, ports[name], start(stack, EDGE_CORE, *commands[name])) for name in ports]
    for edge in edges:
        wait_for(edge.port)
    return edges


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        edges = start_edges(stack, folder)
        for edge in edges:  # warm
            edge.measure(args.requests // 10)
            edge.samples.clear()
        for _ in range(args.rounds):
            for edge in edges:
                edge.measure(args.requests)
    first = statistics.median(edges[0].samples)
    print("| edge | us of CPU a proxied request, median (least, most) | relative |\n|---|---|---|")
    for edge in edges:
        middle = statistics.median(edge.samples)
        print(f"| {edge.name} | {middle:.1f} ({min(edge.samples):.1f}, {max(edge.samples):.1f})"
              f" | {middle / first:.2f} |")


if __name__ == "__main__":
    main()
