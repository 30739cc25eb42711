"""Connections of HTTP/2 to other servers: those that are mute, and those that carry few calls."""
import shutil
import subprocess
import threading
import time

import h2.settings
import pytest

from handlers import RUN, run_lua
from upstreams import Http2Upstream, free_port

MAX_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS


class Speaker(Http2Upstream):
    """An upstream of HTTP/2 that greets as it is told, or not at all."""

    def __init__(self, on_event, greet=None, **more):
        self._greet = greet
        super().__init__(on_event, **more)

    def _speak(self, connection):
        if self._greet is not None and not self._greet(self.connections):
            connection.wait_closed()
        else:
            super()._speak(connection)


def answer(h2, stream, text=b"ok"):
    h2.send_headers(stream, [(":status", "200")])
    h2.send_data(stream, text, end_stream=True)


class Mute:
    """Answers at first, and then not on its first connection."""

    def __init__(self, answers):
        self.first, self.left, self.asked = None, answers, []

    def __call__(self, connection, h2, event):
        if type(event).__name__ != "StreamEnded":
            return
        self.first = self.first or connection
        self.asked.append(connection is self.first)
        if connection is self.first and self.left == 0:
            return
        self.left -= connection is self.first
        answer(h2, event.stream_id)


@pytest.fixture
def edge(start):
    """In front of an upstream that is waited for for half a second."""
    return lambda url, *more: start(
        None, "--upstream", url, "--upstream-response-timeout", "0.5", "--upstream-max-failures",
        "0", *more)


# Mute connections.

@pytest.mark.parametrize("answers", [0, 1])
def test_a_mute_connection_gets_no_other_request(upstream, edge, connect, answers):
    mute = Mute(answers)
    client = connect(edge(upstream(mute, Http2Upstream).h2c).https)
    statuses = [client.fetch("/").status for _ in range(answers + 5)]
    assert statuses == [200] * answers + [504] + [200] * 4
    assert mute.asked == [True] * (answers + 1) + [False] * 4


def test_nor_does_one_that_never_greeted(upstream, edge, connect):
    made = upstream(lambda c, h2, e: answer(h2, e.stream_id) if type(e).__name__ == "StreamEnded"
                    else None, Speaker, greet=lambda number: number > 1)
    client = connect(edge(made.h2c).https)
    assert [client.fetch("/").status for _ in range(4)] == [504, 200, 200, 200]


def test_a_mute_connection_whose_calls_have_timeouts_of_their_own(upstream, start, connect):
    mute = Mute(1)
    url = upstream(mute, Http2Upstream).h2c
    client = connect(start({"index.lua": RUN}).https)
    code = """
        local ok, r = pcall(mt.http.get, "URL", { timeout = 0.3 })
        return ok and r:body()""".replace("URL", url)
    assert [run_lua(client, code).text for _ in range(4)] == ["ok", "false", "ok", "ok"]


def leave_early(client, until, seconds=0.2):
    """Asks again and again, and leaves before long, until something holds or an answer comes."""
    while not until():
        stream = client.request("/")
        client.socket.settimeout(seconds)
        try:
            client.wait(lambda stream=stream: client.so_far(stream).over)
            return client.so_far(stream)
        except TimeoutError:
            client.reset(stream)
        finally:
            client.socket.settimeout(30)
    return None


def test_a_mute_connection_whose_clients_leave(upstream, start, connect):
    """It is asked for a sign of life, and has none."""
    over, first = threading.Event(), []

    def on_event(connection, h2, event):
        if type(event).__name__ != "StreamEnded":
            return
        first.append(connection)
        if connection is first[0]:
            over.wait(60)
        else:
            answer(h2, event.stream_id)

    client = connect(start(None, "--upstream", upstream(on_event, Http2Upstream).h2c).https)
    end = time.monotonic() + 50
    got = leave_early(client, lambda: time.monotonic() > end)
    over.set()
    assert got and got.status == 200


def test_clients_that_leave_cost_no_connection_that_is_well(upstream, start, connect):
    """The server takes its time, and says that it is alive."""
    made = upstream(lambda *_: None, Http2Upstream)
    client = connect(start(None, "--upstream", made.h2c).https)
    assert leave_early(client, lambda: len(made.resets) >= 20) is None
    assert made.connections == 1


def test_one_that_answers_others_stays(upstream, edge, connect):
    parked = []

    def on_event(_, h2, event):
        if type(event).__name__ == "RequestReceived":
            path = dict(event.headers)[":path"]
            if path == "/park":
                parked.append(event.stream_id)
            else:
                answer(h2, event.stream_id)

    made = upstream(on_event, Http2Upstream)
    client = connect(edge(made.h2c).https)
    for _ in range(3):
        stream = client.request("/park")
        while not client.so_far(stream).over:
            assert client.fetch("/").status == 200
        assert client.so_far(stream).status == 504
    assert made.connections == 1 and len(parked) == 3


# Few streams.

class Strict:
    """Counts the streams of each connection; none may be beyond the limit once it was said."""

    def __init__(self, limit, hold=0.02):
        self.limit, self.hold, self.open, self.most = limit, hold, {}, 0

    def __call__(self, connection, h2, event):
        name = type(event).__name__
        if name == "RequestReceived":
            self.open[connection] = self.open.get(connection, 0) + 1
            self.most = max(self.most, self.open[connection])
        if name == "StreamEnded":
            time.sleep(self.hold)
            self.open[connection] -= 1
            answer(h2, event.stream_id)


class Few(Http2Upstream):
    """An upstream that allows few streams, and says so."""

    def __init__(self, on_event, **more):
        self.on_event = on_event
        super().__init__(on_event, **more)

    def _speak(self, connection):
        import h2.config
        import h2.connection
        speaker = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        speaker.local_settings.max_concurrent_streams = self.on_event.limit
        speaker.local_settings.acknowledge()
        speaker.initiate_connection()
        connection.write(speaker.data_to_send())
        while data := connection.socket.recv(65536):
            for event in speaker.receive_data(data):
                self._on_event(connection, speaker, event)
            connection.write(speaker.data_to_send())


@pytest.mark.parametrize("limit", [1, 4])
def test_no_more_streams_than_are_allowed(upstream, start, connect, limit):
    strict = Strict(limit)
    server = start({"index.lua": RUN}, "--upstream", f"/up/={upstream(strict, Few).h2c}")
    client = connect(server.https)
    streams = [client.request("/up/") for _ in range(20)]
    assert [client.response(stream).status for stream in streams] == [200] * 20
    assert strict.most <= limit
    assert not server.lines("upstream failed")


def test_scripts_too(upstream, start, connect):
    strict = Strict(1)
    client = connect(start({"index.lua": RUN}).https)
    assert run_lua(client, """
        local tasks = {}
        for i = 1, 15 do
            tasks[i] = mt.spawn(function() return mt.http.get("URL"):body() end)
        end
        local got = ""
        for i = 1, 15 do got = got .. tasks[i]:join() end
        return got""".replace("URL", upstream(strict, Few).h2c)).text == "ok" * 15
    assert strict.most == 1


def refuse_first(count, after=None):
    """Refuses so many streams, and answers the others."""
    seen = []

    def on_event(_, h2, event):
        if type(event).__name__ != "StreamEnded":
            return
        seen.append(event.stream_id)
        if len(seen) <= count:
            h2.reset_stream(event.stream_id, 7)
        else:
            answer(h2, event.stream_id)
    return on_event, seen


@pytest.mark.parametrize("method, body", [("GET", b""), ("POST", b"x" * 10000)], ids=["GET", "POST"])
def test_refusals_are_outlasted(upstream, start, connect, method, body):
    on_event, seen = refuse_first(5)
    server = start(None, "--upstream", upstream(on_event, Http2Upstream).h2c)
    assert connect(server.https).fetch("/", method, body=body).text == "ok"
    assert len(seen) == 6 and not server.lines("upstream failed")


def test_refusals_of_calls_of_scripts_are_outlasted(upstream, start, connect):
    on_event, seen = refuse_first(4)
    client = connect(start({"index.lua": RUN}).https)
    assert run_lua(client, """return mt.http.post("URL", ("x"):rep(5000)):body()""".replace(
        "URL", upstream(on_event, Http2Upstream).h2c)).text == "ok"
    assert len(seen) == 5


def test_refusals_without_end_make_no_busy_loop(upstream, start, connect):
    on_event, seen = refuse_first(1000000)
    server = start(None, "--upstream", upstream(on_event, Http2Upstream).h2c,
                   "--upstream-connect-timeout", "1")
    assert connect(server.https).fetch("/").status == 502
    assert 3 <= len(seen) <= 10
    line, = server.lines("upstream failed")
    assert "REFUSED_STREAM" in line


def test_a_limit_of_none_for_a_while_is_waited_for(upstream, start, connect):
    """Which is no reason to open one connection after the other."""
    told = threading.Event()

    def on_event(connection, h2, event):
        if type(event).__name__ != "StreamEnded":
            return
        answer(h2, event.stream_id)
        if told.is_set():
            return
        told.set()
        h2.update_settings({MAX_STREAMS: 0})

        def open_again():
            time.sleep(1)
            h2.update_settings({MAX_STREAMS: 1})
            connection.write(h2.data_to_send())
        threading.Thread(target=open_again, daemon=True).start()

    made = upstream(on_event, Http2Upstream)
    client = connect(start(None, "--upstream", made.h2c).https)
    assert client.fetch("/").text == "ok"
    streams = [client.request("/") for _ in range(5)]
    assert [client.response(stream).text for stream in streams] == ["ok"] * 5
    assert made.connections <= 5


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_nginx_with_few_streams(start, connect, tmp_path):
    port, slow = free_port(), start({"index.lua": """
        local mt = require "moontrail"
        return function(ctx) mt.sleep(0.05) ctx:text("slow") end"""})
    (tmp_path / "nginx.conf").write_text(f"""
        daemon off; pid {tmp_path}/pid; error_log stderr; worker_processes 1;
        events {{}}
        http {{
            access_log off; client_body_temp_path {tmp_path}/a; proxy_temp_path {tmp_path}/b;
            fastcgi_temp_path {tmp_path}/c; uwsgi_temp_path {tmp_path}/d; scgi_temp_path {tmp_path}/e;
            http2_max_concurrent_streams 1;
            server {{ listen 127.0.0.1:{port} http2; location / {{ proxy_pass {slow.http}; }} }}
        }}""")
    nginx = subprocess.Popen(["nginx", "-c", f"{tmp_path}/nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        edge = start(None, "--upstream", f"h2c://127.0.0.1:{port}", "--upstream-max-failures", "0")
        client = connect(edge.http)
        end = time.monotonic() + 20
        while client.fetch("/").status != 200 and time.monotonic() < end:
            time.sleep(0.05)
        streams = [client.request("/") for _ in range(40)]
        assert [client.response(stream).status for stream in streams] == [200] * 40
    finally:
        nginx.terminate()
        nginx.wait()
