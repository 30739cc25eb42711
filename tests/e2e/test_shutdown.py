"""Signals: requests under way finish, and then the server ends."""
import signal
import socket

import pytest

from client import Closed, Goaway, open_socket

SCRIPTS = {
    "wait.lua": """
        return function(ctx)
            ctx:write("begun")
            ctx:on_abort(function(reason) print("aborted by " .. reason) end)
            ctx:write(ctx:body())
            ctx:append_trailer("whole", "yes")
        end""",
    "hello.lua": "return function(ctx) ctx:text('hello') end",
}
SIGNALS = [signal.SIGTERM, signal.SIGINT]


def begin(client):
    """Begins a request that waits for its body, and sees that it is under way."""
    stream = client.request("/wait", "POST", end=False)
    client.wait(lambda: client.so_far(stream).body == b"begun")
    return stream


def is_listening(url):
    try:
        open_socket(url).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_request_under_way_finishes(start, connect, number, scheme):
    server = start(SCRIPTS)
    client = connect(getattr(server, scheme))
    stream = begin(client)
    server.signal(number)
    server.wait_for(f"info stopping signal={number.name[3:]} grace=30")
    client.wait(lambda: len(client.goaways) == 2)
    client.send(stream, b" and whole", end=True)
    response = client.response(stream)
    assert response.text == "begun and whole"
    assert response.trailers == [("whole", "yes")]
    client.wait_closed()
    client.close()
    assert server.wait() == 0


def test_goaway_is_announced_before_it_counts(start, connect):
    server = start(SCRIPTS)
    client = connect(server.https)
    stream = begin(client)
    server.signal(signal.SIGTERM)
    client.wait(lambda: len(client.goaways) == 2)
    assert client.goaways == [Goaway(2 ** 31 - 1, 0), Goaway(stream, 0)]
    client.send(stream, end=True)
    assert client.response(stream).ended


def test_idle_connections_are_closed(start, connect):
    server = start(SCRIPTS)
    clients = [connect(url) for url in server.urls]
    for client in clients:
        assert client.fetch("/hello").text == "hello"
    server.signal(signal.SIGTERM)
    for client in clients:
        client.wait_closed()
        client.close()
        assert len(client.goaways) == 2
    assert server.wait() == 0


def test_no_connection_is_taken_any_more(start, connect):
    server = start(SCRIPTS)
    stream = begin(client := connect(server.https))
    server.signal(signal.SIGTERM)
    client.wait(lambda: client.goaways)
    assert not is_listening(server.https) and not is_listening(server.http)
    client.send(stream, end=True)
    assert client.response(stream).ended


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_second_signal_stops_at_once(start, connect, number):
    server = start(SCRIPTS)
    client = connect(server.https)
    begin(client)
    server.signal(number)
    server.wait_for("info stopping signal")
    server.signal(number)
    assert server.wait(timeout=10) == 0
    server.wait_for("info stopping now")
    server.wait_for("aborted by shutdown")
    with pytest.raises((Closed, OSError)):
        client.wait(lambda: False)


def test_grace_ends(start, connect):
    server = start(SCRIPTS, "--grace", "0.5")
    begin(connect(server.http))
    server.signal(signal.SIGTERM)
    assert server.wait(timeout=10) == 0
    server.wait_for("warn grace over seconds=0.5")
    server.wait_for("aborted by shutdown")


# What scripts are told.

TOLD = """
    local mt = require "moontrail"
    local stop = mt.channel()
    mt.on_reload(function(why)
        stop:close()
        mt.sleep(0.2)
        print("told of " .. why)
    end)
    return function(ctx)
        ctx:write("begun")
        ctx:flush()
        stop:recv()
        ctx:write(" and ended")
    end"""


def test_long_streams_end_themselves(start, connect):
    server = start({"index.lua": TOLD})
    client = connect(server.https)
    stream = client.request("/")
    client.wait(lambda: client.so_far(stream).body == b"begun")
    server.signal(signal.SIGTERM)
    assert client.response(stream).text == "begun and ended"
    assert server.wait() == 0
    assert server.find("told of shutdown")


def test_what_is_told_may_take_a_while_without_a_request(start):
    server = start({"index.lua": TOLD})
    server.stop()
    assert server.find("told of shutdown")


def test_what_is_told_is_cut_by_the_grace(start):
    server = start({"index.lua": TOLD.replace("0.2", "1000")}, "--grace", "0.5")
    server.stop()
    assert server.find("warn grace over seconds=0.5")
    assert not server.find("told of")


def test_what_is_told_where_another_worker_takes_over(start, connect):
    server = start({"index.lua": TOLD})
    client = connect(server.https)
    stream = client.request("/")
    client.wait(lambda: client.so_far(stream).body == b"begun")
    server.renew()
    assert client.response(stream).text == "begun and ended"
    server.wait_for("told of shutdown")


def test_connections_in_their_handshake_are_no_hindrance(start):
    server = start(SCRIPTS)
    socks = [socket.create_connection(url.split("//")[1].split(":")) for url in server.urls]
    server.wait_for("opened conn=2 ")
    server.signal(signal.SIGTERM)
    assert server.wait(timeout=5) == 0
    for sock in socks:
        sock.close()
