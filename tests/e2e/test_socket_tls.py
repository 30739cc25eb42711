"""mt.socket with TLS, from the start and later on; and what becomes of sockets at a reload."""
import socket
import ssl
import threading

import pytest

from conftest import make_certificate
from handlers import RUN, run_lua
from plain_server import PlainServer, drain, echo, read_line
from server import PATIENCE

SCRIPTS = {"index.lua": RUN}

# Reading the system's certificates takes seconds with AddressSanitizer.
SERVER_OPTIONS = ("--max-cpu", "20")


@pytest.fixture(scope="module")
def client_certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("client"), "client.test", "DNS:client.test")


@pytest.fixture
def listen():
    servers = []

    def start(serve, **more):
        servers.append(PlainServer(serve, **more))
        return servers[-1]
    yield start
    for server in servers:
        server.close()


def context_of(certificate, **more):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    if "alpn" in more:
        context.set_alpn_protocols(more["alpn"])
    if "client" in more:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(more["client"].cert)
    return context


@pytest.fixture
def run(client):
    def do(server, lua, scheme="tls"):
        url = f"{scheme}://127.0.0.1:{server.port}"
        return run_lua(client, f"""
            local URL, connect = "{url}", mt.socket.connect
            local function try(...)
                local ok, s = pcall(connect, URL, ...)
                return ok and s or s.kind .. " " .. s.message:match(": ([^:]*)$")
            end
            {lua}""").text
    return do


def test_certificate_is_verified(run, listen, local_certificate):
    server = listen(echo, tls=context_of(local_certificate))
    assert run(server, f"""
        local s <close> = connect(URL, {{ ca = "{local_certificate.cert}" }})
        s:write("ping")
        return s:read(), s.tls.version, s.tls.alpn, s.tls.cipher:match("^TLS_") ~= nil, try(),
            try {{ ca = "{local_certificate.cert}", server_name = "other.test" }}""") == \
        "ping|TLSv1.3|nil|true|unreachable self-signed certificate|unreachable hostname mismatch"


def test_server_name(run, listen, certificates):
    one = certificates["one.test"]
    context, names = context_of(one), []
    context.sni_callback = lambda _, name, __: names.append(name)
    server = listen(echo, tls=context)
    assert run(server, f"""
        local s <close> = connect(URL, {{ ca = "{one.cert}", server_name = "one.test" }})
        s:write("x")
        return s:read(), try {{ ca = "{one.cert}" }}""") == "x|unreachable IP address mismatch"
    assert names == ["one.test", None]


def test_alpn(run, listen, local_certificate):
    server = listen(echo, tls=context_of(local_certificate, alpn=["b", "a"]))
    assert run(server, """
        local s <close> = connect(URL, { verify = false, alpn = { "a", "b" } })
        return s.tls.alpn, connect(URL, { verify = false, alpn = "a" }).tls.alpn,
            connect(URL, { verify = false }).tls.alpn""") == "b|a|nil"


def test_client_certificate(run, listen, local_certificate, client_certificate, tmp_path):
    both = tmp_path / "both.pem"
    both.write_text(client_certificate.cert.read_text() + client_certificate.key.read_text())
    server = listen(lambda connection, _: connection.sendall(
        dict(pair[0] for pair in connection.getpeercert()["subject"])["commonName"].encode()),
        tls=context_of(local_certificate, client=client_certificate))
    assert run(server, f"""
        local options = {{ verify = false, cert = "{client_certificate.cert}",
            key = "{client_certificate.key}" }}
        local a, b = connect(URL, options), connect(URL, {{ verify = false, cert = "{both}" }})
        local none = try {{ verify = false }}
        local ok, e = true, nil
        if type(none) ~= "string" then ok, e = pcall(none.read, none) end
        return a:read(), b:read(), ok, e.kind,
            select(2, pcall(connect, URL, {{ cert = "{local_certificate.cert}",
                key = "{client_certificate.key}" }})):match("key values mismatch")
        """) == "client.test|client.test|false|lost|key values mismatch"


def test_a_kept_one_is_for_the_same_tls_alone(run, listen, local_certificate):
    server = listen(echo, tls=context_of(local_certificate))
    assert run(server, f"""
        local loose = {{ verify = false }}
        local kept = connect(URL, loose):keep()
        return kept, try {{ pool = URL }}, connect(URL, {{ ca = "{local_certificate.cert}" }}).reused,
            connect(URL, loose).reused""") == "true|unreachable self-signed certificate|false|true"


def test_much_in_both_directions(run, listen, local_certificate):
    server = listen(echo, tls=context_of(local_certificate))
    assert run(server, """
        local s <close> = connect(URL, { verify = false })
        local piece = ("0123456789abcde\\n"):rep(4096)
        mt.spawn(function() for _ = 1, 48 do s:write(piece) end s:finish() end)
        local whole = s:read_exactly(48 * #piece)
        return whole == piece:rep(48)""") == "true"


def test_a_stream_that_is_cut_is_no_end(run, listen, local_certificate):
    """Its connection ends without TLS's own end."""
    def serve(connection, _):
        connection.sendall(b"abc")
        read_line(connection)
        socket.socket(fileno=connection.detach()).close()
    server = listen(serve, tls=context_of(local_certificate))
    assert run(server, """
        local s <close> = connect(URL, { verify = false })
        local abc = s:read()
        s:write("\\n")
        local ok, e = pcall(s.read, s)
        return abc, ok, e.kind""") == "abc|false|lost"


def test_no_tls_there(run, listen):
    silent = threading.Event()

    def serve(connection, number):
        if number == 1:
            connection.sendall(b"220 hello\r\n")
            drain(connection)
        elif number == 2:
            silent.wait(PATIENCE)
        else:
            connection.recv(65536)
    server = listen(serve)
    text = run(server, """
        local first = try()
        local ok, e = pcall(connect, URL, { connect_timeout = 0.1 })
        return first, e.kind, try()""")
    silent.set()
    assert text == "unreachable wrong version number|timeout|unreachable the connection was cut"


def starts_tls(context, early=b""):
    def serve(connection, _):
        connection.sendall(b"220 ready\r\n")
        assert read_line(connection) == b"STARTTLS\r\n"
        connection.sendall(b"220 go\r\n" + early)
        with context.wrap_socket(connection, server_side=True) as secure:
            echo(secure, 0)
    return serve


ASK = """
    s:read_line()
    s:write("STARTTLS\\r\\n")
    s:read_line()"""


def test_start_tls(run, listen, local_certificate):
    server = listen(starts_tls(context_of(local_certificate)))
    assert run(server, f"""
        local options = {{ ca = "{local_certificate.cert}" }}
        local s = connect(URL)
        {ASK}
        local before = s.tls
        s:start_tls(options)
        s:write("x")
        local x, version, again = s:read(), s.tls.version, pcall(s.start_tls, s)
        local kept, plain, secure = s:keep(), connect(URL).reused, connect(URL, options)
        return before, x, version, again, kept, plain, secure.reused, secure.tls ~= nil
        """, "tcp") == "nil|x|TLSv1.3|false|true|false|true|true"


def test_start_tls_verifies(run, listen, local_certificate):
    server = listen(starts_tls(context_of(local_certificate)))
    assert run(server, f"""
        local s = connect(URL)
        {ASK}
        local ok, e = pcall(s.start_tls, s)
        return ok, e.kind, s:keep()""", "tcp") == "false|unreachable|false"


def test_start_tls_that_nobody_answers(run, listen):
    server = listen(lambda connection, _: drain(connection))
    assert run(server, """
        local s = connect(URL, { timeout = 0.05 })
        local ok, e = pcall(s.start_tls, s)
        local ok2, e2 = pcall(s.write, s, "in plain")
        return ok, e.kind, ok2, e2:match("socket is closed")""", "tcp") == \
        "false|timeout|false|socket is closed"


def test_bytes_before_tls_are_not_taken_for_what_it_protects(run, listen, local_certificate):
    server = listen(starts_tls(context_of(local_certificate), b"injected\r\n"))
    assert run(server, f"""
        local s = connect(URL)
        {ASK}
        local ok, e = pcall(s.start_tls, s)
        return ok, e.kind""", "tcp") == "false|protocol"


# Generations.

def test_a_socket_goes_on_over_a_reload_and_the_kept_serve_the_next(serve, listen):
    """One is kept by the worker, whatever scripts it has; one that a request has ends with that."""
    goes = threading.Event()

    def answer(connection, number):
        if number == 1:
            goes.wait(PATIENCE)
            connection.sendall(b"late\n")
        drain(connection)
    other = listen(answer)
    text = f"""
        local mt = require "moontrail"
        return function(ctx)
            local s = mt.socket.connect("{other.url}")
            if ctx.path == "/a" then return ctx:text(s:read_line()) end
            ctx:text(tostring(s.reused), " ", tostring(s:keep()))
        end"""
    watched = serve({"[name].lua": text})
    waiting = watched.client.request("/a")
    other.wait(lambda: other.taken == 1)
    assert watched.client.fetch("/b").text.startswith("false")
    watched.server.process.send_signal(1)
    goes.set()
    assert watched.client.response(waiting).text == "late"


def test_a_task_of_the_load_has_sockets(start, connect, listen):
    other = listen(echo)
    server = start({"index.lua": f"""
        local mt = require "moontrail"
        local channel = mt.channel()
        mt.spawn(function()
            local s <close> = mt.socket.connect("{other.url}")
            s:write("hello\\n")
            channel:send(s:read_line())
            s:read()
        end)
        local loads = pcall(mt.socket.connect, "{other.url}")
        return function(ctx) ctx:text(tostring(loads) .. " " .. channel:recv()) end"""})
    assert connect(server.https).fetch("/").text == "false hello"
