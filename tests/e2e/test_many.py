"""Very many connections: those that vanish while a handler waits, and those that say nothing."""
import os
import resource
import time

import pytest

from attacker import Attacker, request, vanish
from client import Client
from server import PATIENCE, ROOT

pytest_plugins = ["figures"]

RELEASE = ROOT / "build" / "moontrail"
VANISHING = 1000
FULL = bool(os.environ.get("MOONTRAIL_FULL"))
IDLE = {"http": 5000, "https": 5000 if FULL else 2000}
KIB_EACH = {"http": 24, "https": 60}  # that an idle connection may take

SCRIPTS = {
    "hello.lua": """
        return function(ctx) ctx:text("hello\\n") end""",
    "wait/[way].lua": """
        local counts = require "_counts"
        local ways = {
            read = function(ctx) ctx:read() end,
            write = function(ctx) while true do ctx:write(("x"):rep(65536)) end end,
            sleep = function() require("moontrail").sleep(3600) end,
        }
        return function(ctx)
            local guard <close> = setmetatable({}, {
                __close = function() counts.closed = counts.closed + 1 end })
            ctx:on_abort(function(reason) counts[reason] = (counts[reason] or 0) + 1 end)
            counts.begun = counts.begun + 1
            ways[ctx.params.way](ctx)
        end""",
    "_counts.lua": "return { begun = 0, closed = 0 }",
    "count/[name].lua": """
        return function(ctx) ctx:text(require "_counts"[ctx.params.name] or 0) end""",
}


@pytest.fixture(autouse=True)
def descriptors():
    """As many as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def wait_for_count(client, name, count):
    end = time.monotonic() + PATIENCE
    while int(client.fetch("/count/" + name).text) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_clients_that_vanish(start, measure, figure):
    """In each way of waiting; handlers learn of it, and nothing stays alive."""
    server = start(SCRIPTS, "--log-level", "info")
    with Client(server.https) as client:
        cost = measure(server)
        clients = [Attacker(server.http) for _ in range(VANISHING)]
        for number, one in enumerate(clients):
            way = ("read", "write", "sleep")[number % 3]
            one.send(request(1, "/wait/" + way, "POST", end=False))
        wait_for_count(client, "begun", VANISHING)
        for one in clients:
            vanish(one.socket)
        for name in ("connection%20lost", "closed"):
            wait_for_count(client, name, VANISHING)
        figure("clients that vanish", cost, sum(one.sent for one in clients), VANISHING)


@pytest.mark.parametrize("scheme", IDLE)
def test_idle_connections(start, measure, figure, scheme):
    count = IDLE[scheme]
    server = start(SCRIPTS, "--log-level", "info", program=RELEASE)
    with Client(server.https) as client:
        client.fetch("/hello")
        cost = measure(server)
        idle = [Attacker(getattr(server, scheme)) for _ in range(count)]
        assert all(one.wait(lambda: one.frames) for one in idle)
        began = time.monotonic()
        client.fetch("/hello")
        waited = time.monotonic() - began
        figure(f"idle connections, {scheme}", cost, sum(one.sent for one in idle), count)
        assert cost.memory() / count < KIB_EACH[scheme]
        assert waited < 1
        for one in idle:
            one.close()
