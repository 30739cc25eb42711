"""Who is measured: how each server is started, and the cases that it serves."""
import pathlib
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "bench"
BUILD = ROOT / "build" / "bench"
PRODUCT = str(ROOT / "build" / "moontrail")
QUIET = ["--log-level", "warn"]


@dataclass(frozen=True)
class Row:
    """A server in a case; its label is the server's name and the note."""

    case: str
    note: str = ""
    path: str = ""  # where it is not the case's


@dataclass(frozen=True)
class Peer:
    """@name@ in argv, in files and in the environment is filled in: port, plain (without TLS), folder, cert, key, pem
    (both), www (static files), origin (the port of a server to be proxied to), redis (that of a Redis),
    postgres (that of a PostgreSQL)."""

    argv: list
    rows: list
    files: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    pinned: bool = True
    opened: bool = True  # measured by handshakes and idle connections too


def rows(*cases):
    return [Row(case) for case in cases]


def config(*names):
    return [HERE / "peers" / name for name in names]


def listening(*options):
    """moontrail's options, and chandler's."""
    return ["-l", "https://127.0.0.1:@port@", "-l", "http://127.0.0.1:@plain@",
            "--cert", "@cert@", "--key", "@key@", *QUIET, *options]


def product(workers):
    return [PRODUCT, *listening("-w", str(workers)), str(HERE / "scripts")]


def many_workers(workers):
    return Peer(product(workers), rows("workers"), pinned=False, opened=False)


def proxying(scheme):
    """moontrail as a reverse proxy, to the same server by HTTP/1.1 or by HTTP/2."""
    argv = [PRODUCT, *listening("-w", "1", "--upstream", f"{scheme}://127.0.0.1:@origin@")]
    return Peer(argv, rows("proxy"), opened=False)


TLS_FILES = ["@cert@", "@key@"]
ADDRESS = "127.0.0.1:@port@"
STORE = ["get", "set", "incr"]
REDIS = ["redis", "redis_pipeline"]
REDIS_PORT = {"REDIS_PORT": "@redis@"}
POSTGRES_PORT = {"POSTGRES_PORT": "@postgres@"}
CROWDS = ["crowd10", "crowd100", "crowd1000", "crowd5000"]

PEERS = {
    "bare": Peer([str(BUILD / "bare"), "@port@"], rows("hello")),
    "moontrail": Peer(product(1), rows(
        "hello", "trailer", "fields", "json", "echo", "download", "grpc", "connect",
        "connect_json", "http1", *STORE, "publish", *REDIS, "postgres", "sqlite", *CROWDS),
        environment={**REDIS_PORT, **POSTGRES_PORT}),
    "C handler": Peer([str(BUILD / "chandler"), *listening("-w", "1")], rows(
        "hello", "trailer", "fields", "echo", "download", "http1")),
    "nghttpd": Peer(
        ["nghttpd", "-a", "127.0.0.1", "-n", "1", "-d", "@www@", "@port@", "@key@", "@cert@"],
        [Row("hello", ", file"), Row("download")]),
    "h2o": Peer(["h2o", "-c", "@folder@/h2o.conf"],
                [Row("hello", ", file"), Row("hello", ", mruby", "/mruby"), Row("download"),
                 Row("http1", ", file")], config("h2o.conf")),
    "nginx": Peer(["nginx", "-e", "stderr", "-c", "@folder@/nginx.conf"],
                  [*(Row(case, " + Lua") for case in ("hello", "fields", "json", "echo", "http1", *STORE)),
                   *(Row(case, " + lua-nginx-redis") for case in REDIS),
                   Row("download"), Row("proxy")], config("nginx.conf")),
    "HAProxy": Peer(["haproxy", "-db", "-f", "@folder@/haproxy.cfg"],
                    [Row("hello", " + Lua"), Row("proxy")],
                    config("haproxy.cfg", "haproxy.lua")),
    "lighttpd": Peer(["lighttpd", "-D", "-f", "@folder@/lighttpd.conf"],
                     [*(Row(case, " + Lua") for case in ("hello", "fields", "http1")),
                      Row("download")],
                     config("lighttpd.conf", "lighttpd_hello.lua", "lighttpd_fields.lua")),
    "Go net/http": Peer([str(BUILD / "httpd-go"), ADDRESS, *TLS_FILES], rows(
        "hello", "trailer", "fields", "json", "echo", "download", "http1")),
    "Node http2": Peer(["node", str(HERE / "peers" / "httpd.js"), "@port@", *TLS_FILES], rows(
        "hello", "trailer", "fields", "json", "echo", "http1")),
    "Node ioredis": Peer(
        ["node", str(HERE / "peers" / "httpd.js"), "@port@", *TLS_FILES], rows(*REDIS),
        environment={**REDIS_PORT, "NODE_PATH": str(ROOT / "build" / "ioredis" / "node_modules")},
        opened=False),
    "Node pg": Peer(
        ["node", str(HERE / "peers" / "httpd.js"), "@port@", *TLS_FILES], rows("postgres"),
        environment={**POSTGRES_PORT, "NODE_PATH": str(ROOT / "build" / "pg" / "node_modules")},
        opened=False),
    "grpc-go": Peer([str(BUILD / "greeter-go"), ADDRESS, *TLS_FILES], rows("grpc"), opened=False),
    "grpc C++": Peer([str(BUILD / "greeter-cc"), ADDRESS, *TLS_FILES], rows("grpc"), opened=False),
    "grpc-js": Peer(
        ["node", str(HERE / "peers" / "greeter.js"), ADDRESS, *TLS_FILES,
         str(HERE / "scripts" / "greeter.proto")], rows("grpc"),
        environment={"NODE_PATH": str(ROOT / "build" / "grpcjs" / "node_modules")}, opened=False),
    "moontrail, proxy": proxying("http"),
    "moontrail, proxy to h2c": proxying("h2c"),
    "moontrail, 1 worker": many_workers(1),
    "moontrail, 2 workers": many_workers(2),
}
