"""Reloads under load: no request fails, each is answered by one generation alone, a save is soon
what is answered, and nothing is left of generations that are over."""
import os
import re
import signal
import subprocess
import threading
import time
from statistics import median

import pytest

from client import Client
from figures import status_kib
from handlers import WHO
from load import Load
from reloading import save_by_rename, save_in_place
from server import PATIENCE, PROGRAM, ROOT, write_scripts

RELEASE = ROOT / "build" / "moontrail"
RELOADS = int(os.environ.get("MOONTRAIL_RELOADS", 200))

# Says the number of its generation, and before that says it as often as it is asked to.
NOW = """
    local mt, number = require "moontrail", %d
    return function(ctx)
        for _ = 1, tonumber(ctx.query or 0) do
            ctx:write(number, " ")
            mt.sleep(0.001)
        end
        ctx:write(number)
    end"""
WHOLE = r"(\d+)( \1){10}"  # of /now?10


class Machine:
    """How long the machine takes just now to start a process that loads the scripts."""

    def __init__(self, program, folder):
        self._command = [str(program), "--check", str(folder)]
        self.took = []

    def measure(self):
        began = time.monotonic()
        subprocess.run(self._command, check=True, capture_output=True, timeout=PATIENCE)
        self.took.append(time.monotonic() - began)


class Loader:
    """h2load, again and again, beside what else is done. What it says of failures is kept."""

    def __init__(self, url):
        self._url, self._over = url, False
        self.requests, self.failed = 0, []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._over:
            text = subprocess.run(["h2load", "-n", "2000", "-c", "8", "-m", "10", self._url],
                                  capture_output=True, text=True, timeout=PATIENCE * 4).stdout
            self.requests += int(re.search(r"(\d+) succeeded", text)[1])
            if not re.search(r" 2000 succeeded, 0 failed, 0 errored, 0 timeout", text):
                self.failed.append(text)

    def stop(self):
        self._over = True
        self._thread.join()


def client_of_each(connect, server):
    """A connection to each worker."""
    clients = {}
    while len(clients) < len(server.workers):
        client = connect(server.https)
        pid = int(client.fetch("/who").text)
        if clients.setdefault(pid, client) is not client:
            client.close()
    return clients.values()


def wait_for_answer(clients, text):
    """Seconds until each of the connections is answered with the text."""
    began = time.monotonic()
    for client in clients:
        while (got := client.fetch("/now").text) != text:
            assert time.monotonic() < began + PATIENCE, (got, text)
    return time.monotonic() - began


@pytest.mark.parametrize("workers, program, reloads", [
    (2, None, RELOADS // 5), (2, RELEASE, RELOADS), (4, RELEASE, RELOADS)])
def test_saves_under_load(start, connect, tmp_path, workers, program, reloads):
    more = {"program": program} if program else {}
    folder = write_scripts(tmp_path / "scripts", {"who.lua": WHO, "now.lua": NOW % 0})
    server = start(folder, "--watch", "-w", workers, "--log-level", "info", **more)
    clients = client_of_each(connect, server)
    waits, machine = [], Machine(program or PROGRAM, folder)
    with Load(server.https, "/now?10", WHOLE) as load:
        loader = Loader(server.https + "/now")
        try:
            for number in range(1, reloads + 1):
                save = save_in_place if number % 2 else save_by_rename
                save(folder / "now.lua", NOW % number)
                waits.append(wait_for_answer(clients, str(number)))
                if number % 10 == 0:
                    machine.measure()
        finally:
            loader.stop()
        counts = load.stop()
    print(f"{reloads} saves, {workers} workers, {loader.requests + counts['answered']} requests: "
          f"median {median(waits) * 1000:.0f} ms, worst {max(waits) * 1000:.0f} ms; "
          f"machine's load {os.getloadavg()[0]:.1f}")
    assert not loader.failed and counts["failed"] == counts["refused"] == 0, loader.failed[:1]
    assert counts["answered"] > reloads
    assert not server.lines("warn|error")
    assert median(waits) < 0.2 + 5 * median(machine.took), (sorted(waits)[-5:], machine.took)
    assert max(waits) < 1 + 10 * max(machine.took), (sorted(waits)[-5:], machine.took)


def test_a_save_is_answered_at_once(start, connect, tmp_path):
    """Within 200 ms, where nothing else is to do; the best of some tries counts, as others use the
    machine as well."""
    folder = write_scripts(tmp_path / "scripts", {"now.lua": NOW % 0})
    server = start(folder, "--watch", "-w", "2", "--log-level", "info", program=RELEASE)
    clients = [connect(server.https)]
    worst, machine = [], Machine(RELEASE, folder)
    for attempt in range(3):
        machine.measure()
        waits = []
        for number in range(attempt * 20 + 1, attempt * 20 + 21):
            save_by_rename(folder / "now.lua", NOW % number)
            waits.append(wait_for_answer(clients, str(number)))
        worst.append(max(waits))
        print(f"median {median(waits) * 1000:.0f} ms, worst {worst[-1] * 1000:.0f} ms")
        if worst[-1] < 0.2:
            break
    assert min(worst) < 0.2 + 5 * max(machine.took), (worst, machine.took)


# Generations.

STREAM = """
    local number = %d
    return function(ctx)
        ctx:flush()
        local piece = ctx:read()
        while piece do
            ctx:write(number, piece)
            piece = ctx:read()
        end
        ctx:append_trailer("generation", number)
    end"""


def reload(server):
    """Loads the scripts anew, and waits until all have."""
    before = len(server.lines("info scripts loaded"))
    server.signal(signal.SIGHUP)
    server.wait_until(lambda: len(server.lines("info scripts loaded")) > before)


def test_a_stream_keeps_its_generation(start, connect, tmp_path):
    folder = write_scripts(tmp_path, {"stream.lua": STREAM % 0})
    server = start(folder)
    client = connect(server.https)
    stream = client.request("/stream", "POST", end=False)
    client.wait(lambda: client.so_far(stream).headers)
    for number in range(1, 51):
        save_in_place(folder / "stream.lua", STREAM % number)
        reload(server)
        client.send(stream, b";")
        client.wait(lambda: client.so_far(stream).text == "0;" * number)
        assert client.fetch("/stream", "POST", body=b",").text == f"{number},"
    assert server.lines("generation loaded number=51 live=3")
    client.send(stream, end=True)
    response = client.response(stream)
    assert response.text == "0;" * 50 and response.trailers == [("generation", "0")]
    client.ping()
    server.wait_for("generation closed live=1", since=len(server.log) - 1)


BOUNDED = """
    local number = %d
    return function(ctx)
        local none <close> = setmetatable({}, { __close = function()
            print(number, "aborted", ctx:aborted())
        end })
        ctx:on_abort(function(reason) print(number, "told", reason) end)
        if ctx.query == "begin" then ctx:write("begun") ctx:flush() end
        print(number, "waits")
        local ok, e = pcall(ctx.read, ctx)
        if not ok then
            print(number, "raised", e.kind, e.reason, e:find("aborted: reload", 1, true), e)
            error(e, 0)
        end
    end"""


def test_the_oldest_generation_ends_where_there_are_too_many(start, connect, tmp_path):
    """A client that has no answer yet gets 503, the others a reset."""
    folder = write_scripts(tmp_path, {"wait.lua": BOUNDED % 0})
    server = start(folder, "--max-generations", "3")
    client = connect(server.https)
    streams = []
    for number in range(5):
        save_in_place(folder / "wait.lua", BOUNDED % number)
        if number:
            reload(server)
        query = "?begin" if number % 2 else ""
        streams.append(client.request("/wait" + query, "POST", end=False))
        server.wait_for(f"print text=\"{number}.*waits\"")
    assert client.response(streams[0]).status == 503
    assert client.response(streams[1]).reset == 8
    for number in (0, 1):
        for word in ("told", "aborted"):
            server.wait_for(f'print text="{number}.*{word}.*reload"')
        server.wait_for(f'print text="{number}.*raised.*abort.*reload.*9.*request aborted: reload"')
    assert len(server.lines("warn generation aborted limit=max-generations live=4 requests=1")) == 2
    assert not any(client.so_far(stream).over for stream in streams[2:])
    for stream in streams[2:]:
        client.send(stream, end=True)
        assert client.response(stream).status == 200


def test_tasks_end_with_their_generation(start, connect, tmp_path):
    folder = write_scripts(tmp_path, {"spawn.lua": """
        local mt = require "moontrail"
        return function(ctx)
            mt.spawn(function() print(pcall(mt.sleep, 1000)) end)
        end"""})
    server = start(folder)
    client = connect(server.https)
    client.fetch("/spawn")
    reload(server)
    server.wait_for("print text=\"false.*task cancelled: reload")
    server.wait_for("generation closed live=1")


# Memory.

def settled_memory(server, client, path):
    for _ in range(50):
        client.fetch(path)
    pid, = server.workers
    return status_kib(pid, "VmRSS")


def test_memory_returns_after_many_reloads(start, connect, tmp_path):
    """The worker's and the master's, and their descriptors."""
    server = start(write_scripts(tmp_path, {"now.lua": NOW % 0}), "--watch", program=RELEASE)
    client = connect(server.https)
    master = server.process.pid

    def sizes():
        worker = settled_memory(server, client, "/now")
        files = [len(os.listdir(f"/proc/{pid}/fd")) for pid in (master, *server.workers)]
        return worker, status_kib(master, "VmRSS"), files
    before = sizes()
    for _ in range(RELOADS):
        reload(server)
    after = sizes()
    print(f"worker, master: {before[:2]} KiB, after {RELOADS} reloads {after[:2]} KiB")
    assert after[0] < before[0] * 1.1 and after[1] < before[1] * 1.1 and after[2] == before[2]


HOARD = """
    local hoard = {}
    return function(ctx)
        for i = 1, tonumber(ctx.query or 0) do hoard[#hoard + 1] = { #hoard, "text " .. i } end
        ctx:text("held")
    end"""


def test_what_scripts_held_is_given_back(start, connect, tmp_path):
    server = start(write_scripts(tmp_path, {"hoard.lua": HOARD}), "--max-cpu", "0", program=RELEASE)
    client = connect(server.https)
    before = settled_memory(server, client, "/hoard")
    for _ in range(3):
        for _ in range(10):
            assert client.fetch("/hoard?30000").text == "held"
        full = settled_memory(server, client, "/hoard")
        assert full > before + 20000
        reload(server)
        after = settled_memory(server, client, "/hoard")
        print(f"{before} KiB, full {full} KiB, reloaded {after} KiB")
        assert after < before * 1.1


LEAK = """
    local leak = {}
    return function(ctx)
        leak[#leak + 1] = ("x"):rep(50000) .. #leak
        ctx:text("hello")
    end"""


def test_scripts_that_fill_their_memory_are_retired(start, tmp_path):
    server = start(write_scripts(tmp_path, {"leak.lua": LEAK}), "--max-vm-memory", "16",
                   "--log-level", "info", program=RELEASE)
    with Load(server.https, "/leak") as load:
        server.wait_until(lambda: len(server.lines("warn scripts retired")) >= 10)
        counts = load.stop()
    assert counts["failed"] == counts["refused"] == 0 and counts["answered"] > 1000, counts
    assert not server.lines("error")


def test_scripts_that_fill_their_memory_as_they_load_are_left_alone(start, connect, tmp_path):
    """To load them anew would free nothing."""
    scripts = {"full.lua": "local t = {} for i = 1, 16300 do t[i] = ('x'):rep(900) .. i end "
                           "return function(ctx) ctx:text(#t) end"}
    server = start(write_scripts(tmp_path, scripts), "--max-vm-memory", "16")
    client = connect(server.https)
    for _ in range(100):
        assert client.fetch("/full").text == "16300"
    assert not server.lines("scripts retired")


def test_scripts_that_cannot_be_retired(start, connect, tmp_path):
    """It is not tried again and again, and forgotten once a reload succeeds."""
    folder = write_scripts(tmp_path, {"leak.lua": LEAK})
    server = start(folder, "--max-vm-memory", "16")
    client = connect(server.https)
    save_by_rename(folder / "leak.lua", "return")
    statuses = [client.fetch("/leak").status for _ in range(500)]
    assert statuses[0] == 200 and statuses[-1] == 500
    assert len(server.lines("warn scripts retired")) == 1
    assert len(server.lines("error scripts not loaded reason=.*returns a nil")) == 1
    save_by_rename(folder / "leak.lua", LEAK)
    reload(server)
    assert client.fetch("/leak").status == 200


def test_retired_scripts_are_not_replaced_by_broken_ones(start, connect, tmp_path):
    folder = write_scripts(tmp_path, {"leak.lua": LEAK})
    server = start(folder, "--max-vm-memory", "16", "--watch")
    client = connect(server.https)
    save_by_rename(folder / "leak.lua", "return")
    server.wait_for("error scripts not loaded")
    statuses = [client.fetch("/leak").status for _ in range(500)]
    assert statuses[0] == 200 and statuses[-1] == 500
    assert not server.lines("scripts retired")
    save_by_rename(folder / "leak.lua", LEAK)
    server.wait_for("info scripts loaded")
    assert client.fetch("/leak").status == 200
