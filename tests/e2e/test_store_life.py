"""The store over the ends of workers, of programs and of everything; and when it is full."""
import os
import re
import resource
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from client import Client, Closed
from optional import need
from server import PATIENCE, PROGRAM, Server, run, write_scripts
from storing import EVAL, Failed, Worker, Workers

KILLS = 8

# Counts for ever: in the store, and in a file what it was told.
WRITER = """
    local s = require("moontrail.store").open "counted"
    local pid = math.tointeger(io.open("/proc/self/stat"):read("n"))
    local mt = require "moontrail"
    return function(ctx)
        local text = ("x"):rep(3000)
        for i = 1, 1e9 do
            s:incr("n")
            s:set("text" .. i % 50, text, { ttl = 0.05 + i % 10 })
            s:incr("pid " .. pid)
            if i % 20 == 0 then mt.sleep(0) end
        end
    end"""


@pytest.fixture(params=["memory:", "file:"])
def place(request, tmp_path):
    return request.param if request.param == "memory:" else f"file:{tmp_path / 'store.mdb'}"


def serve(start, place, count=2, *options, **more):
    return start({"index.lua": EVAL, "write.lua": WRITER}, "--workers", count, "--max-cpu", "20",
                 "--store", place, *options, **more)


def settle(server, count):
    server.wait_until(lambda: len(server.workers) == count)


@contextmanager
def other_than(server, pids):
    """A connection to a worker that is none of these."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            with Client(server.http) as client:
                worker = Worker(client)
                if worker.pid not in pids:
                    yield worker
                    return
        except (Closed, OSError):
            pass
    raise AssertionError("the old workers go on")


# Totals.


@pytest.mark.parametrize("count", [2, 4])
def test_totals_are_exact_under_load(start, place, count):
    server = serve(start, place, count)
    rounds = 5000 if place == "memory:" else 200
    code = f"""
        for i = 1, {rounds} do
            s:incr("total", i)
            if i % 50 == 0 then mt.sleep(0) end
        end
        return true"""
    with Workers(server, count) as workers:
        begun = [(worker, worker.begin(code)) for worker in workers for _ in range(4)]
        assert all(worker.end(stream) for worker, stream in begun)
        for worker in workers:
            assert worker.run('return s:get("total")') == 4 * count * rounds * (rounds + 1) // 2


# Ends of workers.


def begin_to_write(server):
    """A connection to a worker that writes from now on."""
    while True:
        try:
            client = Client(server.http)
            worker = Worker(client)
            worker.begin_at("/write")
            worker.ping()
            return worker
        except (Closed, OSError):
            time.sleep(0.005)


def test_workers_killed_in_the_middle_of_writes_lose_nothing(start, place):
    """What each worker has counted under its own name is what the sum says, over all kills; the unit
    tests kill more often."""
    server = serve(start, place)
    pids = set()
    for turn in range(KILLS):
        settle(server, 2)
        worker = begin_to_write(server)
        with Workers(server, 1) as (other,):
            before = other.run('return store.open("counted"):get("n") or 0')
            while other.run('return store.open("counted"):get("n") or 0') < before + turn % 3:
                pass
        pids.add(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)
        worker.close()
        server.wait_until(lambda gone=worker.pid: gone not in server.workers)
    settle(server, 2)
    with Workers(server, 2) as workers:
        for worker in workers:
            total, parts, after = worker.run("""
                local c, sum = store.open("counted"), 0
                for k in c:keys("pid ") do sum = sum + c:get(k) end
                return c:get("n"), sum, c:incr("after")""")
            assert 0 < parts <= total <= parts + len(pids), "one more of each that was killed"
            assert after >= 1


def test_a_lock_is_free_at_once_when_its_worker_is_killed(start, place):
    server = serve(start, place)
    with Workers(server, 2) as (a, b):
        a.begin('kept.lock = s:lock("l", 1000); kept.held = true; mt.sleep(1000)')
        while a.run("return kept.held") is not True:
            pass
        assert b.run('return s:try_lock("l", 1)') is None
        waiting = b.begin('return s:lock("l", 1000):release()')
        b.ping()
        os.kill(a.pid, signal.SIGKILL)
        began = time.monotonic()
        assert b.end(waiting) is True
        assert time.monotonic() - began < 60, "the lock's time is 1000 s"


def test_a_worker_that_is_stopped_in_a_write_is_killed_before_the_others_are(start):
    """Stopped again and again until it is so within a write, or while it opens the store; those that
    wait for it go on."""
    server = serve(start, "memory:", 2, "--heartbeat-timeout", "6")
    with Workers(server, 2) as (a, b):
        a.begin_at("/write")
        a.ping()
        for _ in range(1000):
            try:
                os.kill(a.pid, signal.SIGSTOP)
                assert b.run('return s:incr("other")') >= 1, "it has waited, or need not"
                os.kill(a.pid, signal.SIGCONT)
            except ProcessLookupError:
                break
            if server.find("worker killed"):
                break
            time.sleep(0.001)
        server.wait_for("worker killed.*stopped in a write")
        server.wait_until(lambda: a.pid not in server.workers)
        assert b.run("return true") is True
        assert not server.find(rf"worker stuck.*pid={b.pid}\b")


# Reload, HUP, USR2.


def test_a_reload_keeps_the_store(start, place):
    server = serve(start, place)
    with Workers(server, 2) as (a, _):
        a.run('s:set("kept", "value"); s:incr("n", 5)')
    server.signal(signal.SIGHUP)
    server.wait_for("scripts loaded")
    with Workers(server, 2) as workers:
        for worker in workers:
            assert worker.run('return s:get("kept"), s:get("n")') == ("value", 5)


def test_new_workers_have_the_store_and_meet_the_old_ones_in_it(start, place):
    server = serve(start, place)
    with Workers(server, 2) as (old, _):
        pids = server.workers
        old.run('s:set("kept", "value")')
        stream = old.begin("""
            local sub <close> = s:subscribe("over")
            s:set("subscribed", 1)
            return sub()""")
        while old.run('return s:get("subscribed")') != 1:
            pass
        server.renew()
        server.wait_for("configuration loaded")
        with other_than(server, pids) as new:
            assert new.run('s:publish("over", "from the new"); return s:get("kept")') == "value"
        assert old.end(stream) == "from the new"


def test_another_size_begins_with_an_empty_store_and_says_so(start):
    server = start({"index.lua": EVAL}, "--workers", "2")
    with Workers(server, 2) as (a, _):
        a.run('s:set("kept", "value")')
        pids = server.workers
    server.config.write_text('return { ["store-size"] = 32 }')
    server.signal(signal.SIGHUP)
    server.wait_for("store begins empty.*size")
    server.wait_for("configuration loaded")
    with other_than(server, pids) as new:
        assert new.run('return s:get("kept")') is None


def test_another_program_takes_the_store_over(start, place):
    server = serve(start, place)
    with Workers(server, 2) as (old, _):
        pids = server.workers
        old.run('s:set("kept", "value"); s:set("ends", 1, { ttl = 1000 })')
        stream = old.begin("""
            local sub <close> = s:subscribe("over")
            s:set("subscribed", 1)
            return sub()""")
        while old.run('return s:get("subscribed")') != 1:
            pass
        server.signal(signal.SIGUSR2)
        server.wait_until(lambda: len(server.lines("info ready")) == 2)
        heir = int(re.search(r"pid=(\d+)$", server.lines("info ready")[-1])[1])
        try:
            with other_than(server, pids) as new:
                assert new.run('return s:get("kept"), s:get("ends"), s:incr("n")') == ("value", 1, 1)
                assert new.run('s:publish("over", "from the new"); return true') is True
            assert old.end(stream) == "from the new"
            assert not server.find("store begins empty")
        finally:
            os.kill(heir, signal.SIGTERM)
            server.wait_until(lambda: not Path(f"/proc/{heir}").exists())


# Ends of everything.


def test_a_file_lasts_when_everything_is_killed(start, tmp_path):
    """What a write has returned for is there, however the end came."""
    place = f"file:{tmp_path / 'store.mdb'}"
    scripts = write_scripts(tmp_path / "served", {"index.lua": EVAL})
    known = 0
    for _ in range(5):
        server = Server(scripts, "--workers", "2", "--max-cpu", "20", "--store", place)
        pids = [*server.workers, server.process.pid]
        with Workers(server, 2) as (a, b):
            assert b.run('return s:get("n") or 0') >= known
            stream = a.begin("""
                while true do kept.done = s:incr("n"); s:set("k" .. kept.done % 9, ("x"):rep(5000)) end""")
            until = time.monotonic() + 0.2
            while time.monotonic() < until:
                known = b.run('return s:get("n") or 0')
            known = a.run("return kept.done")
            assert not a.is_over(stream)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        server.wait()
    server = start({"index.lua": EVAL}, "--workers", "2", "--max-cpu", "20", "--store", place)
    with Workers(server, 2) as (a, b):
        assert a.run('return s:get("n")') >= known > 5
        assert b.run('return #s:get("k1")') == 5000
        assert a.run('return s:incr("n")') > known


def test_a_file_lasts_over_a_restart_with_its_times(start, tmp_path):
    place = f"file:{tmp_path / 'store.mdb'}"
    first = start({"index.lua": EVAL}, "--workers", "2", "--max-cpu", "20", "--store", place)
    with Workers(first, 2) as (a, _):
        a.run("""
            s:set("text", "t"); s:set("n", 7); s:set("later", 1, { ttl = 1000 })
            s:set("soon", 1, { ttl = 0.1 })""")
    first.stop()
    time.sleep(0.1)
    second = start(tmp_path / "scripts", "--workers", "2", "--max-cpu", "20", "--store", place)
    with Workers(second, 2) as (a, _):
        assert a.run("""
            return s:get("text"), s:get("n"), s:get("later"), s:get("soon"), s:expire("later", 5)
        """) == ("t", 7, 1, None, True)


# Full.


# By many at once, since each write to a file waits for the disk.
FILL = """
    local body, n, failure = ("x"):rep(%s), 0, nil
    local function fill()
        while not failure do
            local key = "fill" .. n + 1
            n = n + 1
            local ok, e = pcall(s.set, s, key, body)
            if not ok then failure = e end
            if n %% 50 == 0 then mt.sleep(0) end
        end
    end
    local tasks = {}
    for i = 1, 64 do tasks[i] = fill end
    mt.all(table.unpack(tasks))
    local count = 0
    for _ in s:keys("fill") do count = count + 1 end
    return count, failure.kind, failure.limit"""


@pytest.mark.parametrize("size", [100, 3000, 300000])
def test_a_full_store_says_so_and_takes_removals(start, place, size):
    mib = 4 if size > 100 else 1
    server = start({"index.lua": EVAL}, "--workers", "2", "--max-cpu", "20", "--store", place, "--store-size", mib)
    with Workers(server, 2) as (a, b):
        a.run('s:set("n", 1); s:set("same", "abc")')
        count, kind, limit = a.run(FILL, size)
        assert (kind, limit) == ("limit", "store-size")
        assert count * size > (mib << 20) / 3, "a third of it is filled at least"
        with pytest.raises(Failed) as raised:
            b.run('s:set("more", ("x"):rep(%s))', max(size, 8000))
        assert raised.value.limit == "store-size"
        # What takes no more room goes on.
        assert b.run('return s:incr("n"), s:set("same", "xyz")') == (2, True)
        assert b.run("""
            local n, tasks = 0, {}
            for k in s:keys("fill") do
                tasks[#tasks + 1] = function() assert(s:delete(k)); n = n + 1 end
                if #tasks == 64 then mt.all(table.unpack(tasks)); tasks = {} end
            end
            mt.all(table.unpack(tasks))
            return n""") == count
        again, kind, limit = b.run(FILL, size)
        assert (kind, limit) == ("limit", "store-size")
        assert again > count / 2


def test_what_has_ended_makes_room_before_the_store_is_full(start, place):
    server = start({"index.lua": EVAL}, "--workers", "2", "--max-cpu", "20", "--store", place, "--store-size", "1")
    with Workers(server, 2) as (a, b):
        limit, count = a.run("""
            local body, n, ok, e = ("x"):rep(4000), 0, nil, nil
            repeat
                n = n + 1
                ok, e = pcall(s.set, s, "short" .. n, body, { ttl = 3600 })
            until not ok
            for k in s:keys("short") do s:expire(k, 0.001) end
            return e.limit, n - 1""")
        assert limit == "store-size" and count > 50
        assert b.run("""
            for n = 1, 50 do s:set("new" .. n, ("y"):rep(4000)) end
            return s:get("short1"), #s:get("new50")""") == (None, 4000)


# What cannot be.


@pytest.mark.parametrize("url", ["", "memory", "memory:x", "disk:/tmp/x", "file:", "file:///tmp/x",
                                 "redis", "redis://host:x"])
def test_a_url_that_is_none_is_refused_with_the_cure(url):
    result = run("--check", "--store", url)
    assert result.returncode == 2
    said = result.stderr.strip()
    assert "\n" not in said and "store" in said
    assert "names a host" in said or "memory:, file:PATH or redis://" in said or not url


def refuse(tmp_path, *options, **more):
    """The one line of a server that does not start."""
    scripts = write_scripts(tmp_path / "scripts", {"index.lua": EVAL})
    result = subprocess.run([PROGRAM, "--listen", "http://127.0.0.1:0", *map(str, options),
                             str(scripts)], capture_output=True, text=True, timeout=30,
                            stdin=subprocess.DEVNULL, check=False, **more)
    assert result.returncode == 1, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("moontrail: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_a_file_of_another_program_is_left_as_it_is(tmp_path):
    file = tmp_path / "other.mdb"
    file.write_bytes(b"not a store" * 1000)
    assert "no store of this program" in refuse(tmp_path, "--store", f"file:{file}")
    assert file.read_bytes() == b"not a store" * 1000


def test_an_lmdb_of_another_program_is_refused(tmp_path):
    need("mdb_load")
    file = tmp_path / "other.mdb"
    subprocess.run(["mdb_load", "-n", "-T", str(file)], input=b"k\nv\n", check=True)
    assert "no store of this program" in refuse(tmp_path, "--store", f"file:{file}")


def test_a_store_of_another_version_is_refused(start, tmp_path):
    file = tmp_path / "old.mdb"
    server = start({"index.lua": EVAL}, "--store", f"file:{file}")
    server.stop()
    data = file.read_bytes()
    assert data.count(b"store 1") >= 1
    file.write_bytes(data.replace(b"store 1", b"store 9"))
    assert "another version" in refuse(tmp_path, "--store", f"file:{file}")


def test_a_folder_that_is_not_there_is_named_with_the_cure(tmp_path):
    line = refuse(tmp_path, "--store", f"file:{tmp_path}/none/store.mdb")
    assert f"{tmp_path}/none/store.mdb" in line and "folder does not exist" in line


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    assert "it is a folder" in refuse(tmp_path, "--store", f"file:{tmp_path}")


@pytest.mark.skipif(os.geteuid() != 0, reason="the workers' user is another for root alone")
def test_a_folder_without_rights_is_told(tmp_path):
    scripts = write_scripts(Path("/tmp") / f"moontrail-scripts-{os.getpid()}", {"index.lua": EVAL})
    try:
        folder = tmp_path / "closed"
        folder.mkdir(mode=0o700)
        result = run("--listen", "http://127.0.0.1:0", "--user", "nobody", "--store",
                     f"file:{folder}/store.mdb", str(scripts))
        assert result.returncode == 1
        assert "may not write there" in result.stderr
    finally:
        (scripts / "index.lua").unlink()
        scripts.rmdir()


def test_a_disk_without_room_is_told(tmp_path):
    def bound():
        resource.setrlimit(resource.RLIMIT_FSIZE, (90 << 20, 90 << 20))
    line = refuse(tmp_path, "--store", f"file:{tmp_path}/store.mdb", "--store-size", "100",
                  preexec_fn=bound)
    assert "--store-size" in line and "room" in line


def test_memory_without_room_is_told(tmp_path):
    def bound():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20 << 20, 20 << 20))
    line = refuse(tmp_path, preexec_fn=bound)
    assert "--store-size" in line and "MiB of memory" in line
