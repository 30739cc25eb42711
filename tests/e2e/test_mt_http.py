"""mt.http: calls of other servers from a handler, over real connections."""
import re
import socket
import ssl
import threading

import pytest

from handlers import BIG, ECHO, RUN, SIZE, begin_lua, run_lua
from server import Server, write_scripts
from upstreams import Http2Upstream, always, chunked, free_port, response

INNER = {
    "echo.lua": ECHO,
    "size.lua": SIZE,
    "big.lua": BIG,
    "protocol.lua": "return function(ctx) ctx:text(ctx:protocol()) end",
    "seen.lua": """
        return function(ctx)
            ctx:status(201)
            ctx:header("x-seen", ctx.method .. " " .. ctx.path .. "?" .. (ctx.query or ""))
            ctx:text((ctx.headers["x-a"] or "") .. ";" .. ctx.authority)
        end""",
    "trailers.lua": """
        return function(ctx)
            local body = ctx:body()
            ctx:text(body .. (ctx:request_trailers()["x-up"] or ""))
            ctx:append_trailer("x-sum", #body)
        end""",
    "reset.lua": "return function(ctx) ctx:write('part') ctx:flush() ctx:reset(ctx.query) end",
    "heavy.lua": "return function(ctx) ctx:header('x-heavy', ('x'):rep(70000)) ctx:text('') end",
    "many.lua": """
        return function(ctx)
            for i = 1, 200 do ctx:header("x-" .. i, i) end
            ctx:text("")
        end""",
    "park.lua": """
        local mt = require "moontrail"
        return function(ctx)
            ctx:on_abort(function(reason) mt.log.info("parked", { why = reason }) end)
            mt.log.info("parking", {})
            mt.sleep(3600)
        end""",
}

SCRIPTS = {"index.lua": RUN}


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), INNER))
    yield server
    server.stop()


@pytest.fixture(params=["http", "h2c", "https"])
def url(request, inner):
    """The inner server's address, for each way to reach it."""
    if request.param == "https":
        return inner.https
    return inner.http.replace("http:", request.param + ":")


@pytest.fixture
def h2c(inner):
    return inner.http.replace("http:", "h2c:")


def run(client, code, **words):
    """What the code returns, with words of it replaced."""
    for word, text in words.items():
        code = code.replace(word, str(text))
    response = run_lua(client, code)
    assert response.status == 200, response.text
    return response.text


def test_get(client, url):
    assert run(client, """
        local r = mt.http.get("URL/seen?b=1", { headers = { ["X-A"] = 7 }, verify = false })
        return r.status, r.headers["x-seen"], r:body()""", URL=url) == \
        f"201|GET /seen?b=1|7;{url.split('//')[1]}"


@pytest.mark.parametrize("kind, version, protocol", [
    ("http", None, "HTTP/1.1"), ("http", "2", "HTTP/2"), ("http", "1.1", "HTTP/1.1"),
    ("h2c", None, "HTTP/2"), ("https", None, "HTTP/2"), ("https", "1.1", "HTTP/1.1"),
    ("https", "2", "HTTP/2")])
def test_versions(client, inner, kind, version, protocol):
    url = inner.https if kind == "https" else inner.http.replace("http:", kind + ":")
    assert run(client, """
        local r = mt.http.get("URL/protocol", { version = VERSION, verify = false })
        return r.protocol, r:body()""", URL=url, VERSION=f'"{version}"' if version else "nil") == \
        f"{protocol}|{protocol}"


def test_bodies_up_and_down(client, url):
    assert run(client, """
        local sent = ("0123456789"):rep(100000)
        local r = mt.http.post("URL/echo", sent, { verify = false })
        return r:body() == sent""", URL=url) == "true"


def test_a_body_that_a_function_gives(client, url):
    assert run(client, """
        local n = 0
        local r = mt.http.post("URL/echo", function()
            n = n + 1
            mt.sleep(0.001)
            return n <= 20 and n .. "," or nil
        end, { verify = false })
        return r:body()""", URL=url) == "".join(f"{n}," for n in range(1, 21))


def test_a_body_passed_through_as_it_comes(client, h2c):
    stream = begin_lua(client, """
        local r = mt.http.request { url = "URL/echo", method = "POST",
                                    body = function() return ctx:read() end }
        for piece in function() return r:read() end do ctx:write(piece) ctx:flush() end
        """.replace("URL", h2c), "POST", end=False)
    for text in (b"one", b"two", b"three"):
        client.send(stream, text)
        client.wait(lambda: client.so_far(stream).text.endswith(text.decode()))
    client.send(stream, end=True)
    assert client.response(stream).text == "onetwothree"


def test_both_sides_of_an_open_call(client, url):
    assert run(client, """
        local call = mt.http.open { url = "URL/echo", method = "POST", verify = false }
        local seen = {}
        for i = 1, 5 do
            call:write("ping ", i)
            seen[i] = call:read_exactly(6)
        end
        call:finish()
        return table.concat(seen, ","), call.status, call:read()""", URL=url) == \
        "ping 1,ping 2,ping 3,ping 4,ping 5|200|nil"


def test_trailers_both_ways(client, url):
    assert run(client, """
        local call = mt.http.open { url = "URL/trailers", method = "POST", verify = false }
        call:append_trailer("x-up", "!")
        call:finish("body")
        return call:body(), call:trailers()["x-sum"]""", URL=url) == "body!|4"


def test_an_error_is_sent_as_its_text(client, url):
    assert run(client, """
        local call = mt.http.open { url = "URL/trailers", method = "POST", verify = false }
        local _, e = pcall(mt.http.get, "http://127.0.0.1:1/")
        call:append_trailer("x-up", e)
        call:write("a ", e)
        call:finish(e)
        local text = tostring(e)
        return e.kind, call:body() == "a " .. text .. text .. text""", URL=url) == \
        "unreachable|true"


def test_many_at_once(client, url):
    assert run(client, """
        local tasks = {}
        for i = 1, 50 do
            tasks[i] = function()
                return mt.http.post("URL/echo", tostring(i), { verify = false }):body()
            end
        end
        local sum = 0
        for _, text in ipairs { mt.all(table.unpack(tasks)) } do sum = sum + text end
        return sum""", URL=url) == "1275"


def test_connections_are_used_again(start, connect, upstream):
    origin = upstream(always(response(b"hello")))
    client = connect(start(SCRIPTS).https)
    for _ in range(5):
        assert run(client, "return mt.http.get('URL'):body()", URL=origin.url) == "hello"
    assert origin.connections == 1


def test_a_response_much_larger_than_memory_is_given(client, url):
    size = 64 << 20
    assert run(client, """
        local r = mt.http.get("URL/big?COUNT", { verify = false })
        local size, piece = 0, r:read()
        while piece do size, piece = size + #piece, r:read() end
        return size""", URL=url, COUNT=size // 65536) == str(size)


def test_unix_sockets(client, tmp_path, upstream):
    path = tmp_path / "socket"
    served = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            with listener.accept()[0] as sock:
                seen = b""
                while b"\r\n\r\n" not in seen:
                    seen += sock.recv(65536)
                sock.sendall(response(seen.split(b"\r\n")[0]))
                served.wait(20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert run(client, "return mt.http.get('unix:PATH', { path = '/a?b' }):body()",
                   PATH=path) == "GET /a?b HTTP/1.1"
        served.set()
        thread.join()


FAILURES = {
    "a port that nobody listens on": ("http://127.0.0.1:PORT/x", "no connection: "),
    "a name that is none": ("http://none.invalid/x", "no connection: "),
    "a certificate that nobody vouches for": ("TLS/protocol", "no connection: "),
    "a reset": ("H2C/reset?ENHANCE_YOUR_CALM", "reset: ENHANCE_YOUR_CALM"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures_name_the_url_and_why(start, connect, inner, h2c, case):
    url, why = FAILURES[case]
    url = url.replace("PORT", str(free_port())).replace("TLS", inner.https).replace("H2C", h2c)
    server = start(SCRIPTS)
    text = run(connect(server.https), """
        local ok, problem = pcall(function() return mt.http.get("URL"):body() end)
        return ok, problem""", URL=url)
    assert re.fullmatch(rf"false\|.*: GET {re.escape(url)}: {why}.*", text), text


# The kind of what the code raises, what the kind adds, and whether the error passes for its text.
KIND = """
    local ok, e = pcall(function()
        return mt.http.get("URL", { verify = false, timeout = TIMEOUT }):body()
    end)
    local text = tostring(e)
    return ok, e.kind, e.code or e.limit, text, type(e.message),
        text == e.where .. ": " .. e.message and e .. "" == text and "" .. e == text
        and #e == #text and e:sub(1, -1) == text and e:upper() == text:upper()
        and e:find(e.message, 1, true) == #e.where + 3"""


def expect_kind(client, url, kind, added=None, text="", timeout=20):
    told = run(client, KIND, URL=url, TIMEOUT=timeout).split("|")
    assert told[:3] == ["false", kind, added or "nil"], told
    assert f"GET {url}: " in told[3] and text in told[3] and told[4:] == ["string", "true"], told


def test_a_connection_that_fails_is_unreachable(client, inner):
    expect_kind(client, f"http://127.0.0.1:{free_port()}/x", "unreachable", text="no connection: ")
    expect_kind(client, "http://none.invalid/x", "unreachable", text="no connection: ")
    # Speaks no TLS.
    expect_kind(client, inner.http.replace("http:", "https:") + "/x", "unreachable",
                text="no connection: ")


def test_a_handshake_or_a_certificate_that_fails_is_unreachable(start, connect, inner, upstream):
    client = connect(start(SCRIPTS).https)
    origin = upstream(always(response(b"never")), tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    expect_kind(client, f"{origin.url}/x", "unreachable", text="no connection: ")
    assert run(client, """
        local ok, e = pcall(mt.http.get, "URL/x")
        return ok, e.kind, e:find("certificate", 1, true) ~= nil""",
               URL=inner.https) == "false|unreachable|true"


def test_a_reset_is_one_with_its_code(start, connect, h2c):
    client = connect(start(SCRIPTS).https)
    expect_kind(client, h2c + "/reset?ENHANCE_YOUR_CALM", "reset", "ENHANCE_YOUR_CALM",
                ": reset: ENHANCE_YOUR_CALM")


@pytest.mark.parametrize("path, limit", [("/heavy", "max-header-bytes"),
                                         ("/many", "max-header-fields")])
def test_a_head_too_large_is_a_limit(start, connect, url, path, limit):
    expect_kind(connect(start(SCRIPTS).https), url + path, "limit", limit)


@pytest.mark.parametrize("answer, kind", [
    (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "protocol"),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "lost"),
    (b"", "lost")])
def test_a_response_that_is_none_is_of_the_protocol_or_lost(start, connect, upstream, answer, kind):
    origin = upstream(lambda connection: (connection.request(), connection.write(answer)))
    expect_kind(connect(start(SCRIPTS).https), origin.url + "/x", kind, text=": connection lost")


def test_a_timeout_is_one(client, upstream):
    released = threading.Event()
    origin = upstream(lambda connection: released.wait(20))
    expect_kind(client, origin.url + "/slow", "timeout", text=": timed out after 0.05 s",
                timeout=0.05)
    released.set()


def test_a_certificate_verified_by_a_file(client, start, tmp_path, local_certificate):
    url = start(write_scripts(tmp_path / "inner", INNER), *local_certificate.options).https
    assert run(client, "return mt.http.get('URL/protocol', { ca = 'CA' }):body()",
               URL=url, CA=local_certificate.cert) == "HTTP/2"
    text = run(client, "return pcall(mt.http.get, 'URL/protocol', { ca = 'CA' })",
               URL=url.replace("127.0.0.1", "localhost"), CA=local_certificate.cert)
    assert "no connection" in text, "the certificate names another server"


def test_a_response_that_is_cut_short(start, connect, upstream):
    def serve(connection):
        connection.request()
        connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")

    text = run(connect(start(SCRIPTS).https), """
        local r = mt.http.get("URL")
        return r:read(), pcall(r.read, r)""", URL=upstream(serve).url)
    assert text.startswith("half|false|") and "connection lost" in text


def test_trailers_of_chunks(client, upstream):
    origin = upstream(always(chunked(b"one", b"two", trailers=["X-Sum: 2"])))
    assert run(client, "local r = mt.http.get('URL') return r:body(), r:trailers()['x-sum']",
               URL=origin.url) == "onetwo|2"


def test_a_timeout(client, upstream):
    released = threading.Event()
    origin = upstream(lambda connection: released.wait(20))
    text = run(client, "return pcall(mt.http.get, 'URL/slow', { timeout = 0.05 })", URL=origin.url)
    assert text == f"false|GET {origin.url}/slow: timed out after 0.05 s"
    released.set()


def test_a_client_that_leaves_resets_the_call(client, upstream):
    seen = threading.Event()

    def on_event(_connection, _speaker, event):
        if type(event).__name__ == "RequestReceived":
            seen.set()

    origin = upstream(on_event, kind=Http2Upstream)
    stream = begin_lua(client, f"mt.http.get('{origin.h2c}/')")
    assert seen.wait(20)
    client.reset(stream)
    client.ping()
    for _ in range(500):
        if origin.resets:
            break
        seen.clear()
        seen.wait(0.02)
    assert origin.resets == [(1, 8)]


def test_a_handler_that_returns_resets_what_it_left_unread(start, connect, inner, h2c):
    client = connect(start(SCRIPTS).https)
    since = len(inner.log)
    assert run(client, """
        local call = mt.http.open { url = "URL/park" }
        call:finish()
        mt.sleep(0.2)
        return "left" """, URL=h2c) == "left"
    inner.wait_for("parked why=CANCEL", since=since)


def test_a_background_task_goes_on_when_its_request_has_ended(start, connect, h2c):
    server = start(SCRIPTS)
    run(connect(server.https), """
        mt.spawn(function()
            mt.sleep(0.1)
            mt.log.info("later", { body = mt.http.get("URL/protocol"):body() })
        end)""", URL=h2c)
    server.wait_for("later body=HTTP/2")


def test_a_server_that_stops_resets_its_calls(start, connect, inner, h2c):
    server = start(SCRIPTS, "--grace", "0.1")
    since = len(inner.log)
    begin_lua(connect(server.https), f"mt.http.get('{h2c}/park')")
    inner.wait_for("parking", since=since)
    server.stop()
    inner.wait_for("parked why=", since=since)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"SSH-2.0-OpenSSH\r\n", b"\0\0\0\0", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"])
def test_what_is_no_response_is_an_error(client, upstream, answer):
    origin = upstream(lambda connection: (connection.request(), connection.write(answer)))
    text = run(client, """
        return pcall(function() return mt.http.get("URL"):body() end)""", URL=origin.url)
    assert text.startswith("false|") and "connection lost" in text, text


def test_a_handshake_that_fails(client, upstream):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    origin = upstream(always(response(b"never")), tls=context)
    text = run(client, "return pcall(mt.http.get, 'URL', { verify = false })", URL=origin.url)
    assert "no connection" in text
