"""What is measured: the requests, the answers that are right, and how each is driven."""
import json
from dataclasses import dataclass, field

HELLO = b"Hello world\n"
BARE = ("hello", "bare")
ITEMS = [
    {"id": number, "name": f"item number {number}", "price": 1999, "available": True,
     "tags": ["red", "large"]}
    for number in range(1001, 1039)
]
FIELDS = {
    "user-agent": "bench/1",
    "accept": "text/html",
    "accept-language": "en-GB",
    "x-request-id": "0123456789abcdef",
    "cookie": "theme=dark",
}
QUERY = "a=1&b=two"
GRPC_FIELDS = {"content-type": "application/grpc", "te": "trailers"}


def text_is(wanted):
    return lambda body: body == wanted


def json_is(wanted):
    return lambda body: json.loads(body) == wanted


def grpc_message(text):
    """A message whose field 1 is this text, in its frame."""
    message = b"\x0a" + bytes([len(text)]) + text
    return b"\0" + len(message).to_bytes(4, "big") + message


@dataclass(frozen=True)
class Case:
    """One kind of request. Ratios are to the row that `reference` names by its case and label."""

    title: str
    path: str
    reference: tuple
    is_right: callable = text_is(HELLO)
    trailers: dict = field(default_factory=dict)
    fields: dict = field(default_factory=dict)
    data: bytes = None
    http1: bool = False
    tls: bool = True
    connections: int = 50
    streams: int = 20
    client_threads: int = 1


def crowd(connections):
    """Hello on many connections, one stream each; without TLS, whose handshakes would drown it."""
    return Case(f"{connections:,} connections (h2c, one stream each)", "/hello",
                ("crowd10", "moontrail"), tls=False, connections=connections, streams=1)


CASES = {
    "hello": Case("Hello", "/hello", BARE),
    "middleware": Case("Hello behind an empty middleware", "/wrapped/hello", BARE),
    "trailer": Case("Hello with a declared and an appended trailer", "/trailer", BARE,
                    trailers={"trailername": "trailervalue"}),
    "fields": Case("Five header fields and the query", f"/fields?{QUERY}", BARE,
                   text_is(",".join([*FIELDS.values(), QUERY]).encode() + b"\n"), fields=FIELDS),
    "json": Case("JSON of 4 KB", "/json", BARE, json_is({"items": ITEMS})),
    "echo": Case("Echo of 16 KB", "/echo", ("echo", "C handler"), text_is(b"e" * 16384),
                 data=b"e" * 16384),
    "download": Case("Download of 1 MiB", "/download", ("download", "nghttpd"),
                     text_is(bytes(1 << 20)), connections=10, streams=2),
    "grpc": Case("gRPC unary", "/bench.Greeter/SayHello", ("grpc", "grpc-go"),
                 text_is(grpc_message(b"Hello world")), {"grpc-status": "0"}, GRPC_FIELDS,
                 grpc_message(b"world")),
    "connect": Case("The same call by Connect", "/bench.Greeter/SayHello", ("grpc", "moontrail"),
                    text_is(grpc_message(b"Hello world")[5:]),
                    fields={"content-type": "application/proto", "connect-protocol-version": "1"},
                    data=grpc_message(b"world")[5:]),
    "connect_json": Case("The same call by Connect, in JSON", "/bench.Greeter/SayHello",
                         ("grpc", "moontrail"), json_is({"message": "Hello world"}),
                         fields={"content-type": "application/json"}, data=b'{"name":"world"}'),
    "proxy": Case("Reverse proxy, to HTTP/1.1 where no other is named", "/proxied",
                  ("proxy", "nginx")),
    "http1": Case("Hello over HTTP/1.1 (TLS)", "/hello", ("http1", "nginx + Lua"), http1=True,
                  streams=1),
    "get": Case("One get of what all workers share", "/store?get", ("get", "nginx + Lua")),
    "set": Case("One set of it", "/store?set", ("set", "nginx + Lua")),
    "incr": Case("One increment of it", "/store?incr", ("incr", "nginx + Lua")),
    "publish": Case("A message published, to one subscriber", "/store?publish",
                    ("publish", "moontrail")),
    "redis": Case("One GET of Redis", "/redis?get", ("redis", "nginx + lua-nginx-redis")),
    "redis_pipeline": Case("A pipeline of 20 GET of Redis", "/redis?pipeline",
                           ("redis_pipeline", "nginx + lua-nginx-redis")),
    "postgres": Case("One select by key in PostgreSQL", "/sql?postgres", ("postgres", "Node pg")),
    "sqlite": Case("One select by key in SQLite", "/sql?sqlite", ("sqlite", "moontrail")),
    "crowd10": crowd(10),
    "crowd100": crowd(100),
    "crowd1000": crowd(1000),
    "crowd5000": crowd(5000),
    "workers": Case("Workers, not pinned to one core", "/hello", ("workers", "moontrail, 1 worker"),
                    client_threads=2),
}
