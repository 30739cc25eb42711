"""The access log: a line for each exchange, however it ends."""
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from client import open_socket
from handlers import PARK
from malformed import MALFORMED
from rawframes import END_HEADERS, END_STREAM, RawClient, data, frame
from server import ANY_PORT, PATIENCE, PROGRAM, READY, ROOT, run, write_scripts

SCRIPTS = {
    "hello.lua": "return function(ctx) ctx:text('hello') end",
    "big.lua": """
        return function(ctx)
            while true do ctx:write(("x"):rep(10000)) end
        end""",
    "park.lua": PARK,
    "fail.lua": "return function(ctx) error('broken') end",
    "reset.lua": "return function(ctx) ctx:reset(0xb) end",
    "odd_reset.lua": "return function(ctx) ctx:reset(0x1234) end",
    "late_reset.lua": """
        return function(ctx)
            ctx:write("some")
            ctx:flush()
            ctx:reset(2)
        end""",
    "post.lua": "return { POST = function(ctx) ctx:text(#ctx:body()) end }",
    "early.lua": "return function(ctx) ctx:text('early') end",
    "no_content.lua": "return function(ctx) ctx:status(204) end",
    "grpc.lua": """
        return function(ctx)
            ctx:write("12345")
            ctx:append_trailer("grpc-status", "5")
        end""",
    "grpc_at_once.lua": "return function(ctx) ctx:header('grpc-status', '12') end",
    "grpc_odd.lua": """
        return function(ctx) ctx:append_trailer("grpc-status", 'a"b') end""",
    "slow.lua": """
        return function(ctx)
            require("moontrail").sleep(0.3)
            ctx:text("slow")
        end""",
}
COMBINED = re.compile(
    r'127\.0\.0\.1 - - \[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000)\] "(?P<request>[^"]*)" '
    r'(?P<status>\d{3}|-) (?P<bytes>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" '
    r'duration=(?P<duration>\d+\.\d{6}) conn=(?P<conn>\d+) stream=(?P<stream>\d+)'
    r'(?: reset="(?P<reset>[^"]*)")?(?: grpc-status="(?P<grpc_status>[^"]*)")?')


class Log:
    """Reads the lines of an access log as they come."""

    def __init__(self, path):
        self.path = path

    def lines(self, count=1):
        """The log's lines once there are so many, which must be all."""
        end = time.monotonic() + PATIENCE
        while (text := self.path.read_text()).count("\n") < count:
            assert time.monotonic() < end, text
            time.sleep(0.02)
        assert text.endswith("\n") and text.count("\n") == count, text
        return text.splitlines()

    def entry(self):
        """The log's only line, taken apart."""
        line, = self.lines()
        match = COMBINED.fullmatch(line)
        assert match, line
        return match.groupdict()

    def object(self):
        line, = self.lines()
        return json.loads(line)


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "access.log")


@pytest.fixture
def logged(start, log):
    """Starts a server of SCRIPTS with the access log."""
    return lambda *options: start(SCRIPTS, "--access-log", log.path, *options)


def check(entry, **expected):
    assert {name: entry[name] for name in expected} == expected


# Formats.

def test_the_lines_of_the_documents_have_the_form():
    text = (ROOT / "docs/configuration.md").read_text()
    combined = re.findall(r"^    (127\.0\.0\.1 .*)$", text, re.M)
    assert len(combined) == 3 and all(map(COMBINED.fullmatch, combined))
    assert json.loads(re.search(r'^    (\{"time".*)$', text, re.M)[1])["protocol"] == "HTTP/2"


def test_combined(logged, log, connect):
    client = connect(logged().https)
    client.fetch("/hello?a=b%20c", headers=[("referer", "https://r.test/"), ("user-agent", "me/1")])
    entry = log.entry()
    check(entry, request="GET /hello?a=b%20c HTTP/2", status="200", bytes="5",
          referer="https://r.test/", agent="me/1", conn="1", stream="1", reset=None,
          grpc_status=None)
    assert float(entry["duration"]) < PATIENCE


def test_json(logged, log, connect):
    client = connect(logged("--access-log-format", "json").https)
    client.fetch("/hello?a=b", headers=[("referer", "https://r.test/"), ("user-agent", "me/1")])
    entry = log.object()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert re.fullmatch(r"127\.0\.0\.1:\d+", entry.pop("remote"))
    assert 0 <= entry.pop("duration") < PATIENCE
    assert entry == {"method": "GET", "target": "/hello?a=b", "protocol": "HTTP/2", "status": 200,
                     "bytes": 5, "referer": "https://r.test/", "user_agent": "me/1", "conn": 1,
                     "stream": 1}


def test_json_without_fields(logged, log, connect):
    connect(logged("--access-log-format", "json").http).fetch("/hello")
    check(log.object(), referer=None, user_agent=None)


def test_duration_counts(logged, log, connect):
    connect(logged().https).fetch("/slow")
    assert 0.3 <= float(log.entry()["duration"]) < PATIENCE


# What a client sends is escaped.

HOSTILE = 'a"b\\c\t\u00e4'


def test_combined_escapes(logged, log, connect):
    connect(logged().https).fetch("/hello?\"'\\", headers=[("user-agent", HOSTILE)])
    check(log.entry(), request=r"GET /hello?\x22'\x5C HTTP/2", agent=r"a\x22b\x5Cc\x09\xC3\xA4")


def test_json_escapes(logged, log, connect):
    server = logged("--access-log-format", "json")
    connect(server.https).fetch("/hello?\"'\\", headers=[("user-agent", HOSTILE)])
    check(log.object(), target="/hello?\"'\\", user_agent=HOSTILE)


def test_long_texts_are_cut(logged, log, connect):
    connect(logged().https).fetch("/hello?" + "x" * 9000, headers=[("referer", '"' * 9000)])
    check(log.entry(), request="GET /hello?" + "x" * 2048 + " HTTP/2", referer=r"\x22" * 2048)


# Ways to end.

@pytest.mark.parametrize("path, method, status, size", [
    ("/hello", "GET", "200", "5"), ("/hello", "HEAD", "200", "0"), ("/nope", "GET", "404", "10"),
    ("/post", "GET", "405", "19"), ("/fail", "GET", "500", "22"), ("/no_content", "GET", "204", "0")])
def test_answered(logged, log, connect, path, method, status, size):
    response = connect(logged().https).fetch(path, method)
    assert (str(response.status), str(len(response.body))) == (status, size)
    check(log.entry(), request=f"{method} {path} HTTP/2", status=status, bytes=size, reset=None)


def test_a_body_was_read(logged, log, connect):
    connect(logged().https).fetch("/post", "POST", body=b"x" * 1000)
    check(log.entry(), request="POST /post HTTP/2", status="200", bytes="4")


def test_header_list_too_large(logged, log, connect):
    connect(logged("--max-header-fields", "5").https).fetch(
        "/hello", headers=[(f"x-{i}", "1") for i in range(9)])
    check(log.entry(), status="431", reset=None)


@pytest.mark.parametrize("path, status, code, name", [
    ("/reset", "-", 0xb, "ENHANCE_YOUR_CALM"), ("/odd_reset", "-", 0x1234, "0x1234"),
    ("/late_reset", "200", 2, "INTERNAL_ERROR")])
def test_reset_by_the_handler(logged, log, connect, path, status, code, name):
    assert connect(logged().https).fetch(path).reset == code
    check(log.entry(), status=status, reset=name, bytes="4" if status == "200" else "0")


@pytest.mark.parametrize("code, name", [(8, "CANCEL"), (0, "NO_ERROR"), (0xabc, "0xabc")])
def test_reset_by_the_client(logged, log, connect, code, name):
    client = connect(logged().https)
    stream = client.request("/park")
    client.ping()
    client.reset(stream, code)
    check(log.entry(), request="GET /park HTTP/2", status="-", bytes="0", reset=name)


def test_reset_by_the_client_midway(logged, log, connect):
    client = connect(logged().https)
    client.reading = False
    stream = client.request("/big")
    client.wait(lambda: len(client.so_far(stream).body) == 65535)
    client.reset(stream)
    check(log.entry(), status="200", bytes="65535", reset="CANCEL")


def test_connection_lost(logged, log, connect):
    client = connect(logged().https)
    for _ in range(3):
        client.request("/park")
    client.ping()
    client.vanish()
    entries = [COMBINED.fullmatch(line).groupdict() for line in log.lines(3)]
    assert sorted(entry["stream"] for entry in entries) == ["1", "3", "5"]
    for entry in entries:
        check(entry, status="-", reset="connection lost")


def test_shutdown(logged, log, connect):
    server = logged("--grace", "0.2")
    client = connect(server.https)
    client.request("/park")
    client.ping()
    server.stop()
    check(log.entry(), status="-", reset="shutdown")


def test_timeout(logged, log, connect):
    response = connect(logged("--request-timeout", "0.5").https).fetch("/park")
    assert response.status == 504
    check(log.entry(), status="504", reset="timeout")


def test_early_end(logged, log, connect):
    client = connect(logged().https)
    stream = client.request("/early", "POST", end=False)
    client.wait_for_frame(stream, "RST_STREAM")
    check(log.entry(), status="200", bytes="5", reset="NO_ERROR")


def test_a_frame_that_is_no_request_is_not_logged(logged, log):
    server = logged()
    with RawClient(server.https) as client:
        client.shake_hands()
        block = client.block(client.request() + [("bad name", "x")])
        client.write(frame("HEADERS", END_HEADERS | END_STREAM, 1, block))
        client.find_type("RST_STREAM")
        client.write(data(0))
        client.find_type("GOAWAY")
    server.stop()
    assert log.path.read_text() == ""


@pytest.mark.parametrize("form", ["combined", "json"])
def test_requests_that_cannot_be_read_are_logged(logged, log, form):
    server = logged("--access-log-format", form)
    for request, _ in MALFORMED.values():
        with open_socket(server.http) as sock:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    server.stop()
    assert not server.lines("worker died")
    lines = log.lines(len(MALFORMED))
    if form == "json":
        assert all(json.loads(line)["protocol"].startswith("HTTP/1") for line in lines)
    else:
        assert all(COMBINED.fullmatch(line) for line in lines)


def test_a_line_that_cannot_be_read_has_no_method(logged, log, http1):
    http1(logged().http).write(b"garbage\r\n\r\n")
    check(log.entry(), request="-  HTTP/1.1", status="400", reset="PROTOCOL_ERROR")


def test_each_is_logged_once(logged, log, connect):
    clients = [connect(url) for url in logged().urls]
    for client in clients:
        streams = [client.request("/hello") for _ in range(50)]
        for stream in streams:
            assert client.response(stream).ended
    lines = [COMBINED.fullmatch(line).groupdict() for line in log.lines(100)]
    assert len({(line["conn"], line["stream"]) for line in lines}) == 100


# grpc-status.

@pytest.mark.parametrize("path, status", [("/grpc", "5"), ("/grpc_at_once", "12")])
def test_grpc_status(logged, log, connect, path, status):
    connect(logged().https).fetch(path, "POST")
    check(log.entry(), status="200", grpc_status=status, reset=None)


def test_grpc_status_of_a_call_that_ends_early(logged, log, connect):
    client = connect(logged("--access-log-format", "json").https)
    stream = client.request("/grpc", "POST", end=False)
    client.wait_for_frame(stream, "RST_STREAM")
    check(log.object(), status=200, grpc_status="5", reset="NO_ERROR")


def test_grpc_status_is_escaped(logged, log, connect):
    connect(logged().https).fetch("/grpc_odd")
    check(log.entry(), grpc_status=r"a\x22b")


# Where it goes.

def test_it_is_appended(logged, log, connect):
    log.path.write_text("before\n")
    connect(logged().https).fetch("/hello")
    assert log.lines(2)[0] == "before"


def test_standard_output(tmp_path, connect):
    script = tmp_path / "hello.lua"
    script.write_text(SCRIPTS["hello.lua"])
    process = subprocess.Popen(
        [PROGRAM, "--listen", ANY_PORT[1], "--access-log", "-", script], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = next(filter(None, map(READY.search, process.stderr)))[1]
        connect(url).fetch("/")
        line = process.stdout.readline()
    finally:
        process.terminate()
        rest, log = process.communicate(timeout=PATIENCE)
    check(COMBINED.fullmatch(line.rstrip("\n")).groupdict(), request="GET / HTTP/2", status="200")
    assert (rest, process.returncode) == ("", 0) and "blocks=0" in log


def rotate(server, log, to):
    """Renames the log, and has it opened anew by all workers."""
    log.path.rename(log.path.with_name(to))
    before = len(server.lines("debug log reopened"))
    server.signal(signal.SIGUSR1)
    server.wait_until(
        lambda: len(server.lines("debug log reopened")) == before + len(server.workers))
    assert not server.lines("scripts loaded")
    assert not server.find("access log not reopened")


def test_a_worker_that_starts_later_writes_the_file_opened_anew(logged, log, connect):
    server = logged()
    rotate(server, log, "access.1")
    os.kill(server.workers[0], signal.SIGKILL)
    server.wait_until(lambda: len(server.lines("info worker started")) == 2)
    connect(server.https).fetch("/hello")
    check(log.entry(), request="GET /hello HTTP/2")


def test_a_worker_that_drains_writes_the_file_opened_anew(logged, log, connect):
    server = logged()
    client = connect(server.https)
    stream = client.request("/post", "POST", end=False)
    server.renew()
    server.wait_for("info configuration loaded")
    rotate(server, log, "access.1")
    client.send(stream, b"late", end=True)
    assert client.response(stream).text == "4"
    check(log.entry(), request="POST /post HTTP/2")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_opens_it_anew_in_a_folder_that_is_not_its_own(
        start, connect, open_folder, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # it may not look at such a process
    log = Log(open_folder / "access.log")
    scripts = write_scripts(open_folder / "scripts", SCRIPTS)
    server = start(scripts, "--user", "nobody", "-w", "2", "--access-log", log.path)
    for turn in range(2):
        rotate(server, log, f"access.{turn}")
        connect(server.https).fetch("/hello")
        check(log.entry(), request="GET /hello HTTP/2")


def test_off_writes_nothing(start, connect, tmp_path):
    server = start(SCRIPTS)
    connect(server.https).fetch("/hello")
    server.stop()
    assert os.listdir(tmp_path) == ["scripts"]
    assert not server.find("GET /hello")


def test_a_full_disk_is_told_once(start, connect):
    server = start(SCRIPTS, "--access-log", "/dev/full")
    client = connect(server.https)
    for _ in range(5):
        assert client.fetch("/hello").status == 200
        server.wait_for('error access log failed file=/dev/full reason="No space left on device"')
    server.stop()
    assert sum("access log" in line for line in server.log) == 1


def test_a_file_that_cannot_be_opened(tmp_path):
    script = tmp_path / "hello.lua"
    script.write_text(SCRIPTS["hello.lua"])
    done = run("--listen", ANY_PORT[1], "--access-log", tmp_path, script)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f'the access log "{tmp_path}" cannot be opened: Is a directory' in done.stderr


def test_check_opens_no_log(tmp_path):
    script = tmp_path / "hello.lua"
    script.write_text(SCRIPTS["hello.lua"])
    assert run("--check", "--access-log", tmp_path / "log", script).returncode == 0
    assert os.listdir(tmp_path) == ["hello.lua"]


# Whose folder it is.

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")


@pytest.fixture
def their_folder(open_folder):
    """A folder that another user may write to."""
    os.chown(open_folder, NOBODY, NOBODY)
    return open_folder


def refusal(path, tmp_path):
    """What is said of a log that the server does not take."""
    script = tmp_path / "hello.lua"
    script.write_text(SCRIPTS["hello.lua"])
    done = run("--listen", ANY_PORT[1], "--access-log", path, script)
    assert done.returncode == 1 and f'the access log "{path}" cannot be opened' in done.stderr
    return done.stderr


@as_root
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("owner", [0, NOBODY])
def test_no_link_in_a_folder_of_another_is_followed(their_folder, tmp_path, exists, owner):
    target, link = tmp_path / "target", their_folder / "access.log"
    if exists:
        target.write_text("precious")
    link.symlink_to(target)
    os.lchown(link, owner, owner)
    assert "it is a link that another user may have made" in refusal(link, tmp_path)
    assert target.read_text() == "precious" if exists else not target.exists()


@as_root
def test_no_other_name_of_a_file_in_a_folder_of_another_is_taken(their_folder, tmp_path):
    target, name = their_folder.with_name(their_folder.name + ".precious"), their_folder / "log"
    target.write_text("precious")
    try:
        os.link(target, name)
        assert "has another name" in refusal(name, tmp_path)
        assert target.read_text() == "precious"
    finally:
        target.unlink()


@as_root
def test_a_log_that_became_a_link_is_not_opened_anew(start, connect, their_folder, tmp_path):
    path, target = their_folder / "access.log", tmp_path / "target"
    server = start(SCRIPTS, "--access-log", path)
    path.rename(their_folder / "access.1")
    path.symlink_to(target)
    server.signal(signal.SIGUSR1)
    server.wait_for("error access log not reopened .*another user may have made")
    connect(server.https).fetch("/hello")
    assert not target.exists()
    server.stop()
    assert (their_folder / "access.1").read_text().count("\n") == 1


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_of_our_own_is_followed(start, connect, tmp_path, exists):
    target, link = tmp_path / "logs" / "target", tmp_path / "access.log"
    target.parent.mkdir()
    if exists:
        target.touch()
    link.symlink_to("logs/target")
    connect(start(SCRIPTS, "--access-log", link).https).fetch("/hello")
    check(Log(target).entry(), request="GET /hello HTTP/2")


def test_a_pipe_without_a_reader_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "No such device" in refusal(tmp_path / "pipe", tmp_path)


# Standard output, whatever it is.

def serve_to(stdout, path, tmp_path):
    """A server whose access log goes to stdout, and its address."""
    script = tmp_path / "hello.lua"
    script.write_text(SCRIPTS["hello.lua"])
    process = subprocess.Popen(
        [PROGRAM, "--listen", ANY_PORT[1], "-w", "1", "--access-log", path, script],
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True)
    return process, next(filter(None, map(READY.search, process.stderr)))[1]


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_that_is_a_socket(tmp_path, connect, path):
    """As under systemd."""
    ours, theirs = socket.socketpair()
    process, url = serve_to(theirs, path, tmp_path)
    try:
        connect(url).fetch("/")
        assert b'"GET / HTTP/2" 200' in ours.recv(4096)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def open_pipe():
    read, write = os.pipe()
    return os.fdopen(read, "rb", 0), os.fdopen(write, "wb", 0)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_standard_output_that_nobody_reads(tmp_path, connect, kind):
    """It holds up nobody, and its flags, which others share, are as they were."""
    ours, theirs = socket.socketpair() if kind == "socket" else open_pipe()
    process, url = serve_to(theirs, "-", tmp_path)
    try:
        client = connect(url)
        for _ in range(2000):
            assert client.fetch("/?" + "x" * 1000).status == 200
        assert not fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK
    finally:
        process.terminate()
        log = process.communicate(timeout=PATIENCE)[1]
        ours.close()
        theirs.close()
    assert 'access log failed file=- reason="nobody reads it"' in log
