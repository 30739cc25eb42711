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
    server.wait(lambda: server.open == 0)
    assert run(server, "local s <close> = connect(URL) return s.reused") == "false"
