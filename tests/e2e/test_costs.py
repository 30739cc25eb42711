"""What a handler pays for a byte that a client sends: no more in a large request than in a small
one. Each pattern is the worst that a function of ctx can be given."""
import socket
from urllib.parse import urlsplit

import pytest

from server import Server, write_scripts

KIB = 1024
# What is worked on is bounded by the memory of a request, or by its body's limit.
MANY_FIELDS, LONG_FIELD = (2 * KIB, 16 * KIB), (64 * KIB, 256 * KIB)
BODY = 64 * KIB, 1024 * KIB, 4096 * KIB
SLACK = 5  # what large memory costs beside small, and a machine that is busy

# The handler's CPU time for a call, as the clock tells it over many, and for each byte of a text that
# is made in one piece: what costs less than that is bound by memory. Trailers are made into a table
# as headers are, and at each call.
SCRIPTS = {"cost/[what].lua": """
    local calls = {
        trailers = function(ctx) for _ in pairs(ctx:request_trailers()) do end end,
        cookie = function(ctx) ctx:cookie("none") end,
        args = function(ctx) ctx:args() end,
        form = function(ctx) ctx:form(8 << 20) end,
    }
    local function measure(f, ...)
        local count, from, taken = 0, os.clock(), 0
        repeat
            pcall(f, ...)
            count, taken = count + 1, os.clock() - from
        until taken > 0.02
        return taken / count
    end
    local function once(f, ...)
        local from = os.clock()
        pcall(f, ...)
        return os.clock() - from
    end
    return function(ctx)
        local what = ctx.params.what
        if what == "trailers" then ctx:body() end
        local text = ("X"):rep(1 << 20)
        local cost = (what == "form" and once or measure)(calls[what], ctx)
        ctx:text(("%.9f %.9f"):format(cost, measure(text.lower, text) / #text))
    end"""}


def fields(make):
    """A list of fields of so many bytes in all."""
    def of(size):
        lines, length = [], 0
        while length < size:
            lines.append(make(len(lines)))
            length += len(lines[-1]) + 2
        return "\r\n".join(lines) + "\r\n"
    return of


def field(name, text):
    return lambda size: f"{name}: {text * (size // len(text))}\r\n"


def arguments(count, text):
    """So many arguments, which share the bytes."""
    return lambda size: "&".join([text * (size // count // len(text))] * count)


LISTS = {
    "one name": fields(lambda i: "x-a: b"),
    "one name, and nothing": fields(lambda i: "a:"),
    "other names": fields(lambda i: f"x-{i}: b"),
    "two names by turns": fields(lambda i: f"x-{i % 2}: b"),
    "30 names by turns": fields(lambda i: f"x-{i % 30}: b"),
    "long names": fields(lambda i: f"x-{i}-{'x' * 60}: b"),
    "one long field": field("x-a", "b, "),
    "24 fields": lambda size: "".join(f"x-{i % 4}: {'b' * (size // 24)}\r\n" for i in range(20)),
}
COOKIES = {
    "pairs": field("cookie", "a=b; "), "semicolons": field("cookie", ";"),
    "equals": field("cookie", "="), "spaces": field("cookie", " ;"),
    "white space": lambda size: f"cookie: a{' ' * size}=b{' ' * size};x\r\n",
    "quotes": field("cookie", 'none ="";'), "many": fields(lambda i: "cookie: a=b"),
}
ARGUMENTS = {
    "escapes": arguments(1000, "%41"), "half escapes": arguments(1000, "%4%"),
    "one name": lambda size: arguments(1000, "b")(size).replace("b&b", "b&a=b"),
    "one": arguments(1, "%41="), "too many": lambda size: "a&" * (size // 2),
    "empty": lambda size: "&" * size, "equals": lambda size: "=" * size,
    "pluses": arguments(500, "+"),
}

CASES = [("TRAILERS", "trailers", name, make, MANY_FIELDS) for name, make in LISTS.items()]
CASES += [("GET", "cookie", name, make, MANY_FIELDS if name == "many" else LONG_FIELD)
          for name, make in COOKIES.items()]
CASES += [("GET", "args", name, make, LONG_FIELD) for name, make in ARGUMENTS.items()]
CASES += [("POST", "form", name, make, BODY) for name, make in ARGUMENTS.items()]


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    """A server that takes such heads at all."""
    server = Server(write_scripts(tmp_path_factory.mktemp("costs"), SCRIPTS),
                    "--max-header-bytes", 1 << 30, "--max-header-fields", 1 << 24,
                    "--body-limit", 1 << 24, "--max-cpu", 0)
    yield server
    server.stop()


def request(method, what, text):
    close = "Host: a.test\r\nConnection: close\r\n"
    if what == "args":
        return f"GET /cost/args?{text} HTTP/1.1\r\n{close}\r\n"
    if method == "GET":
        return f"GET /cost/{what} HTTP/1.1\r\n{close}{text}\r\n"
    if method == "TRAILERS":
        return (f"POST /cost/{what} HTTP/1.1\r\n{close}Transfer-Encoding: chunked\r\n\r\n"
                f"0\r\n{text}\r\n")
    return (f"POST /cost/{what} HTTP/1.1\r\n{close}Content-Length: {len(text)}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\n\r\n{text}")


def measure(server, data, size):
    """What a byte costs, and what the text of one does."""
    url = urlsplit(server.http)
    with socket.create_connection((url.hostname, url.port)) as s:
        s.sendall(data)
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    cost, plain = map(float, answer.rpartition(b"\r\n\r\n")[2].split())
    return cost / size, plain


def growth(server, small, large):
    before = min(measure(server, *small) for _ in range(3))
    after = min(measure(server, *large) for _ in range(2))
    return after[0] / max(before[0], after[1])


@pytest.mark.parametrize("method, what, name, make, sizes", CASES,
                         ids=[f"{case[1]}: {case[2]}" for case in CASES])
def test_a_byte_costs_the_same_in_a_large_request(roomy, method, what, name, make, sizes):
    requests = [(request(method, what, make(size)).encode(), size) for size in sizes]
    for large in requests[1:]:
        # Asked again where the machine was busy.
        assert any(growth(roomy, requests[0], large) < SLACK for _ in range(3))
