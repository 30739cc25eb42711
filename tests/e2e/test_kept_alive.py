"""Calls of other servers from a handler: silent ones, and names that have several addresses."""
import socket
import threading

import h2.events
import pytest

from handlers import RUN, run_lua
from server import PATIENCE
from upstreams import Http2Upstream, Upstream, always, free_port, response

SCRIPTS = {"index.lua": RUN}


class Pinged(Http2Upstream):
    """An upstream of HTTP/2 that counts the PINGs; one that is mute answers nothing at all."""

    def __init__(self, mute, **more):
        self.pings, self.mute, self.requests_seen = 0, mute, 0
        self.answered = threading.Event()
        super().__init__(self._look, **more)

    def _look(self, connection, speaker, event):
        if isinstance(event, h2.events.PingReceived):
            self.pings += 1
            if self.pings == 3:
                self.answered.set()
        if self.mute:
            speaker.clear_outbound_data_buffer()
        elif isinstance(event, h2.events.RequestReceived):
            threading.Thread(target=self._answer, args=(connection, speaker, event), daemon=True
                             ).start()

    def _answer(self, connection, speaker, event):
        """Late: behind a few PINGs."""
        self.answered.wait(PATIENCE)
        speaker.send_headers(event.stream_id, [(":status", "204")], end_stream=True)
        connection.write(speaker.data_to_send())


def test_a_server_that_is_silent_is_left(client, upstream):
    other = upstream(True, kind=Pinged)
    text = run_lua(client, f"""
        local ok, e = pcall(mt.http.get, "{other.h2c}/", {{ keepalive = 0.2 }})
        return ok, e.kind, tostring(e):match("keepalive")""").text
    assert text == "false|lost|keepalive"
    assert other.pings == 1


def test_a_server_that_answers_pings_is_waited_for(client, upstream):
    other = upstream(False, kind=Pinged)
    text = run_lua(client, f"""
        return mt.http.get("{other.h2c}/", {{ keepalive = 0.1 }}).status""").text
    assert text == "204"
    assert other.pings >= 3


def test_nobody_is_asked_unless_it_was_wanted(client, upstream):
    other = upstream(True, kind=Pinged)
    text = run_lua(client, f"""
        local ok, e = pcall(mt.http.get, "{other.h2c}/", {{ timeout = 0.5 }})
        return ok, e.kind""").text
    assert text == "false|timeout"
    assert other.pings == 0


def test_a_connection_that_was_left_gets_no_other_call(client, upstream):
    other = upstream(True, kind=Pinged)
    run_lua(client, f"""
        for _ = 1, 2 do pcall(mt.http.get, "{other.h2c}/", {{ keepalive = 0.1 }}) end""")
    assert other.connections == 2


def test_connected_tells_the_protocol(client, upstream):
    one = upstream(always(response(b"hello"))).url
    two = upstream(False, kind=Pinged).h2c
    assert run_lua(client, f"""
        local one, two = mt.http.open {{ url = "{one}/" }}, mt.http.open {{ url = "{two}/" }}
        local a, b = one:connected(), two:connected()
        one:finish()
        return a, b, one:response().status, one:connected()""").text == \
        "HTTP/1.1|HTTP/2|200|HTTP/1.1"


def test_connected_raises_where_nobody_is_there(client):
    assert run_lua(client, f"""
        local call = mt.http.open {{ url = "http://127.0.0.1:{free_port()}/" }}
        local ok, e = pcall(call.connected, call)
        return ok, e.kind, call.failure""").text == "false|unreachable|unreachable"


# Names with several addresses: "localhost" has one for each version of IP.

def listens_on_both():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_spread_of_a_name_that_has_one_address(client, upstream):
    other = upstream(always(response(b"hello")))
    url = other.url.replace("127.0.0.1", "localhost")
    assert run_lua(client, f"""
        local sum = 0
        for _ = 1, 5 do sum = sum + #mt.http.get("{url}/", {{ spread = true }}):body() end
        return sum""").text == "25"


def test_spread_where_nobody_is_there(client):
    assert run_lua(client, f"""
        local url = "http://localhost:{free_port()}/"
        local function try() return mt.http.get(url, {{ spread = true }}) end
        local kinds = {{}}
        for i = 1, 3 do kinds[i] = select(2, pcall(try)).kind end
        return table.unpack(kinds)""").text == "unreachable|unreachable|unreachable"
