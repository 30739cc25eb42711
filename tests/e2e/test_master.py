"""Master and workers: who serves, who runs as whom, and what happens when one dies."""
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import pytest

from client import Client, Closed, open_socket
from handlers import HELLO, WAIT, WHO
from load import Load
from server import PATIENCE, Server, run, write_scripts

SCRIPTS = {
    "hello.lua": HELLO,
    "who.lua": WHO,
    "wait.lua": WAIT,
    "user.lua": """
        return function(ctx)
            local pipe <close> = io.popen("id -un")
            ctx:text(pipe:read("l"))
        end""",
    "sleep.lua": "return function() os.execute('sleep 4') end",
    "match.lua": """
        return function()
            print("begun")
            local text = ("a"):rep(40000)
            text:find((".-"):rep(30) .. "b")
        end""",
}

# Loads in the proof, and then no more.
LOADS_ONCE = """
    local file = '%s'
    if io.open(file) then error('loaded twice') end
    io.open(file, 'w'):close()
    return function(ctx) ctx:text('hello') end"""


NOBODY = 65534


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def who(url):
    """The worker that answers a connection."""
    with Client(url) as client:
        return int(client.fetch("/who").text)


def client_of(connect, url, worker):
    """A connection to a given worker."""
    while True:
        client = connect(url)
        if int(client.fetch("/who").text) == worker:
            return client
        client.close()


def kill(server, worker):
    """Kills a worker and waits until another is in its place."""
    before = set(server.workers)
    os.kill(worker, signal.SIGKILL)
    server.wait_until(lambda: server.find(f"worker died worker=.* pid={worker} end=SIGKILL"))
    server.wait_until(lambda: any(server.find(f"worker started .*pid={pid}$")
                      for pid in set(server.workers) - before))


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_all_workers_serve(start, scheme):
    server = start(SCRIPTS, "-w", "3")
    assert len(server.workers) == 3
    served = set()
    server.wait_until(lambda: served.add(who(getattr(server, scheme))) or len(served) == 3)
    assert served == set(server.workers)


def test_one_worker_a_core_is_the_default(start):
    server = start(SCRIPTS, "--workers", "auto")
    assert len(server.workers) == len(os.sched_getaffinity(0))


def test_a_killed_worker_takes_only_its_own_streams(start, connect):
    server = start(SCRIPTS, "-w", "2")
    one, two = server.workers
    lost, kept = client_of(connect, server.https, one), client_of(connect, server.https, two)
    streams = [client.request("/wait", "POST", end=False) for client in (lost, kept)]
    for client, stream in zip((lost, kept), streams):
        client.wait(lambda: client.so_far(stream).body == b"begun")
    kill(server, one)
    with pytest.raises((Closed, OSError)):
        lost.response(streams[0])
    kept.send(streams[1], b" and ended", end=True)
    assert kept.response(streams[1]).text == "begun and ended"
    assert two in server.workers and len(server.workers) == 2


def test_what_waits_in_the_queue_is_not_lost(start):
    server = start(SCRIPTS)
    worker, = server.workers
    os.kill(worker, signal.SIGSTOP)
    clients = [Client(server.http) for _ in range(50)]
    streams = [client.request("/who") for client in clients]
    kill(server, worker)
    for client, stream in zip(clients, streams):
        assert client.response(stream).text == str(server.workers[0])
        client.close()


def test_workers_killed_under_load(start):
    server = start(SCRIPTS, "-w", "2", "--log-level", "info")
    with Load(server.https, connections=8) as load:
        for _ in range(3):
            time.sleep(0.3)
            kill(server, server.workers[0])
        counts = load.stop()
    assert counts["answered"] > 100
    assert counts["failed"] <= 3 * 5 * 8  # what was on the workers that were killed


def time_of(match):
    return datetime.fromisoformat(match.string.split()[0].rstrip("Z"))


def test_restarts_back_off(start):
    server = start(SCRIPTS)
    delays = []
    for _ in range(5):
        worker, = server.workers
        kill(server, worker)
        died = time_of(server.find(f"worker died .*pid={worker} "))
        born = time_of(server.find(f"worker started .*pid={server.workers[0]}$"))
        delays.append((born - died).total_seconds())
    for delay, least in zip(delays, (0, 0.1, 0.2, 0.4, 0.8)):
        assert delay >= least, delays


@pytest.mark.parametrize("path", ["/sleep", "/match"])
def test_a_stuck_worker_is_replaced(start, connect, path):
    server = start(SCRIPTS, "-w", "2", "--heartbeat-timeout", "2")
    stuck = server.workers[0]
    client = client_of(connect, server.https, stuck)
    stream = client.request(path)
    server.wait_for(f"error worker stuck worker=. pid={stuck} seconds=[23]")
    with pytest.raises((Closed, OSError)):
        client.response(stream)
    server.wait_until(lambda: len(server.workers) == 2 and stuck not in server.workers)
    assert who(server.https)


@pytest.mark.parametrize("path", ["/sleep", "/match"])
def test_a_stuck_worker_is_told_with_its_request(start, connect, path):
    server = start(SCRIPTS, "--heartbeat-timeout", "1")
    connect(server.https).request(f"{path}?x=1", "POST", end=False)
    line = server.wait_for("error worker stuck .*").string
    assert "method=POST" in line and f"{path}.lua" in line and f"path={path}" in line.replace('"', "")


def test_a_worker_stuck_as_it_loads_is_told_with_the_file(start, tmp_path):
    server = start(SCRIPTS, "--heartbeat-timeout", "1", "--load-timeout", "1")
    marker = tmp_path / "loaded"
    write_scripts(tmp_path / "scripts", {"slow.lua": f"""
        if io.open('{marker}') then os.execute('sleep 30') end
        io.open('{marker}', 'w'):close()
        return print"""})
    server.signal(signal.SIGHUP)
    server.wait_for("error worker stuck .*loading=.*slow.lua")


def test_a_handler_that_blocks_is_told_of(start, connect):
    scripts = SCRIPTS | {"nap.lua": "return function(ctx) os.execute('sleep 1.5') ctx:text('up') end",
                         "short.lua": "return function(ctx) os.execute('sleep 0.4') ctx:text('up') end"}
    server = start(scripts, "--log-level", "info")
    client = connect(server.https)
    for path in ("/short", "/nap", "/hello", "/short"):
        assert client.fetch(path).status == 200
    server.wait_for("warn handler blocked seconds=1.[5-9] method=GET path=/nap script=.*nap.lua")
    assert not [line for line in server.lines("handler blocked") if "nap" not in line
                and float(line.split("seconds=")[1].split()[0]) < 1]


def test_development_tells_of_shorter_blocks(start, connect):
    server = start({"short.lua": "return function(ctx) os.execute('sleep 0.5') ctx:text('up') end"},
                   "--dev")
    assert connect(server.https).fetch("/short").status == 200
    server.wait_for("warn handler blocked seconds=[^ ]+ method=GET path=/short script=.*short.lua")


def test_waiting_is_no_blocking(start, connect):
    server = start({"wait.lua": """
        return function(ctx) require("moontrail").sleep(1.5) ctx:text("up") end"""}, "--dev")
    assert connect(server.https).fetch("/wait").status == 200
    assert not server.lines("blocked")


def test_loading_that_holds_up_requests_is_told(start, tmp_path):
    server = start(SCRIPTS)
    write_scripts(tmp_path / "scripts", {"slow.lua": "os.execute('sleep 1.3') return print"})
    server.signal(signal.SIGHUP)
    server.wait_for("warn scripts still load file=.*slow.lua seconds=1")
    server.wait_for('warn worker blocked seconds=1.* by="the loading of scripts"')


# Ends.

STREAM = {"stream.lua": """
    return function(ctx)
        while true do ctx:write("x") ctx:flush() require("moontrail").sleep(0.1) end
    end"""}


def test_an_interrupt_of_who_develops_ends_at_once(start, connect):
    server = start(STREAM, "--dev", "--grace", "60")
    client = connect(server.https)
    stream = client.request("/stream")
    client.wait(lambda: len(client.so_far(stream).body) > 2)
    server.signal(signal.SIGINT)
    assert server.wait(PATIENCE) == 0
    assert server.find("info stopping now signal=INT requests=1")
    assert server.find("info request cut method=GET path=/stream")


@pytest.mark.parametrize("options, number", [
    (("--dev",), signal.SIGTERM), ((), signal.SIGINT), ((), signal.SIGTERM)])
def test_an_end_says_what_it_waits_for(start, connect, options, number):
    server = start(STREAM, "--grace", "60", *options)
    client = connect(server.https)
    streams = [client.request("/stream") for _ in range(2)]
    client.wait(lambda: all(len(client.so_far(stream).body) > 2 for stream in streams))
    server.signal(number)
    server.wait_for("info stopping signal=.* grace=60 requests=2 hint=.*second signal ends")
    server.signal(number)
    assert server.wait(PATIENCE) == 0


def test_an_end_that_waits_for_nothing_says_no_more(start, connect):
    server = start(SCRIPTS)
    connect(server.https).fetch("/hello")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert server.find("info stopping signal=TERM grace=30$")


def test_a_change_says_what_the_old_workers_wait_for(start, connect):
    server = start(STREAM, "--grace", "1")
    client = connect(server.https)
    stream = client.request("/stream")
    client.wait(lambda: len(client.so_far(stream).body) > 2)
    server.renew()
    server.wait_for("info old workers drain requests=1 grace=1")
    server.wait_for("grace over")


def test_the_second_signal_waits_for_no_stuck_worker(start, connect):
    server = start(SCRIPTS, "--log-level", "info")
    client = connect(server.https)
    client.request("/match")
    server.wait_for("print text=begun")
    for _ in range(2):
        server.signal(signal.SIGTERM)
        time.sleep(0.2)
    assert server.wait(9) == 0
    server.wait_for("error worker does not end")


def test_idle_workers_are_not_stuck(start):
    server = start(SCRIPTS, "-w", "2", "--heartbeat-timeout", "2")
    workers = server.workers
    time.sleep(5)
    assert server.workers == workers


def test_a_pause_of_all_is_no_fault_of_the_workers(start):
    server = start(SCRIPTS, "-w", "2", "--heartbeat-timeout", "2")
    workers = server.workers
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in (server.process.pid, *workers):
            os.kill(pid, number)
        time.sleep(4)
    assert server.workers == workers


def test_workers_leave_signals_to_the_master(start):
    server = start(SCRIPTS)
    worker, = server.workers
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(worker, number)
    assert who(server.https) == worker


def test_workers_end_with_their_master(tmp_path, connect):
    server = Server(write_scripts(tmp_path, SCRIPTS), "-w", "2")
    workers = server.workers
    client = connect(server.https)
    stream = client.request("/wait", "POST", end=False)
    client.wait(lambda: client.so_far(stream).body == b"begun")
    server.process.kill()
    server.wait_for("error master lost")
    client.send(stream, b" and ended", end=True)
    assert client.response(stream).text == "begun and ended"
    client.close()
    server.wait_until(lambda: all(is_gone(pid) for pid in workers))
    server.wait()
    assert len(re.findall(r"stopped pid=\d+ conns=0", "\n".join(server.log))) == 2


# What scripts start.

OF_LIBC = 0b11 << 31  # signals 32 and 33, which it keeps to itself: who starts the tests may ignore them


def test_programs_that_scripts_start_ignore_no_signal(start, connect):
    """Neither as the scripts load, where that is proved and where they serve, nor later."""
    server = start({"ignored.lua": """
        local function read()
            local pipe <close> = io.popen("sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status")
            return pipe:read("l")
        end
        local first = read()
        print("loading", first)
        return function(ctx)
            os.execute("sed -n 's/^SigIgn:/executed/p' /proc/self/status >&2")
            ctx:text(first .. " " .. read())
        end"""}, preexec_fn=lambda: [
            signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGQUIT)])
    words = connect(server.https).fetch("/ignored").text.split()
    words += [line.split()[-1].rstrip('"').rpartition("\\t")[2] for line in server.lines("loading")]
    server.wait_for("executed")
    words += [line.split()[-1] for line in server.lines("executed")]
    assert len(words) >= 5 and {int(word, 16) & ~OF_LIBC for word in words} == {0}


def zombies(pid):
    return [child for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if is_gone(child)]


def test_children_of_another_are_reaped(start, connect):
    """Of a process that became this one."""
    server = start(SCRIPTS, through=["sh", "-c", 'sleep 0.2 & sleep 0.4 & exec "$0" "$@"'])
    pid = server.process.pid
    server.wait_until(lambda: len(server.workers) == 1)
    kill(server, server.workers[0])
    assert connect(server.https).fetch("/hello").text == "hello"
    server.wait_until(lambda: not zombies(pid))


# Makes the process adopt what it leaves behind, as the first one of a container does.
SUBREAPER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])"""


def test_what_scripts_leave_behind_is_reaped(start, connect):
    scripts = SCRIPTS | {"fork.lua": """
        return function(ctx) os.execute("sleep 0.1 &") ctx:text("left") end"""}
    server = start(scripts, through=[sys.executable, "-c", SUBREAPER])
    for _ in range(5):
        assert connect(server.https).fetch("/fork").text == "left"
    for _ in range(3):  # the exit status of our own is not taken away
        worker = server.lines("worker started")[-1].split("pid=")[1]
        count = len(server.lines("worker started"))
        os.kill(int(worker), signal.SIGKILL)
        server.wait_for(f"worker died .*pid={worker} end=SIGKILL")
        server.wait_until(lambda: len(server.lines("worker started")) > count)
    time.sleep(0.3)
    server.wait_until(lambda: not zombies(server.process.pid))
    assert connect(server.https).fetch("/hello").text == "hello"


# Privileges.

def uid(pid):
    return os.stat(f"/proc/{pid}").st_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_workers_drop_their_privileges(start, connect, open_folder, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # it may not look at such a process
    server = start(write_scripts(open_folder, SCRIPTS), "--user", "nobody", "-w", "2")
    assert connect(server.https).fetch("/user").text == "nobody"
    for worker in server.workers:
        status = Path(f"/proc/{worker}/status").read_text()
        assert re.search(r"^Uid:\s+65534\s+65534\s+65534\s+65534$", status, re.M)
        assert not re.search(r"^Groups:.*\b0\b", status, re.M)
    assert uid(server.process.pid) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_scripts_are_proved_without_privileges(open_folder, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    script = "local pipe = io.popen('id -un') error('loaded by ' .. pipe:read('l'))"
    done = run("-l", "http://127.0.0.1:0", "--user", "nobody",
               write_scripts(open_folder, {"index.lua": script}))
    assert done.returncode == 1 and "loaded by nobody" in done.stderr


def test_an_unknown_user(tmp_path):
    done = run("-l", "http://127.0.0.1:0", "--user", "no-such-user",
               write_scripts(tmp_path, SCRIPTS))
    assert done.returncode == 1
    assert done.stderr.startswith('moontrail: there is no user "no-such-user"')


# The pid file.

def test_the_pid_file(start, tmp_path):
    file = tmp_path / "pid"
    file.write_text("999999999\n")
    server = start(SCRIPTS, "--pid-file", file)
    assert file.read_text() == f"{server.process.pid}\n"
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not file.exists()


def test_hup_moves_the_pid_file(start, tmp_path):
    config = tmp_path / "config.lua"
    config.write_text(f"return {{ pid_file = '{tmp_path}/one' }}")
    server = start(SCRIPTS, "-c", config)
    config.write_text(f"return {{ pid_file = '{tmp_path}/two' }}")
    server.signal(signal.SIGHUP)
    server.wait_for("info configuration loaded")
    assert (tmp_path / "two").read_text() == f"{server.process.pid}\n"
    assert not (tmp_path / "one").exists()
    server.stop()
    assert not (tmp_path / "two").exists()


def test_a_pid_file_in_use(start, tmp_path):
    file = tmp_path / "pid"
    server = start(SCRIPTS, "--pid-file", file)
    done = run("-l", "http://127.0.0.1:0", "-w", "1", "--pid-file", file, tmp_path / "scripts")
    assert done.returncode == 1
    assert f"stop process {server.process.pid}" in done.stderr
    assert file.read_text() == f"{server.process.pid}\n"


@pytest.fixture
def folder_of_nobody():
    """A folder that another user may write to."""
    folder = Path(tempfile.mkdtemp(prefix="moontrail-"))
    os.chmod(folder, 0o755)
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")
def test_the_pid_file_follows_no_link(start, folder_of_nobody, tmp_path):
    precious, file = tmp_path / "precious", folder_of_nobody / "pid"
    precious.write_text("precious")
    for name in ("pid", "pid.new"):
        (folder_of_nobody / name).symlink_to(precious)
        os.lchown(folder_of_nobody / name, NOBODY, NOBODY)
    server = start(SCRIPTS, "--pid-file", file)
    assert precious.read_text() == "precious"
    assert not file.is_symlink() and file.read_text() == f"{server.process.pid}\n"


def test_the_pid_file_waits_for_no_pipe(start, tmp_path):
    for name in ("pid", "pid.new"):
        os.mkfifo(tmp_path / name)
    server = start(SCRIPTS, "--pid-file", tmp_path / "pid")
    assert (tmp_path / "pid").read_text() == f"{server.process.pid}\n"


# The start.

def test_scripts_that_never_load(tmp_path):
    folder = write_scripts(tmp_path, {"index.lua": "os.execute('sleep 5')"})
    done = run("-l", "http://127.0.0.1:0", "--load-timeout", "0.5", folder)
    assert done.returncode == 1
    assert done.stderr == (
        "moontrail: the scripts take more than 0.5 seconds to load: see --load-timeout\n")


def test_a_replacement_that_cannot_start(start, tmp_path):
    """Its scripts end it each time."""
    server = start(SCRIPTS, "-w", "2")
    write_scripts(tmp_path / "scripts", {"broken.lua": "os.execute('kill -9 $PPID')"})
    os.kill(server.workers[0], signal.SIGKILL)
    server.wait_until(lambda: len(server.lines("worker died .* end=SIGKILL")) == 4)
    assert len(server.lines("worker started")) == 2
    write_scripts(tmp_path / "scripts", {"broken.lua": "return print"})
    server.wait_until(lambda: len(server.lines("worker started")) == 3)


def test_a_worker_that_cannot_start(tmp_path):
    folder = write_scripts(tmp_path, {"index.lua": LOADS_ONCE % (tmp_path / "loaded")})
    done = run("-l", "http://127.0.0.1:0", folder)
    assert done.returncode == 1
    assert done.stderr.startswith("moontrail: ") and "loaded twice" in done.stderr


def test_a_worker_that_dies_as_it_starts(tmp_path):
    script = "if io.open('%s') then os.execute('kill -9 $PPID') end return print" % (tmp_path / "loaded")
    folder = write_scripts(tmp_path, {
        "a.lua": script, "b.lua": LOADS_ONCE % (tmp_path / "loaded")})
    done = run("-l", "http://127.0.0.1:0", "-w", "1", folder)
    assert done.returncode == 1
    assert done.stderr.endswith("moontrail: a worker died as it started\n")


def test_standard_streams_that_are_closed(start):
    server = start(SCRIPTS, through=["sh", "-c", 'exec "$0" "$@" <&- >&-'])
    for pid in (server.process.pid, *server.workers):
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1)} == {"/dev/null"}


def test_two_servers_at_one_address(start, tmp_path):
    server = start(SCRIPTS, "-w", "2")
    done = run("-l", server.http, tmp_path / "scripts")
    assert done.returncode == 1 and "Address already in use" in done.stderr
    open_socket(server.http).close()
