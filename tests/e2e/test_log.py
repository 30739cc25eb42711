"""The log, and the pages for errors."""
import fcntl
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from server import ANY_PORT, PATIENCE, PROGRAM, READY

SCRIPTS = {
    "fail.lua": """
        local function broken() error("no <luck>") end
        return function(ctx)
            broken()
        end""",
    "print.lua": r"""
        local mt = require "moontrail"
        return function(ctx)
            print("quote \" tab \t line \n bell \a bad \xff é", nil, 1.5, true)
            mt.log.debug("quiet")
            mt.log.info("told", { count = 3, ratio = 0.5, yes = true, text = "two words" })
            mt.log.warn("odd")
            mt.log.error("bad")
        end""",
}


def test_every_line_is_json(start, connect):
    server = start(SCRIPTS, "--log-format", "json", "--dev")
    client = connect(server.https)
    assert client.fetch("/print").status == 200
    assert client.fetch("/fail").status == 500
    server.wait_for("handler failed")
    client.close()
    server.stop()
    lines = [json.loads(line) for line in server.log]
    assert all(line["time"] and line["level"] and line["event"] for line in lines)
    by_event = {line["event"]: line for line in lines}
    assert by_event["ready"]["listen"] == ",".join(server.urls)
    assert by_event["ready"]["pid"] == server.process.pid
    assert by_event["print"]["text"] == (
        'quote " tab \t line \n bell \a bad \xff é\tnil\t1.5\ttrue')
    told = by_event["told"]
    assert (told["count"], told["ratio"], told["yes"], told["text"]) == (3, 0.5, True, "two words")
    assert [by_event[event]["level"] for event in ("quiet", "told", "odd", "bad")] == [
        "debug", "info", "warn", "error"]
    assert by_event["handler failed"]["traceback"].startswith("stack traceback:\n")
    assert by_event["stopped"]["conns"] == 0


def test_the_level_bounds_the_log(start, connect):
    server = start(SCRIPTS, "--log-level", "info")
    assert connect(server.https).fetch("/print").status == 200
    server.wait_for("error bad")
    assert server.find("told count=3") or server.find("info told ")
    assert not server.find("quiet") and not server.find(" debug ")


def test_development_shows_the_traceback(start, connect):
    page = connect(start(SCRIPTS, "--dev").https).fetch("/fail")
    assert page.status == 500
    assert page.header("content-type") == "text/plain; charset=utf-8"
    assert "/fail.lua:2: no <luck>\n" in page.text
    assert "stack traceback:\n" in page.text and "/fail.lua:4: in function" in page.text


def test_production_hides_it(start, connect):
    server = start(SCRIPTS)
    assert connect(server.https).fetch("/fail").text == "Internal Server Error\n"
    server.wait_for(r"/fail.lua:2: no <luck>.*stack traceback")


def test_ready_tells_every_address(start):
    server = start(SCRIPTS, listen=ANY_PORT + ("http://[::1]:0", "http://localhost:0/"))
    assert len(server.urls) == 4
    assert server.urls[2].startswith("http://[::1]:") and not server.urls[2].endswith(":0")


# Lines that a peer causes.

def send_nonsense(url, count):
    for _ in range(count):
        with socket.create_connection(url.split("//")[1].split(":")) as sock:
            sock.sendall(b"X\n")
            while sock.recv(4096):
                pass


def left_out(server, event):
    return sum(int(line.split("left_out=")[1]) for line in server.lines(f"{event} left_out="))


def test_lines_that_a_peer_causes_have_a_rate(start):
    server = start(SCRIPTS, "--log-level", "info")
    began = time.monotonic()
    send_nonsense(server.http, 500)
    seconds = time.monotonic() - began
    server.wait_until(
        lambda: len(server.lines("request refused reason")) + left_out(server, "request refused") == 500)
    assert len(server.lines("request refused")) <= 11 * (seconds + 2)


def test_what_was_left_out_is_told_at_the_end_too(start):
    server = start(SCRIPTS, "--log-level", "info")
    send_nonsense(server.http, 50)
    server.stop()
    told = len(server.lines("request refused reason"))
    assert told + left_out(server, "request refused") == 50


def test_what_a_script_says_has_no_rate(start, connect):
    server = start({"say.lua": """
        return function(ctx)
            for i = 1, 100 do print(i) require("moontrail").log.warn("odd") end
            error("broken")
        end"""}, "--log-level", "info")
    client = connect(server.https)
    for _ in range(20):
        assert client.fetch("/say").status == 500
    for event, count in (("info print", 2000), ("warn odd", 2000), ("error handler failed", 20)):
        server.wait_until(lambda: len(server.lines(event)) == count)


# Nobody reads.

@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_log_that_nobody_reads_holds_up_nobody(tmp_path, connect, kind):
    """Lines are lost, and counted; the descriptor, which others share, is as it was."""
    script = tmp_path / "index.lua"
    script.write_text("""
        return function(ctx) print(("x"):rep(tonumber(ctx.query:match("n=(%d+)")))) ctx:text("said") end""")
    if kind == "pipe":
        read, write = os.pipe()
    else:
        read, write = (end.detach() for end in socket.socketpair())
    with subprocess.Popen([PROGRAM, "-l", ANY_PORT[1], "-w", "1", str(script)],
                          stdin=subprocess.DEVNULL, stderr=write) as process:
        try:
            text = read_until(read, b"ready listen=", b"\n")
            client = connect(READY.search(text)[1])
            for _ in range(1000):
                assert client.fetch("/?n=1000").status == 200
            assert client.fetch("/?n=60000").status == 200
            assert not fcntl.fcntl(write, fcntl.F_GETFL) & os.O_NONBLOCK
            read_for_now = drain(read)
            client.fetch("/?n=1")
            text = read_until(read, b"log lines lost count=", b"print text=x\n", text=read_for_now)
            assert sum(map(int, re.findall(r"log lines lost count=(\d+)", text))) > 100
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            os.close(read)
            os.close(write)


def read_until(fd, *parts, text=b""):
    """Reads until the parts have come, each after the one before, behind a text that was read already."""
    at = 0
    for part in parts:
        while (found := text.find(part, at)) < 0:
            assert select.select([fd], [], [], PATIENCE)[0], (part, text[-300:])
            text += os.read(fd, 65536)
        at = found + len(part)
    return text.decode()


def drain(fd):
    """Reads what there is, and gives it."""
    text = b""
    while select.select([fd], [], [], 0.2)[0]:
        text += os.read(fd, 1 << 20)
    return text
