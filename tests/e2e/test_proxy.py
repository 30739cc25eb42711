"""Requests that another server answers: what reaches it, and what comes back."""
import json
import re
import socket
import threading
import time

import pytest

from handlers import ECHO, SIZE
from server import Server, run, write_scripts
from upstreams import Http2Upstream, Upstream, always, chunked, free_port, response

INNER = {
    "protocol.lua": "return function(ctx) ctx:text(ctx:protocol()) end",
    "echo.lua": ECHO,
    "size.lua": SIZE,
    "head.lua": """
        return function(ctx)
            ctx:json { method = ctx.method, path = ctx.path, query = ctx.query,
                       scheme = ctx.scheme, authority = ctx.authority, headers = ctx.headers }
        end""",
    "[...rest].lua": "return function(ctx) ctx:text(ctx.path .. '?' .. (ctx.query or '')) end",
    "trailers.lua": """
        return function(ctx)
            ctx:body()
            ctx:declare_trailer("x-sum")
            ctx:text("body")
            if ctx:supports_trailers() then
                ctx:append_trailer("x-sum", ctx:request_trailers()["x-given"] or "none")
            end
        end""",
    "only.lua": 'return function(ctx) ctx:append_trailer("grpc-status", "5") end',
    "status.lua": """
        return function(ctx)
            ctx:status(math.tointeger(ctx.query))
            ctx:header("x-status", ctx.query)
            ctx:text("text")
        end""",
    "inform.lua": """
        return function(ctx)
            ctx:inform(103, { link = "</a.css>" })
            ctx:inform(103, { link = "</b.css>" })
            ctx:text("page")
        end""",
    "reset.lua": """
        return function(ctx)
            ctx:write("begun")
            ctx:flush()
            ctx:reset(ctx.query)
        end""",
    "early.lua": 'return function(ctx) ctx:status(413); ctx:text("too much") end',
}


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), INNER))
    yield server
    server.stop()


def edge_of(inner, hop):
    """A server in front of another, which it speaks to as the hop says."""
    url = {"http/1.1": inner.http, "h2c": inner.http.replace("http:", "h2c:"),
           "https": inner.https}[hop]
    return Server(None, "--upstream", url, "--upstream-insecure")


@pytest.fixture(scope="module", params=["http/1.1", "h2c", "https"])
def edge(request, inner):
    server = edge_of(inner, request.param)
    server.hop = request.param
    yield server
    server.stop()


@pytest.fixture
def client(edge, connect):
    return connect(edge.https)


@pytest.fixture
def serve(start, connect, upstream):
    """A client of an edge in front of one upstream that answers each request with these bytes."""
    def begin(answer, *options):
        requests = []
        one = upstream(always(answer, requests))
        client = connect(start(None, "--upstream", one.url, *options).https)
        client.requests = requests
        return client
    return begin


# What is seen on each hop.

def test_protocol_of_each_hop(edge, client, http1):
    spoken = "HTTP/1.1" if edge.hop == "http/1.1" else "HTTP/2"
    assert client.fetch("/protocol").text == spoken
    assert http1(edge.http).fetch("/protocol").text == spoken
    assert http1(edge.https).fetch("/protocol").text == spoken


def test_request_as_the_upstream_sees_it(edge, inner, client):
    seen = json.loads(client.fetch("/head?a=b%20c", headers=[
        ("x-two", "1"), ("x-two", "2"), ("cookie", "a=1"), ("cookie", "b=2"),
        ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "ftp")]).text)
    host, headers = edge.https.removeprefix("https://"), seen["headers"]
    assert (seen["method"], seen["path"], seen["query"]) == ("GET", "/head", "a=b%20c")
    assert seen["authority"] in (inner.http.removeprefix("http://"),
                                 inner.https.removeprefix("https://"))
    assert seen["scheme"] == ("https" if edge.hop == "https" else "http")
    assert headers["x-two"] == "1, 2" and headers["cookie"] == "a=1; b=2"
    assert headers["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-host"] == host
    assert headers["forwarded"] == f'for=127.0.0.1;host="{host}";proto=https'
    assert headers["via"] == "2.0 moontrail"
    assert headers["te"] == "trailers"


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 1024])
def test_bodies_both_ways(client, body):
    response = client.fetch("/echo", "POST", body=body)
    assert (response.status, response.body) == (200, body)


def test_turns_in_both_directions(edge, connect):
    client = connect(edge.https)
    stream = client.request("/echo", "POST", end=False)
    said = b""
    for turn in range(20):
        said += b"turn %d, " % turn
        client.send(stream, b"turn %d, " % turn)
        client.wait(lambda: client.so_far(stream).body == said)
    client.send(stream, end=True)
    assert client.response(stream).ended


def test_trailers_both_ways(client):
    stream = client.request("/trailers", "POST", end=False)
    client.send(stream, b"body")
    client.h2.send_headers(stream, [("x-given", "42")], end_stream=True)
    client.flush()
    response = client.response(stream)
    assert response.header("trailer") == "x-sum"
    assert (response.text, response.trailers) == ("body", [("x-sum", "42")])
    assert client.frames(stream) == ["HEADERS", "DATA", "HEADERS END_STREAM"]


def test_trailers_without_a_body(client):
    stream = client.request("/only")
    assert client.response(stream).trailers == [("grpc-status", "5")]
    assert client.frames(stream) == ["HEADERS", "HEADERS END_STREAM"]


def test_trailers_of_http1_clients(edge, http1):
    client = http1(edge.http)
    assert client.fetch("/trailers", headers=[("te", "trailers")]).trailers == [("x-sum", "none")]
    plain = client.fetch("/trailers")
    assert (plain.text, plain.trailers) == ("body", None)


@pytest.mark.parametrize("status", [200, 204, 206, 304, 404, 500, 503])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_statuses_and_methods(client, method, status):
    response = client.fetch(f"/status?{status}", method)
    assert (response.status, response.header("x-status")) == (status, str(status))
    has_body = method != "HEAD" and status not in (204, 304)
    assert response.text == ("text" if has_body else "")


def test_length_of_a_head(client):
    assert client.fetch("/protocol", "HEAD").header("content-length") in ("6", "8")


def test_interim_responses(client):
    response = client.fetch("/inform")
    assert response.informs == [(103, [("link", "</a.css>")]), (103, [("link", "</b.css>")])]
    assert response.text == "page"


def test_interim_responses_of_http1_clients(edge, http1):
    response = http1(edge.http).fetch("/inform")
    assert [status for status, _ in response.informs] == [103, 103]
    assert response.text == "page"


@pytest.mark.parametrize("code", ["CANCEL", "INTERNAL_ERROR", "ENHANCE_YOUR_CALM"])
def test_reset_of_the_upstream(edge, client, code):
    numbers = {"CANCEL": 8, "INTERNAL_ERROR": 2, "ENHANCE_YOUR_CALM": 11}
    response = client.fetch(f"/reset?{code}")
    assert (response.status, response.body) == (200, b"begun")
    assert response.reset == (2 if edge.hop == "http/1.1" else numbers[code])


def test_early_answer_ends_the_upload(client):
    stream = client.request("/early", "POST", end=False)
    client.send(stream, bytes(1000))
    assert client.response(stream).text == "too much"
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.reset_code(stream) == 0
    assert client.fetch("/protocol").status == 200


def test_expectation_reaches_the_upstream(edge, http1):
    client = http1(edge.http)
    number = client.request("/size", "POST", [("expect", "100-continue"), ("content-length", "5")],
                            end=False)
    client.wait(lambda: client.so_far(number).informs)
    assert client.so_far(number).informs[0][0] == 100
    client.send(number, b"hello")
    assert client.response(number).text == "5"


def test_connections_are_reused(edge, inner, connect):
    before = len(inner.lines("connection opened"))
    client = connect(edge.https)
    for _ in range(50):
        assert client.fetch("/protocol").status == 200
    assert len(inner.lines("connection opened")) - before <= 1


# What an upstream of HTTP/1.1 receives.

def test_request_as_bytes(serve):
    client = serve(response(b"ok"))
    client.fetch("/a?b", "POST", body=b"body", headers=[("content-length", "4")])
    client.fetch("/c", headers=[("te", "trailers"), ("proxy-authorization", "Basic x")])
    first, second = client.requests
    assert first.line == "POST /a?b HTTP/1.1" and first.body == b"body"
    assert first.values("content-length") == ["4"] and not first.values("transfer-encoding")
    assert len(first.values("host")) == 1
    assert second.value("te") == "trailers" and "te" in second.value("connection").lower()
    assert not second.values("proxy-authorization") and not second.values("content-length")


def test_body_of_unknown_length_goes_in_chunks(serve):
    client = serve(response(b"ok"))
    stream = client.request("/a", "POST", end=False)
    client.send(stream, b"one")
    time.sleep(0.3)
    client.send(stream, b"two", end=True)
    assert client.response(stream).text == "ok"
    assert client.requests[0].values("transfer-encoding") == ["chunked"]
    assert client.requests[0].body == b"onetwo"


def test_fields_named_by_connection_stay(start, http1, upstream):
    requests = []
    one = upstream(always(response(b"ok"), requests))
    client = http1(start(None, "--upstream", one.url).http)
    client.fetch("/", headers=[("connection", "x-hop, close"), ("x-hop", "1"), ("x-end", "2"),
                               ("connection", "X-Other"), ("x-other", "3")])
    assert not requests[0].values("x-hop") and not requests[0].values("x-other")
    assert requests[0].values("x-end") == ["2"]


def test_host_of_the_client_where_it_is_to_go_on(start, connect, upstream):
    requests = []
    one = upstream(always(response(b"ok"), requests))
    for options, host in ((), f"127.0.0.1:{one.port}"), (("--upstream-pass-host",), None):
        edge = start(None, "--upstream", one.url, *options)
        connect(edge.https).fetch("/")
        assert requests[-1].values("host") == [host or edge.https.removeprefix("https://")]


def test_length_wins_over_trailers_unless_declared(start, http1, upstream):
    """An upstream of HTTP/2 may send both; HTTP/1.1 has only room for one."""
    def answer(connection, h2, event):
        if type(event).__name__ != "StreamEnded":
            return
        h2.send_headers(event.stream_id, [(":status", "200"), ("content-length", "2"),
                                          ("trailer", "sum")])
        h2.send_data(event.stream_id, b"ok")
        h2.send_headers(event.stream_id, [("sum", "1")], end_stream=True)

    one = upstream(answer, Http2Upstream)
    client = http1(start(None, "--upstream", one.h2c).http)
    with_trailers = client.fetch("/", headers=[("te", "trailers")])
    assert (with_trailers.framing, with_trailers.trailers) == ("chunked", [("sum", "1")])
    without = client.fetch("/")
    assert (without.framing, without.trailers, without.body) == ("length", None, b"ok")


# Responses of HTTP/1.1, and how they are framed on.

def test_response_fields(serve):
    client = serve(response(b"ok", "299 Fine", "X-Mine: a", "connection: x-hop", "x-hop: 1",
                            "keep-alive: timeout=5", "set-cookie: a=1", "Set-Cookie: b=2",
                            "date: Sun, 06 Nov 1994 08:49:37 GMT", "server: other"))
    got = client.fetch("/")
    assert got.status == 299
    assert got.header("x-mine") == "a" and got.header("server") == "other"
    assert got.header("set-cookie") == "a=1, b=2"
    assert got.header("date") == "Sun, 06 Nov 1994 08:49:37 GMT"
    for name in ("x-hop", "connection", "keep-alive"):
        assert got.header(name) is None


def test_chunks_and_trailers_of_http1(serve):
    client = serve(chunked(b"one", b"two", trailers=["x-sum: 6", "content-length: 9", "host: a"]))
    got = client.fetch("/")
    assert (got.text, got.trailers) == ("onetwo", [("x-sum", "6")])
    assert got.header("transfer-encoding") is None


def test_response_until_close(start, connect, upstream):
    def answer(connection):
        connection.request()
        connection.write(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    client = connect(start(None, "--upstream", upstream(answer).url).https)
    for _ in range(3):
        got = client.fetch("/")
        assert (got.status, got.text, got.ended) == (200, "all of it", True)


def test_http10_client(start, http1, upstream):
    """Chunks become a body up to the end of the connection."""
    edge = start(None, "--upstream", upstream(always(chunked(b"one", b"two"))).url)
    got = http1(edge.http, version="HTTP/1.0").fetch("/")
    assert (got.framing, got.body, got.ended) in (("close", b"onetwo", True),
                                                  ("length", b"onetwo", True))


def test_expectation_that_is_refused(start, http1, upstream):
    """The body is never asked for, and never sent."""
    def answer(connection):
        connection.head()
        connection.write(response(b"no", "417 Expectation Failed"))

    client = http1(start(None, "--upstream", upstream(answer).url).http)
    number = client.request("/", "POST", [("expect", "100-continue"), ("content-length", "5")],
                            end=False)
    got = client.response(number)
    assert (got.code, got.informs, got.body) == (417, [], b"no")


def test_expectation_that_is_ignored(start, http1, upstream):
    client = http1(start(None, "--upstream", upstream(always(response(b"ok"))).url).http)
    number = client.request("/", "POST", [("expect", "100-continue"), ("content-length", "5")],
                            end=False)
    client.wait(lambda: client.so_far(number).informs)
    client.send(number, b"hello")
    assert client.response(number).text == "ok"


def test_too_many_interim_responses(serve):
    client = serve(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 100 + response(b"ok"))
    got = client.fetch("/")
    assert (got.text, len(got.informs)) == ("ok", 32)


def test_unix_socket(start, connect, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer():
            sock, _ = listener.accept()
            sock.recv(65536)
            sock.sendall(response(b"by a file"))
            sock.recv(1)

        threading.Thread(target=answer, daemon=True).start()
        client = connect(start(None, "--upstream", f"unix:{path}").https)
        assert client.fetch("/").text == "by a file"


# Several upstreams, and prefixes.

def names(start, connect, upstream, count, *options):
    """Upstreams that say their number, and a client of the edge in front of all."""
    made = [upstream(always(response(str(i).encode()))) for i in range(count)]
    words = [word for one in made for word in ("--upstream", one.url)]
    return made, connect(start(None, *words, *options).https)


def test_upstreams_take_turns(start, connect, upstream):
    _, client = names(start, connect, upstream, 3)
    assert [client.fetch("/").text for _ in range(6)] == ["0", "1", "2"] * 2


def test_upstream_that_is_down_is_left_out(start, connect, upstream):
    one = upstream(always(response(b"up")))
    edge = start(None, "--upstream", f"http://127.0.0.1:{free_port()}", "--upstream", one.url,
                 "--upstream-max-failures", "2", "--upstream-recovery", "60")
    client = connect(edge.https)
    assert [client.fetch("/", "POST", body=b"x").text for _ in range(10)] == ["up"] * 10
    assert len(edge.lines("upstream left out")) == 1
    assert len(edge.lines("upstream retried")) == 2


@pytest.mark.parametrize("size", [20000, 60000, 1000000])
def test_bodies_go_elsewhere_where_no_connection_came_about(start, connect, inner, size):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens
        edge = start(None, "--upstream", f"http://127.0.0.1:{deaf.getsockname()[1]}", "--upstream",
                     inner.http, "--upstream-max-failures", "0")
        client = connect(edge.https)
        for _ in range(4):
            assert client.fetch("/size", "POST", body=bytes(size)).text == str(size)
        assert len(edge.lines("upstream retried")) == 2


def test_upstream_comes_back(start, connect, upstream):
    port = free_port()
    other = upstream(always(response(b"other")))
    edge = start(None, "--upstream", f"http://127.0.0.1:{port}", "--upstream", other.url,
                 "--upstream-max-failures", "1", "--upstream-recovery", "0.5")
    client = connect(edge.https)
    assert [client.fetch("/").text for _ in range(3)] == ["other"] * 3

    with socket.create_server(("127.0.0.1", port)) as listener:
        def answer():
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                sock.recv(65536)
                sock.sendall(response(b"back", "200 OK", "connection: close"))
                sock.close()

        threading.Thread(target=answer, daemon=True).start()
        edge.wait_until(lambda: client.fetch("/").text == "back")
        listener.shutdown(socket.SHUT_RDWR)


def test_prefixes_and_scripts(start, connect, inner):
    edge = start({"own.lua": "return function(ctx) ctx:text('own') end"},
                 "--upstream", f"/api/={inner.http}", "--upstream", f"/v1={inner.http}/base/")
    client = connect(edge.https)
    assert client.fetch("/own").text == "own"
    assert client.fetch("/other").status == 404
    assert client.fetch("/api").status == 404
    assert client.fetch("/api/x?y").text == "/api/x?y"
    assert client.fetch("/v1/x?y=1").text == "/base/x?y=1"
    assert client.fetch("/v1/../own").status == 400
    for path in ("%2e%2e/own", "..%2fown", "%2e%2e%2Fown", "x%2f..%2f..%2fown", "..;/own", "x%5c.%2e%5cown", "..%00"):
        assert client.fetch("/api/" + path).status == 400
        assert client.fetch("/%61pi/" + path).status == 400
        assert client.fetch("/v1/" + path).status == 400
    for path in ("/api/a%2Fb", "/api/...", "/api/a;b/c", "/api/..x/y.."):
        assert client.fetch(path).text == path + "?"


def test_prefixes_in_the_file(start, connect, inner, tmp_path):
    file = tmp_path / "moontrail.lua"
    file.write_text(f'return {{ upstream = {{ "/api/={inner.http}", "{inner.http}" }} }}')
    client = connect(start(None, "-c", file).https)
    assert client.fetch("/api/x").text == "/api/x?"
    assert client.fetch("/y").text == "/y?"


@pytest.mark.parametrize("option, why", [
    ("ftp://a", "begins with none of"), ("/api", "is no URL"), ("http://", "has no host"),
    ("/a=http://b/c?d", "has a query")])
def test_upstream_that_is_none(option, why):
    done = run("--check", "--upstream", option)
    assert done.returncode == 1 and re.fullmatch(f"moontrail: upstream .*{why}.*\n", done.stderr)


HANDLER = "return function() end"
MADE = """
local f = function() end
return setmetatable({}, { __routes = function() return { %s } end })
"""


def test_scripts_that_would_get_nothing(tmp_path):
    write_scripts(tmp_path, {"a.lua": "return function() end"})
    done = run("--check", "--upstream", "http://a", tmp_path)
    assert done.returncode == 1 and "would get no request" in done.stderr


UNREACHED = {
    "below": ({"api/users.lua": HANDLER}, ["/api=http://a"],
              ("api/users.lua", '"/api/users"', '"/api"')),
    "itself": ({"api.lua": HANDLER}, ["/api=http://a"], ("api.lua", '"/api"', '"/api"')),
    "parameter": ({"api/[id].lua": HANDLER}, ["/api/=http://a"],
                  ("api/[id].lua", '"/api/[id]"', '"/api/"')),
    "rest": ({"api/[...rest].lua": HANDLER}, ["/api=http://a"],
             ("api/[...rest].lua", '"/api/[...rest]"', '"/api"')),
    "every route of several": (
        {"made.lua": MADE % '["/api/x"] = f, ["/v2/y"] = f'}, ["/api=http://a", "/v2=http://a"],
        ("made.lua", '"/api/x"', '"/api"')),
    "one file with routes": (
        {"one.lua": MADE % '["/api/x"] = f'}, ["/api=http://a"],
        ("one.lua", '"/api/x"', '"/api"')),
}


@pytest.mark.parametrize("case", UNREACHED)
def test_script_that_gets_no_request(tmp_path, case):
    scripts, upstreams, names = UNREACHED[case]
    write_scripts(tmp_path, {"other.lua": HANDLER, **scripts})
    path = tmp_path / "one.lua" if case.startswith("one") else tmp_path
    options = [word for upstream in upstreams for word in ("--upstream", upstream)]
    done = run("--check", *options, path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "gets no request" in done.stderr and all(name in done.stderr for name in names)
    started = run("--listen", "http://127.0.0.1:0", *options, path)
    assert started.returncode == 1 and "gets no request" in started.stderr


@pytest.mark.parametrize("scripts", [
    {"[...rest].lua": HANDLER}, {"[name]/users.lua": HANDLER}, {"apis.lua": HANDLER},
    {"made.lua": MADE % '["/api/x"] = f, ["/other"] = f'}])
def test_script_that_is_below_a_prefix_in_part(tmp_path, scripts):
    write_scripts(tmp_path, scripts)
    assert run("--check", "--upstream", "/api=http://a", tmp_path).returncode == 0


def test_check_lists_upstreams():
    done = run("--check", "--upstream", "http://a:1/base", "--upstream", "/x/=h2c://b")
    assert (done.returncode, done.stdout) == (0, "/x/*  h2c://b\n/*  http://a:1/base\n")
