"""ctx:proxy: a handler that hands its request to another server."""
import json
import signal
from contextlib import ExitStack

import pytest

from client import Client
from handlers import ECHO
from http1 import Http1
from server import Server, write_scripts
from upstreams import Http2Upstream, always, free_port, response

INNER = {
    "echo.lua": ECHO,
    "trailers.lua": """
        return function(ctx)
            ctx:text(ctx:body())
            ctx:append_trailer("x-sum", "42")
        end""",
    "seen.lua": """
        return function(ctx)
            ctx:json { method = ctx.method, authority = ctx.authority, query = ctx.query,
                       headers = ctx.headers }
        end""",
    "[...rest].lua": "return function(ctx) ctx:text(ctx.path .. '?' .. (ctx.query or '')) end",
    "fields.lua": """
        return function(ctx)
            ctx:header { ["cache-control"] = "no-store", ["x-inner"] = "1" }
            ctx:text("ok")
        end""",
}

# UPSTREAM and OTHER stand for URLs.
SCRIPTS = {
    "[...rest].lua": "return function(ctx) ctx:proxy('UPSTREAM') end",
    "base.lua": "return function(ctx) ctx:proxy('UPSTREAM/base') end",
    "path.lua": "return function(ctx) ctx:proxy('UPSTREAM', { path = '/other?x=1' }) end",
    "seen.lua": """
        return function(ctx)
            ctx:proxy("UPSTREAM", { headers = { ["X-Given"] = 7, via = false, host = "a.test",
                                                ["x-came"] = "replaced" } })
        end""",
    "fields.lua": """
        return function(ctx)
            ctx:header("cache-control", "max-age=5")
            ctx:add_header("x-own", "2")
            ctx:proxy("UPSTREAM")
        end""",
    "after.lua": """
        local mt = require "moontrail"
        return function(ctx)
            local status = ctx:proxy("UPSTREAM", { path = "/echo" })
            mt.log.info("after", { status = status })
            local ok, why = pcall(ctx.write, ctx, "more")
            mt.log.info("more", { ok = ok, why = why })
        end""",
    "part.lua": """
        return function(ctx)
            assert(ctx:read(5) == "taken")
            ctx:proxy("UPSTREAM", { path = "/echo" })
        end""",
    "down.lua": "return function(ctx) ctx:proxy('OTHER') end",
    "own/[...rest].lua": """
        return function(ctx)
            print("own gives", ctx:proxy("UPSTREAM"))
        end""",
    "moved/[...rest].lua": """
        return function(ctx)
            print("moved gives", ctx:proxy("UPSTREAM/base", { path = "/v2" .. ctx.path }))
        end""",
    "made.lua": """
        return function(ctx)
            local ok, why = pcall(ctx.proxy, ctx, "UPSTREAM", { path = "/a/../b" })
            ctx:text(why)
        end""",
    "late.lua": """
        return function(ctx)
            ctx:write("begun")
            ctx:flush()
            ctx:proxy("UPSTREAM")
        end""",
    "why.lua": """
        return function(ctx)
            local calls = {
                { "ftp://a" }, { "http://a/b?c" }, { "http://a?c" },
                { "UPSTREAM", { path = "other" } }, { "UPSTREAM", { time = 5 } },
                { "UPSTREAM", { timeout = 0 } }, { "UPSTREAM", { headers = { connection = "x" } } },
                { "UPSTREAM", { headers = { ["content-length"] = 5 } } },
                { "UPSTREAM", { headers = { ["a b"] = 5 } } },
                { "UPSTREAM", { headers = { a = "b\\r\\nc: d" } } },
                { "UPSTREAM", { headers = { a = {} } } }, { "UPSTREAM", { path = "/a b" } },
            }
            local said = {}
            for i, call in ipairs(calls) do
                said[i] = select(2, pcall(ctx.proxy, ctx, table.unpack(call)))
            end
            ctx:text(table.concat(said, "\\n"))
        end""",
}


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), INNER))
    yield server
    server.stop()


def scripts_for(folder, url, scripts=None):
    other = f"http://127.0.0.1:{free_port()}"
    return write_scripts(folder, {
        name: text.replace("UPSTREAM", url).replace("OTHER", other)
        for name, text in (scripts or SCRIPTS).items()})


@pytest.fixture(scope="module")
def server(inner, tmp_path_factory):
    server = Server(scripts_for(tmp_path_factory.mktemp("edge"),
                                inner.http.replace("http:", "h2c:")))
    yield server
    server.stop()


@pytest.fixture
def one(start, tmp_path):
    """Starts a server with one handler in front of an upstream."""
    def begin(url, handler, *options):
        return start(scripts_for(tmp_path / "one", url, {"index.lua": handler}), *options)
    return begin


# What goes there, and what comes back.

def test_request_and_response(client):
    stream = client.request("/trailers", "POST", body=b"body")
    got = client.response(stream)
    assert (got.status, got.text, got.trailers) == (200, "body", [("x-sum", "42")])


def test_bodies_both_ways(client):
    body = bytes(range(256)) * 4096
    assert client.fetch("/echo", "POST", body=body).body == body


def test_paths(client):
    assert client.fetch("/a/b?c").text == "/a/b?c"
    assert client.fetch("/base?q").text == "/base/base?q"
    assert client.fetch("/path?q").text == "/other?x=1"


def test_headers_of_the_request(client):
    seen = json.loads(client.fetch("/seen", headers=[("x-came", "1"), ("x-came", "2")]).text)
    assert seen["authority"] == "a.test"
    assert seen["headers"]["x-given"] == "7" and seen["headers"]["x-came"] == "replaced"
    assert "via" not in seen["headers"]


def test_headers_that_the_handler_has_set(client):
    got = client.fetch("/fields")
    assert got.header("cache-control") == "max-age=5"
    assert (got.header("x-own"), got.header("x-inner")) == ("2", "1")


def test_handler_goes_on_after_it(server, client):
    assert client.fetch("/after", "POST", body=b"body").text == "body"
    server.wait_for("after status=200")
    server.wait_for("more .*the response has ended")


def test_body_of_which_a_part_was_read(client):
    got = client.fetch("/part", "POST", body=b"taken and passed on",
                       headers=[("content-length", "19")])
    assert got.text == " and passed on"


def test_unreachable(client):
    assert client.fetch("/down").status == 502


@pytest.fixture(params=[Client, Http1])
def connect_by(request):
    """Opens connections of each version of HTTP."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(request.param(url))


@pytest.mark.parametrize("path", [
    "/a/..%2fb", "/a%2f../b", "/a/x%5c..%5cb", "/a/..;/b", "/a/.;x"])
def test_dots_of_the_clients_are_its_own_fault(server, connect_by, path):
    """What the router takes as no dots of its own, and the other server might."""
    client = connect_by(server.http)
    for way in "own", "moved":
        for method, body in ("GET", b""), ("POST", b"body"):
            assert client.fetch(f"/{way}{path}", method, body=body).status == 400
        server.wait_for(rf"{way} gives\\t400")
    assert client.fetch("/own/a%2Fb").text == "/own/a%2Fb?"
    assert "its path or a field is malformed" in client.fetch("/made").text


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "/./b", "/%2E"])
def test_dots_of_the_clients_to_a_single_script(inner, start, tmp_path, connect_by, path):
    scripts = scripts_for(tmp_path / "single", inner.http, {
        "one.lua": "return function(ctx) ctx:proxy('UPSTREAM') end"})
    client = connect_by(start(scripts / "one.lua").http)
    assert client.fetch(path).status == 400
    assert client.fetch("/b").text == "/b?"


def test_mistakes_raise(client):
    assert client.fetch("/why").text.splitlines() == [
        'upstream "ftp://a" begins with none of http://, https://, h2c://, unix:',
        'upstream "http://a/b?c" has a query, which belongs to requests',
        'upstream "http://a?c" has a query without a path: put a slash in front of it',
        "path is a string that begins with a slash",
        'option "time" is unknown: there are headers, path, response, retry and timeout',
        "timeout is a number of seconds above 0",
        'header "connection" is specific to the connection and set by the server',
        'header "content-length" is the server\'s to set',
        'header "a b" is not a valid field name',
        'header "a" has a value with a control character (CR, LF, NUL or the like)',
        'header "a" has a table as its value, not a string or false',
        "the request cannot be sent on: its path or a field is malformed",
    ]


def test_too_late(client, server):
    got = client.fetch("/late")
    assert (got.text, got.reset) == ("begun", 2)
    server.wait_for("ctx:proxy: a response was sent already")


# Ends before the end.

def silent(connection):
    connection.wait_closed()


def test_client_resets(one, upstream, connect):
    events = []
    made = upstream(lambda *event: events.append(event), Http2Upstream)
    server = one(made.h2c, """
        local mt = require "moontrail"
        return function(ctx)
            ctx:on_abort(function(reason) mt.log.info("aborted", { reason = reason }) end)
            local _ <close> = setmetatable({}, { __close = function()
                mt.log.info("closed", { reason = ctx:aborted() })
            end })
            ctx:proxy("UPSTREAM")
        end""")
    client = connect(server.https)
    stream = client.request("/")
    server.wait_until(lambda: len(events) > 2)  # SETTINGS, its acknowledgement, the request
    client.reset(stream, 5)
    server.wait_for("aborted reason=STREAM_CLOSED")
    server.wait_for("closed reason=STREAM_CLOSED")
    server.wait_until(lambda: made.resets)
    assert made.resets == [(1, 5)]


def test_upstream_cuts_the_response_short(one, upstream, connect):
    def cut(connection):
        connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbody")

    server = one(upstream(cut).url, """
        local mt = require "moontrail"
        return function(ctx)
            ctx:on_abort(function(reason) mt.log.info("aborted", { reason = reason }) end)
            ctx:proxy("UPSTREAM")
        end""")
    assert connect(server.https).fetch("/").reset == 2
    server.wait_for("aborted reason=INTERNAL_ERROR")


def test_timeout_of_its_own(one, upstream, connect):
    server = one(upstream(silent).url,
                 "return function(ctx) ctx:proxy('UPSTREAM', { timeout = 0.3 }) end")
    assert connect(server.https).fetch("/").status == 504


def test_deadline_of_the_handler(one, upstream, connect):
    server = one(upstream(silent).url, """
        return function(ctx)
            ctx:deadline(0.3)
            local ok, why = pcall(ctx.proxy, ctx, "UPSTREAM")
            ctx:deadline(nil)
            ctx:text(tostring(ok) .. " " .. why)
        end""")
    assert "deadline exceeded" in connect(server.https).fetch("/").text


def test_another_task_resets(one, upstream, connect):
    made = upstream(lambda *event: None, Http2Upstream)
    server = one(made.h2c, """
        local mt = require "moontrail"
        return function(ctx)
            mt.spawn(function() mt.sleep(0.2) ctx:reset("ENHANCE_YOUR_CALM") end)
            ctx:proxy("UPSTREAM")
        end""")
    assert connect(server.https).fetch("/").reset == 11
    server.wait_until(lambda: made.resets)


def test_another_task_proxies_and_the_handler_returns(one, upstream, connect):
    made = upstream(lambda *event: None, Http2Upstream)
    server = one(made.h2c, """
        local mt = require "moontrail"
        return function(ctx)
            mt.spawn(function() ctx:proxy("UPSTREAM") end)
            mt.sleep(0.2)
        end""")
    assert connect(server.https).fetch("/").body == b""
    server.wait_until(lambda: made.resets)


def test_one_at_a_time(one, upstream, connect):
    server = one(upstream(always(response(b"ok"))).url, """
        local mt = require "moontrail"
        local why
        return function(ctx)
            mt.spawn(function() why = select(2, pcall(ctx.read, ctx)) mt.log.info(why) end)
            ctx:proxy("UPSTREAM")
        end""")
    client = connect(server.https)
    stream = client.request("/", "POST", end=False)
    server.wait_for("another task is reading this request")
    client.send(stream, end=True)
    assert client.response(stream).text == "ok"


def test_reload_ends_it(one, upstream, connect):
    """Generations past the bound are aborted, whoever answers for them."""
    server = one(upstream(silent).url, "return function(ctx) ctx:proxy('UPSTREAM') end",
                 "--max-generations", "1")
    client = connect(server.https)
    stream = client.request("/")
    client.ping()
    server.signal(signal.SIGHUP)
    assert client.response(stream).status == 503


@pytest.mark.parametrize("second", [1, 2])
def test_shutdown_ends_it(one, upstream, connect, second):
    server = one(upstream(silent).url, "return function(ctx) ctx:proxy('UPSTREAM') end",
                 "--grace", "0.5" if second == 1 else "30")
    client = connect(server.https)
    client.request("/")
    client.ping()
    for _ in range(second):
        server.signal(signal.SIGTERM)
        server.wait_for("stopping")
    assert server.wait() == 0
