"""mt.every { once }: one worker of all runs it, also while workers die and scripts change."""
import os
import signal
import time

import pytest

from places import place_of
from server import PATIENCE, run, write_scripts
from storing import EVAL, Workers

SECONDS = 0.1
TASK = f"""
    local mt = require "moontrail"
    local s = require("moontrail.store").open "once"
    local pid = math.tointeger(io.open("/proc/self/stat"):read("n"))
    mt.every({SECONDS}, function()
        assert(s:incr("inside") == 1, "beside itself")
        s:incr("runs"); s:set("last", pid); s:incr("by " .. pid)
        if waits then mt.sleep(0.01) end
        s:incr("inside", -1)
    end, {{ once = true, name = "task" }})
    mt.every({SECONDS}, function() s:incr("each " .. pid) end)
"""
# A run that waits may be aborted in between.
WAITS = {"index.lua": EVAL, "task.lua": "waits = true" + TASK + "return function() end"}
SCRIPTS = {"index.lua": EVAL, "task.lua": TASK + "return function() end"}


def read(worker, key):
    return worker.run('return store.open("once"):get(%s) or 0', key)


def wait_for_runs(worker, count):
    """Waits for so many runs more."""
    until, before = time.monotonic() + PATIENCE, read(worker, "runs")
    while read(worker, "runs") < before + count:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(params=["memory:", "redis:"])
def place(request, tmp_path_factory):
    """What --store says."""
    with place_of(request.param, tmp_path_factory) as place:
        yield place


def test_one_worker_of_all_runs_it(start, place):
    server = start(WAITS, "--workers", "3", "--store", place)
    with Workers(server, 3) as workers:
        began = time.monotonic()
        before = read(workers[0], "runs")
        wait_for_runs(workers[0], 10)
        seconds = time.monotonic() - began
        runs = read(workers[0], "runs") - before
        assert runs <= seconds / SECONDS + 1
        assert all(read(workers[0], f"each {worker.pid}") > 0 for worker in workers)
        assert not server.find("beside itself")


def test_another_worker_runs_it_when_the_one_is_killed(start, place):
    server = start(SCRIPTS, "--workers", "2", "--store", place)
    for _ in range(3):
        server.wait_until(lambda: len(server.workers) == 2)
        with Workers(server, 2) as (a, b):
            wait_for_runs(a, 1)
            last = read(a, "last")
            other = b if last == a.pid else a
            # Killed while it runs or not: what it counted inside is taken back by hand.
            os.kill(last, signal.SIGKILL)
            other.run('store.open("once"):delete("inside")')
            began = time.monotonic()
            wait_for_runs(other, 2)
            assert time.monotonic() - began < SECONDS + 5 + PATIENCE / 2
            other.run('store.open("once"):set("inside", 0)')


def test_it_goes_on_over_a_reload_and_never_beside_itself(start, place):
    server = start(SCRIPTS, "--workers", "2", "--store", place)
    with Workers(server, 2) as (a, b):
        for _ in range(3):
            wait_for_runs(a, 2)
            # A generation with a request does not end, which would abort a run that waits.
            for worker in (a, b):
                worker.begin("mt.sleep(1000)")
            before = len(server.lines("scripts loaded"))
            server.signal(signal.SIGHUP)
            server.wait_until(lambda n=before: len(server.lines("scripts loaded")) > n)
        wait_for_runs(a, 2)
        assert not server.find("beside itself")


@pytest.mark.parametrize("options, said", [
    ("{ once = true }", "once needs a name"),
    ("{ once = true, name = '' }", "once needs a name"),
    ("{ once = true, name = ('n'):rep(65) }", "once needs a name"),
    ("{ onec = true }", 'no option "onec"'),
    ("5", "table expected"),
])
def test_wrong_options_are_told(tmp_path, options, said):
    scripts = write_scripts(tmp_path, {"index.lua": f"""
        require("moontrail").every(1, function() end, {options})
        return function() end"""})
    result = run("--check", scripts)
    assert result.returncode == 1 and said in result.stderr
