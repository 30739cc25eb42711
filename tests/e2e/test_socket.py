"""mt.socket: connections of a script to other servers."""
import socket
import threading

import pytest

from handlers import RUN, begin_lua, run_lua
from plain_server import PlainServer, drain, echo, read_line
from server import PATIENCE

SCRIPTS = {"index.lua": RUN}


@pytest.fixture
def listen():
    """Starts a PlainServer that calls what it is given for each connection."""
    servers = []

    def start(serve, **more):
        servers.append(PlainServer(serve, **more))
        return servers[-1]
    yield start
    for server in servers:
        server.close()


@pytest.fixture
def run(client):
    """The values that a piece of Lua returns, which has URL and the functions of mt.socket."""
    def do(server, lua):
        return run_lua(client, f"""
            local URL, connect = {server.url!r}, mt.socket.connect
            {lua}""").text
    return do


def sends(*pieces):
    def serve(connection, _):
        for piece in pieces:
            connection.sendall(piece)
    return serve


# Reading and writing.

@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_echo(run, listen, tmp_path, kind):
    more = {"address": str(tmp_path / "s")} if kind == "unix" else {}
    server = listen(echo, **more)
    text = run(server, """
        local s <close> = connect(URL)
        s:write("one\\ntwo\\r\\n", 3, "\\n\\n12345", "a--b--")
        local lines = { s:read_line(), s:read_line(), s:read_line(), s:read_line(), s:read_exactly(5),
            s:read_until("--"), s:read_until("--") }
        s:finish()
        return table.concat(lines, ","), s:read(), s:read_line(), s:read_exactly(1), s.reused, s.tls,
            s.remote""")
    where = server.url if kind == "unix" else server.url.removeprefix("tcp://")
    assert text == f"one,two,3,,12345,a,b|nil|nil|nil|false|nil|{where}"


# The pool.

def test_a_kept_one_is_used_again(run, listen):
    server = listen(echo)
    assert run(server, """
        local first = connect(URL)
        first:write("x")
        local x = first:read()
        local kept = first:keep()
        local other <close> = connect(URL, { pool = "other" })
        local again = connect(URL)
        again:write("y")
        return kept, other.reused, again.reused, again:read(), again:keep()""") == \
        "true|false|true|y|true"
    server.wait(lambda: server.taken == 2)


def test_one_that_the_server_closes_is_not(run, listen):
    closes = threading.Event()

    def serve(connection, number):
        if number == 1:
            closes.wait(PATIENCE)
        else:
            echo(connection, number)
    server = listen(serve)
    assert run(server, "local s = connect(URL) return s:keep()") == "true"
    closes.set()
    server.wait(lambda: server.taken and server.open == 0)
    assert run(server, "local s <close> = connect(URL) return s.reused") == "false"


def test_a_kept_one_that_turns_readable_is_closed(run, listen):
    says = threading.Event()

    def serve(connection, _):
        says.wait(PATIENCE)
        connection.sendall(b"x")
        drain(connection)
    server = listen(serve)
    assert run(server, "local s = connect(URL) return s:keep()") == "true"
    says.set()
    server.wait(lambda: server.taken and server.open == 0)


def test_what_is_not_kept(run, listen):
    """Unread, unsent, ended on either side, or awaited."""
    server = listen(echo)
    assert run(server, """
        local a = connect(URL)
        a:write("xy")
        a:read(1)
        local b = connect(URL)
        local c = connect(URL)
        c:finish()
        local d = connect(URL)
        local t = mt.spawn(function() return pcall(d.read, d) end)
        mt.sleep(0)
        b:write("z")
        local kept = { a:keep(), b:keep(), c:keep(), d:keep() }
        local ok, why = t:join()
        for i = 1, 4 do kept[i] = tostring(kept[i]) end
        return table.concat(kept, " "), ok, why:match("socket is closed"), pcall(d.read, d)
        """).startswith("false false false false|false|socket is closed|false|")
    server.wait(lambda: server.taken == 4 and server.open == 0)


def test_the_pool_bounds_only_those_that_are_kept(run, listen):
    server = listen(echo)
    assert run(server, """
        local all, kept = {}, {}
        for i = 1, 5 do all[i] = connect(URL, { pool = "few", pool_size = 2 }) end
        for i = 1, 5 do kept[i] = tostring(all[i]:keep()) end
        for i = 1, 3 do
            all[i] = connect(URL, { pool = "few", pool_size = 2 })
            kept[#kept + 1] = tostring(all[i].reused)
        end
        return table.concat(kept, " ")""") == "true true true true true true true false"
    server.wait(lambda: server.taken == 6 and server.open == 0)


def test_a_kept_one_goes_with_its_time(run, listen):
    server = listen(echo)
    assert run(server, "return connect(URL, { pool_idle = 0.05 }):keep()") == "true"
    server.wait(lambda: server.taken == 1 and server.open == 0)


# The end of a stream, limits, times.

def test_marks_and_lines_across_pieces(run, listen):
    """Each byte comes by itself."""
    text = b"ab\r\n\rc\n--a---b"

    def serve(connection, _):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in text:
            connection.sendall(bytes([byte]))
            read_line(connection)
    server = listen(serve)
    assert run(server, """
        local s <close> = connect(URL)
        mt.spawn(function() for _ = 1, 14 do s:write("\\n") end end)
        local parts = { s:read_line(), s:read_line(), s:read_until("--"), s:read_until("--"),
            s:read_line() }
        return string.format("%q %q %q %q", table.unpack(parts)), select("#", s:read_line())
        """) == '"ab" "\\13c" "" "a"|1'


def test_the_rest_without_an_end(run, listen):
    server = listen(sends(b"one\ntwo"))
    assert run(server, """
        local a, b, c = connect(URL), connect(URL), connect(URL)
        a:read_line()
        local none, rest = a:read_line()
        local none2, rest2 = b:read_until("three")
        return none, rest, a:read_line(), none2, #rest2, #c:read_exactly(100), c:read_exactly(1)
        """) == "nil|two|nil|nil|7|7|nil"


@pytest.mark.parametrize("read", ["s:read_line(10)", "s:read_until('x', 10)", "s:read_line()",
                                  "s:read_until('x')", "s:read_line(200000)"])
def test_past_the_limit(run, listen, read):
    server = listen(sends(b"y" * 300000, b"\nx"))
    assert run(server, f"""
        local s <close> = connect(URL)
        local ok, e = pcall(function() return {read} end)
        return ok, e.kind, e.limit, s:read(3)""") == "false|limit|read|yyy"


def test_lines_and_blocks_larger_than_what_is_held(run, listen):
    server = listen(sends(b"y" * 300000 + b"\n", b"z" * 500000, b"a" * 200000 + b"--end"))
    assert run(server, """
        local s <close> = connect(URL)
        return #s:read_line(300000), #s:read_exactly(500000), #s:read_until("--", 1 << 20), s:read()
        """) == "300000|500000|200000|end"


def test_time_runs_out_and_nothing_is_lost(run, listen):
    rest = threading.Event()

    def serve(connection, _):
        connection.sendall(b"abc")
        rest.wait(PATIENCE)
        connection.sendall(b"\n")
        drain(connection)
    server = listen(serve)
    assert run(server, """
        local s <close> = connect(URL, { timeout = 0.05 })
        s:read_exactly(1)
        local kinds = {}
        for i, name in ipairs { "read_line", "read_exactly", "read_until" } do
            local ok, e = pcall(s[name], s, name == "read_until" and "--" or name ~= "read_line" and 9 or nil)
            kinds[i] = e.kind
        end
        return table.concat(kinds, " "), s:read()""") == "timeout timeout timeout|bc"
    rest.set()


def test_the_server_goes_in_the_middle(run, listen):
    def serve(connection, _):
        connection.sendall(b"abc")
        read_line(connection)
        # A reset: what it has sent before can still be read.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server = listen(serve)
    assert run(server, """
        local s <close> = connect(URL)
        local abc = s:read()
        s:write("\\n")
        local ok, e = pcall(s.read, s)
        local ok2, e2 = pcall(s.write, s, "x")
        return abc, ok, e.kind, ok2, e2.kind, s:keep()""") == "abc|false|lost|false|lost|false"


def test_nobody_listens(run, listen, tmp_path):
    server = listen(echo)
    server.url = "tcp://127.0.0.1:1"
    assert run(server, """
        local a, e = pcall(connect, URL)
        local b, f = pcall(connect, "tcp://no-such-name.invalid:1")
        local c, g = pcall(connect, "unix:/no/such/file")
        return e.kind, f.kind, g.kind, tostring(e):match(URL)""") == \
        "unreachable|unreachable|unreachable|tcp://127.0.0.1:1"


def test_no_connection_in_time(run, listen):
    """A listener whose queue is full."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
        fillers.append(filler)
    server = listen(echo)
    server.url = f"tcp://127.0.0.1:{full.getsockname()[1]}"
    assert run(server, """
        local ok, e = pcall(connect, URL, { connect_timeout = 0.1 })
        return ok, e.kind, tostring(e):match("no connection")""") == "false|timeout|no connection"
    for one in (*fillers, full):
        one.close()


def test_writing_waits_for_a_slow_reader(run, listen):
    reads = threading.Event()
    got = []

    def serve(connection, _):
        reads.wait(PATIENCE)
        got.append(len(drain(connection)))
    server = listen(serve)
    assert run(server, """
        local s <close> = connect(URL)
        local piece, written = ("x"):rep(1 << 16):rep(16), 0
        local t = mt.spawn(function()
            for _ = 1, 32 do s:write(piece) written = written + 1 end
        end)
        repeat local before = written mt.sleep(0.05) until written == before
        slow, writer = s, t
        return written < 32""") == "true"
    reads.set()


def test_a_slow_reader_gets_all(run, listen):
    got = []

    def serve(connection, _):
        got.append(len(drain(connection)))
    server = listen(serve)
    assert run(server, """
        local s <close> = connect(URL)
        local piece = ("x"):rep(1 << 16):rep(8)
        for _ = 1, 16 do s:write(piece) end
        s:finish()
        return s:read()""") == "nil"
    server.wait(lambda: server.taken and server.open == 0)
    assert got == [8 << 20]


def test_what_was_written_is_sent_before_it_closes(run, listen):
    got = []

    def serve(connection, _):
        got.append(drain(connection))
    server = listen(serve)
    assert run(server, """
        local s <close> = connect(URL)
        s:write("QUIT", "\\r\\n")""") == ""
    server.wait(lambda: server.taken == 1 and server.open == 0)
    assert got == [b"QUIT\r\n"]


# Tasks.

def test_one_reads_while_another_writes_and_no_third(run, listen):
    server = listen(echo)
    assert run(server, """
        local s <close> = connect(URL)
        local t = mt.spawn(function() return s:read() end)
        mt.sleep(0)
        local ok, why = pcall(s.read, s)
        s:write("x")
        return ok, why:match("another task is reading"), t:join()""") == \
        "false|another task is reading|x"


def test_it_ends_with_its_task(run, listen):
    server = listen(echo)
    assert run(server, """
        local s
        local t = mt.spawn(function() s = connect(URL) end)
        t:join()
        local ok, why = pcall(s.read, s)
        return ok, why:match("socket is closed")""") == "false|socket is closed"
    server.wait(lambda: server.taken == 1 and server.open == 0)


@pytest.mark.parametrize("what", ["s:read()", "s:read_exactly(9)", "s:read_line()", "s:read_until('x')",
                                  "s:write(('x'):rep(1 << 16):rep(256))"])
def test_the_client_leaves(server, connect, listen, what):
    other = listen(lambda connection, _: drain(connection) if "write" not in what else
                   threading.Event().wait(0.5))
    client = connect(server.https)
    stream = begin_lua(client, f"""
        local s = mt.socket.connect("{other.url}")
        {what}""")
    other.wait(lambda: other.open == 1)
    client.reset(stream)
    other.wait(lambda: other.open == 0)


def test_the_client_leaves_while_it_connects(server, connect):
    client = connect(server.https)
    stream = begin_lua(client, 'mt.socket.connect("tcp://192.0.2.1:1")')
    run_lua(connect(server.https), "return 1")
    client.reset(stream)
    run_lua(client, "return 1")


def test_sixty_four_reads_at_once(run, listen):
    """No answer goes out before all have asked."""
    def serve(connection, _):
        read_line(connection)
        server.wait(lambda: server.taken == 64)
        connection.sendall(b"x\n")
    server = listen(serve)
    assert run(server, """
        local tasks, n = {}, 0
        for i = 1, 64 do
            tasks[i] = mt.spawn(function()
                local s <close> = connect(URL)
                s:write("\\n")
                return s:read_line()
            end)
        end
        for i = 1, 64 do n = n + #tasks[i]:join() end
        return n""") == "64"


def test_misuse(run, listen):
    server = listen(echo)
    text = run(server, """
        local s <close>, texts = connect(URL), {}
        for i, f in ipairs {
            function() connect("http://h:1") end, function() connect("tcp://h") end,
            function() connect("tcp://h:1/x") end, function() connect(URL, { tiemout = 1 }) end,
            function() connect(URL, { timeout = 0 }) end, function() s:read(0) end,
            function() s:read_exactly(-1) end, function() s:read_until("") end,
            function() s:write({}) end, function() s.read(1) end,
            function() connect(URL, { key = "k" }) end,
            function() s:finish() s:write("x") end } do
            local ok, e = pcall(f)
            texts[i] = type(e) .. (ok and "!" or "") .. ": " .. tostring(e):gsub(".*: ", "")
        end
        return table.concat(texts, "|")""")
    assert all(part.startswith("string: ") for part in text.split("|")), text
