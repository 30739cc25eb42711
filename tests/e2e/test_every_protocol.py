"""The same handlers over every protocol: HTTP/2 and HTTP/1.1, each over TLS and without. A handler
can tell them apart by ctx:protocol() only, and a client by its own means."""
import json
import re
import time
from dataclasses import dataclass

import pytest

from client import Client
from handlers import (ECHO, FAIL, FAIL_LATE, HEADERS, INFORM, PARK, PIECES, SIZE, STATUS, STREAM,
                      UPPER)
from http1 import Http1

PROTOCOLS = {
    "h2": ("HTTP/2", lambda server: Client(server.https)),
    "h2c": ("HTTP/2", lambda server: Client(server.http)),
    "http1 tls": ("HTTP/1.1", lambda server: Http1(server.https)),
    "http1 plain": ("HTTP/1.1", lambda server: Http1(server.http)),
}
TE = ("te", "trailers")
FORM = ("content-type", "application/x-www-form-urlencoded")
MIB = bytes(range(256)) * 4096

# What a handler that waits notices goes to the log, behind the request's path.
WAITER = """
    return function(ctx)
        local function note(what) print(ctx.path .. " " .. what) end
        local guard <close> = setmetatable({}, { __close = function() note "closed" end })
        ctx:on_abort(function(reason) note("on_abort: " .. reason) end)
        note "begins"
        local _, problem = pcall(function() %s end)
        note("raised: " .. problem)
        note("aborted: " .. tostring(ctx:aborted()))
    end"""

SCRIPTS = {
    "hello.lua": "return function(ctx) ctx:text('hello') end",
    "methods.lua": """
        local function answer(ctx) ctx:text(ctx.method) end
        return { GET = answer, PUT = answer, PURGE = answer }""",
    "every.lua": """
        return function(ctx) ctx:text(ctx.method) end""",
    "request/[id].lua": """
        return function(ctx)
            ctx:json { protocol = ctx:protocol(), trailers = ctx:supports_trailers(),
                scheme = ctx.scheme, authority = ctx.authority, method = ctx.method,
                path = ctx.path, query = ctx.query, id = ctx.params.id, remote = ctx.remote,
                tls = ctx.tls and ctx.tls.version, two = ctx.headers["x-two"],
                cookie = ctx.headers.cookie, args = ctx:args(), taste = ctx:cookie("taste") }
        end""",
    "fields.lua": """
        return function(ctx) ctx:json(ctx.headers) end""",
    "form.lua": """
        return function(ctx)
            local form = ctx:form()
            ctx:text(form.a .. "|" .. table.concat(form.b, "|"))
        end""",
    "echo.lua": ECHO,
    "size.lua": SIZE,
    "body.lua": """
        return function(ctx) ctx:text(ctx:body()) end""",
    "limited.lua": """
        return function(ctx) ctx:text(ctx:body(10)) end""",
    "pieces.lua": PIECES,
    "whole.lua": """
        return function(ctx)
            local much = ("x"):rep(1 << 20)
            assert(ctx:try_write(much) and not ctx:try_write(much))
            ctx:flush()
            assert(ctx:try_write("the", " ", "end"))
        end""",
    "unread.lua": """
        return function(ctx) ctx:text("enough") end""",
    "empty.lua": "return function() end",
    "json.lua": """
        return function(ctx) ctx:json { list = { 1, 2 } } end""",
    "html.lua": """
        return function(ctx) ctx:html("<p>moon") end""",
    "redirect.lua": """
        return function(ctx) ctx:redirect("/hello?a=%20", 307) end""",
    "headers.lua": HEADERS,
    "cookies.lua": """
        return function(ctx)
            ctx:set_cookie("a", 1, { path = "/" })
            ctx:set_cookie("b", 2)
        end""",
    "connection_fields.lua": """
        return function(ctx)
            for _, name in ipairs { "connection", "Keep-Alive", "proxy-connection",
                    "transfer-encoding", "upgrade", ":status", "bad name" } do
                assert(not pcall(ctx.header, ctx, name, "x"))
                assert(not pcall(ctx.add_header, ctx, name, "x"))
            end
            assert(not pcall(ctx.header, ctx, "x", "a\\r\\nb: c"))
            ctx:text("refused")
        end""",
    "status/[code].lua": STATUS,
    "stream.lua": STREAM,
    "upper.lua": UPPER,
    "finish.lua": """
        local mt = require "moontrail"
        return function(ctx)
            ctx:finish("all of it")
            print(ctx.path, pcall(ctx.write, ctx, "more"))
        end""",
    "length.lua": """
        return function(ctx)
            ctx:header("content-length", 6)
            ctx:write("two ")
            ctx:flush()
            ctx:write("in")
        end""",
    "short.lua": """
        return function(ctx)
            ctx:header("content-length", 10)
            ctx:write("short")
        end""",
    "short_late.lua": """
        return function(ctx)
            ctx:header("content-length", 10)
            ctx:write("short")
            ctx:flush()
        end""",
    "long.lua": """
        return function(ctx)
            ctx:header("content-length", 4)
            local ok, problem = pcall(ctx.write, ctx, "longer")
            print(ctx.path, ok, problem)
            ctx:write("four")
        end""",
    "large.lua": """
        local line = ("0123456789abcdef"):rep(4096)
        return function(ctx)
            for _ = 1, 64 do ctx:write(line) end
        end""",
    "inform.lua": INFORM,
    "trailers.lua": """
        return function(ctx)
            ctx:declare_trailer("first")
            ctx:append_trailer("second", "2")
            ctx:write(ctx.query or "")
            ctx:append_trailer("First", "1")
            ctx:append_trailer("first", "again")
        end""",
    "trailers_late.lua": """
        return function(ctx)
            ctx:write("body")
            ctx:flush()
            ctx:append_trailer("late", "not too late")
        end""",
    "bad_trailers.lua": """
        return function(ctx)
            for _, name in ipairs { "content-length", "Transfer-Encoding", "host", "trailer",
                    "authorization", "connection", "a b", "" } do
                assert(not pcall(ctx.append_trailer, ctx, name, "x"), name)
            end
            assert(not pcall(ctx.append_trailer, ctx, "x", "a\\r\\nb: c"))
            ctx:text("refused")
        end""",
    "request_trailers.lua": """
        return function(ctx)
            local early = pcall(ctx.request_trailers, ctx)
            local body = ctx:body()
            local found = ctx:request_trailers()
            ctx:json { early = early, body = body, trailers = found,
                       header = ctx.headers["x-sum"] or false }
        end""",
    "reset.lua": """
        return function(ctx)
            ctx:write("the start")
            ctx:flush()
            ctx:write("never seen")
            ctx:reset("ENHANCE_YOUR_CALM")
            print("after reset", ctx:aborted(), pcall(ctx.write, ctx, "x"))
        end""",
    "reset_early.lua": """
        return function(ctx)
            ctx:write("never seen")
            ctx:reset()
        end""",
    "fail.lua": FAIL,
    "fail_late.lua": FAIL_LATE,
    "deadline.lua": """
        return function(ctx)
            ctx:deadline(0.05)
            local ok, problem = pcall(require("moontrail").sleep, 60)
            ctx:status(504)
            ctx:text(problem)
        end""",
    "coroutine.lua": """
        return function(ctx)
            local next_piece = coroutine.wrap(function()
                local piece = ctx:read()
                while piece do
                    coroutine.yield(piece)
                    piece = ctx:read()
                end
            end)
            for piece in next_piece do ctx:write(piece) end
        end""",
    "both.lua": """
        local mt = require "moontrail"
        return function(ctx)
            mt.all(function()
                while ctx:read() do end
                ctx:write("read all")
            end, function()
                ctx:write("writing ")
                ctx:flush()
            end)
        end""",
    "kept.lua": """
        local kept
        return function(ctx)
            if not kept then
                kept = ctx
                return ctx:text("kept")
            end
            ctx:text(select(2, pcall(kept.write, kept, "x")))
            kept = nil
        end""",
    "park.lua": PARK,
    "wait/sleep/[id].lua": WAITER % 'require("moontrail").sleep(3600)',
    "wait/read/[id].lua": WAITER % "while true do ctx:read() end",
    "wait/body/[id].lua": WAITER % "ctx:body()",
    "wait/write/[id].lua": WAITER % "while true do ctx:write(('x'):rep(10000)) end",
    "wait/flush/[id].lua": WAITER % "while true do ctx:write(('x'):rep(30000)) ctx:flush() end",
}


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


@pytest.fixture
def spoken(protocol):
    """What ctx:protocol() says."""
    return PROTOCOLS[protocol][0]


@pytest.fixture
def client(server, protocol):
    """A connection that speaks the protocol. No byte may come that belongs to no response."""
    with PROTOCOLS[protocol][1](server) as client:
        yield client
        assert not getattr(client, "rest", b"")


# One request, one response.

@dataclass
class Case:
    path: str
    method: str = "GET"
    fields: tuple = ()
    body: bytes = b""
    status: int = 200
    text: str = None
    sends: tuple = ()  # fields that the response has
    lacks: tuple = ()  # names that it has not
    trailers: tuple = ()


TEXT = ("content-type", "text/plain; charset=utf-8")
ALLOW = ("allow", "GET, PURGE, PUT, HEAD, OPTIONS")

CASES = {
    "text": Case("/hello", text="hello", sends=(TEXT, ("content-length", "5"))),
    "html": Case("/html", text="<p>moon", sends=(("content-type", "text/html; charset=utf-8"),)),
    "json": Case("/json", text='{"list":[1,2]}', sends=(("content-type", "application/json"),)),
    "nothing": Case("/empty", text="", sends=(("content-length", "0"),)),
    "redirect": Case("/redirect", status=307, sends=(("location", "/hello?a=%20"),)),
    "fields": Case("/headers", sends=(
        ("x-set", "once"), ("x-number", "7"), ("x-added", "a"), ("x-added", "b")),
        lacks=("x-gone",)),
    "cookies": Case("/cookies", sends=(("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2"))),
    "fields of the connection": Case("/connection_fields", text="refused"),
    "form": Case("/form", "POST", (FORM,), b"a=1+2&b=%C3%A9&b=", text="1 2|é|"),
    "PUT": Case("/methods", "PUT", text="PUT"),
    "own method": Case("/methods", "PURGE", text="PURGE"),
    "HEAD by GET": Case("/methods", "HEAD", text="", sends=(("content-length", "4"),)),
    "method not there": Case("/methods", "DELETE", status=405, sends=(ALLOW,)),
    "OPTIONS by itself": Case("/methods", "OPTIONS", status=204, text="", sends=(ALLOW,),
                              lacks=("content-length", "transfer-encoding")),
    "any method": Case("/every", "PATCH", text="PATCH"),
    "no route": Case("/nowhere", status=404),
    "trailing slash": Case("/hello/", status=404),
    "bad escape": Case("/request/%zz", status=400),
    "dot segment": Case("/request/%2e%2e", status=400),
    "empty body": Case("/body", "POST", text=""),
    "small body": Case("/body", "POST", (), b"some text", text="some text"),
    "body at the limit": Case("/limited", "POST", (), b"x" * 10, text="x" * 10),
    "body over the limit": Case("/limited", "POST", (), b"x" * 11, status=413),
    "body of a MiB": Case("/size", "POST", (), MIB, text=str(len(MIB))),
    "pieces": Case("/pieces", "POST", (), b"x" * 8, text="3 3 2"),
    "body unread": Case("/unread", "POST", (), b"x" * 1000, text="enough"),
    "coroutine": Case("/coroutine", "POST", (), b"through", text="through"),
    "two tasks": Case("/both", "POST", (), b"x" * 100000, text="writing read all"),
    "pieces written whole": Case("/whole", text="x" * (1 << 20) + "the end"),
    "created": Case("/status/201", status=201, text="some text"),
    "own status": Case("/status/599", status=599, text="some text"),
    "no content": Case("/status/204", status=204, text="",
                       lacks=("content-length", "transfer-encoding")),
    "not modified": Case("/status/304", status=304, text="", lacks=("transfer-encoding",)),
    "HEAD": Case("/status/200", "HEAD", text="", sends=(("content-length", "9"),)),
    "HEAD of a stream": Case("/stream", "HEAD", text="", lacks=("content-length",)),
    "HEAD with trailers": Case("/trailers", "HEAD", (TE,), text="", sends=(("trailer", "first"),)),
    "stream": Case("/stream", text="piece 1\npiece 2\npiece 3\n", lacks=("content-length",)),
    "finish": Case("/finish", text="all of it"),
    "content-length set": Case("/length", text="two in", sends=(("content-length", "6"),),
                               lacks=("transfer-encoding",)),
    "content-length kept": Case("/long", text="four", sends=(("content-length", "4"),)),
    "content-length not reached": Case("/short", status=500, text="Internal Server Error\n"),
    "trailers": Case("/trailers?body", fields=(TE,), text="body", sends=(("trailer", "first"),),
                     trailers=(("second", "2"), ("first", "1"), ("first", "again"))),
    "trailers alone": Case("/trailers", fields=(TE,), text="", trailers=(
        ("second", "2"), ("first", "1"), ("first", "again"))),
    "trailers after a flush": Case("/trailers_late", fields=(TE,), text="body",
                                   trailers=(("late", "not too late"),)),
    "bad trailers": Case("/bad_trailers", fields=(TE,), text="refused"),
    "error": Case("/fail", status=500, text="Internal Server Error\n", lacks=("x-never",)),
    "deadline": Case("/deadline", status=504, text="timeout: deadline exceeded"),
}


def check(case, response):
    assert (response.status, response.reset) == (case.status, None)
    assert case.text is None or response.text == case.text
    for pair in case.sends:
        assert pair in response.headers
    for name in case.lacks:
        assert response.header(name) is None
    assert response.trailers == (list(case.trailers) or None)
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", response.header("date"))


@pytest.mark.parametrize("name", CASES)
def test_case(client, name):
    case = CASES[name]
    check(case, client.fetch(case.path, case.method, headers=case.fields, body=case.body))


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].body])
def test_case_with_a_body_in_pieces(client, name):
    """Without a length, as it comes."""
    case = CASES[name]
    stream = client.request(case.path, case.method, headers=case.fields, end=False)
    step = len(case.body) // 3 + 1
    for at in range(0, len(case.body), step):
        client.send(stream, case.body[at:at + step])
    if case.text != "enough":  # an answer that comes without reading may end the upload
        client.send(stream, end=True)
    check(case, client.response(stream))


def test_every_case_on_one_connection(client):
    """After which the connection still serves."""
    for case in CASES.values():
        if not case.body or case.status == 200 and case.text != "enough":
            check(case, client.fetch(case.path, case.method, headers=case.fields, body=case.body))


# The request, as a handler sees it.

def test_request(client, protocol, spoken):
    response = client.fetch("/request/a%20b?x=1&y=%26&x=2", "DELETE", headers=[
        TE, ("x-two", "1"), ("x-two", "2"), ("cookie", "taste=salt"), ("cookie", "b=2")])
    seen = json.loads(response.text)
    assert seen.pop("remote") == "%s:%d" % client.socket.getsockname()
    assert re.fullmatch(r"TLSv1\.[23]|None", str(tls := seen.pop("tls", None)))
    assert bool(tls) == (client.url.scheme == "https")
    assert seen == {
        "protocol": spoken, "trailers": True, "scheme": client.url.scheme,
        "authority": client.url.netloc, "method": "DELETE", "path": "/request/a%20b",
        "query": "x=1&y=%26&x=2", "id": "a b", "two": "1, 2", "cookie": "taste=salt; b=2",
        "args": {"x": ["1", "2"], "y": "&"}, "taste": "salt"}


def test_fields_of_the_connection_are_not_seen(client, spoken):
    """Which HTTP/2 has not."""
    fields = [TE, ("x-kept", "1")]
    if spoken != "HTTP/2":
        fields += [("connection", "keep-alive, te"), ("keep-alive", "timeout=5"),
                   ("proxy-connection", "x"), ("upgrade", "h2c")]
    seen = json.loads(client.fetch("/fields", headers=fields).text)
    assert seen.keys() - {"host"} == {"te", "x-kept"}


def test_request_trailers(client):
    stream = client.request("/request_trailers", "POST", end=False)
    client.send(stream, b"body")
    client.send_trailers(stream, [("x-sum", "42"), ("x-two", "1"), ("x-two", "2")])
    assert json.loads(client.response(stream).text) == {
        "early": False, "body": "body", "header": False,
        "trailers": {"x-sum": "42", "x-two": "1, 2"}}


# Flow.

def test_flush_waits_for_nothing_but_the_connection(client):
    began = time.monotonic()
    for _ in range(10):
        client.fetch("/fields")
    plain = time.monotonic() - began
    for _ in range(10):
        assert client.fetch("/stream").text == "piece 1\npiece 2\npiece 3\n"
    assert time.monotonic() - began < 5 + 20 * plain


def test_a_mebibyte_comes_back_as_it_goes(client):
    stream = client.request("/echo", "POST", end=False)
    for at in range(0, len(MIB), 100000):
        client.send(stream, MIB[at:at + 100000])
    client.send(stream, end=True)
    assert client.response(stream).body == MIB


def test_a_large_response(client):
    assert client.fetch("/large").body == b"0123456789abcdef" * (4096 * 64)


def test_both_directions_flow_at_once(client):
    stream = client.request("/upper", "POST", end=False)
    client.wait(lambda: client.so_far(stream).headers)
    for expected, piece in ((b"ONE", b"one"), (b"ONETWO", b"two"), (b"ONETWOTHREE", b"three")):
        client.send(stream, piece)
        client.wait(lambda: client.so_far(stream).body == expected)
    client.send(stream, end=True)
    assert client.response(stream).body == b"ONETWOTHREE"


def test_interim_responses_come_at_once(client):
    stream = client.request("/inform", "POST", end=False)
    client.wait(lambda: len(client.so_far(stream).informs) == 2)
    assert client.so_far(stream).informs == [
        (103, [("link", "</style.css>; rel=preload")]),
        (103, [("link", "</code.js>; rel=preload")])]
    client.send(stream, end=True)
    assert client.response(stream).text == "page"


# Ends.

def test_reset(server, client):
    stream = client.request("/reset")
    response = client.response(stream)
    assert (response.body, response.ended) == (b"the start", False)
    assert response.reset is not None
    server.wait_for(r'"after reset\\treset\\tfalse\\trequest aborted: reset"')


def test_reset_before_anything_was_sent(client):
    response = client.response(client.request("/reset_early"))
    assert (response.headers, response.body, response.ended) == (None, b"", False)
    assert response.reset is not None


@pytest.mark.parametrize("path, sent, problem", [
    ("/fail_late", b"sent", "attempt to index a nil value"),
    ("/short_late", b"short", "less is written than content-length says")])
def test_an_error_after_the_headers_cuts_the_response(server, client, path, sent, problem):
    response = client.response(client.request(path))
    assert (response.status, response.body, response.ended) == (200, sent, False)
    assert response.reset is not None
    server.wait_for("error handler failed .*" + problem)


@pytest.mark.parametrize("end", ["vanish", "close"])
@pytest.mark.parametrize("way", ["sleep", "read", "body", "write", "flush"])
def test_the_client_goes(server, client, protocol, way, end):
    """Without a word, or with the last one of TCP."""
    path = f"/wait/{way}/{end}-{protocol.replace(' ', '-')}"
    uploads = way in ("read", "body")
    client.request(path, "POST" if uploads else "GET", end=not uploads)
    server.wait_for(f'"{path} begins"')
    getattr(client, end)()
    for note in ("on_abort: connection lost", "raised: request aborted: connection lost",
                 "aborted: connection lost", "closed"):
        server.wait_for(f'"{path} {note}"')


def test_a_kept_request_has_ended(client):
    assert client.fetch("/kept").text == "kept"
    assert client.fetch("/kept").text == "request has ended"
