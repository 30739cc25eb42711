"""Redis under test, and servers that are none."""
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from client import Client
from plain_server import PlainServer
from server import PATIENCE
from storing import Failed, Worker

# Runs what it is sent, and tells what came of it.
EVAL = """
    local mt = require "moontrail"
    local redis = require "moontrail.redis"
    local json = require "moontrail.json"
    kept = {}

    local env = setmetatable({ mt = mt, redis = redis, json = json }, { __index = _G })

    local function told(value)
        if value == nil then return json.null end
        if type(value) == "table" and value.kind then return tostring(value) end
        return value
    end

    local function failure(e)
        if type(e) ~= "table" then return { error = tostring(e) } end
        return { error = tostring(e), kind = e.kind, limit = e.limit, code = e.code, reason = e.reason }
    end

    return {
        GET = function(ctx) ctx:text("0") end,
        POST = function(ctx)
            env.ctx = ctx
            local code = assert(load(ctx:body(), "=test", "t", env))
            local results = table.pack(pcall(code))
            if not results[1] then return ctx:json(failure(results[2])) end
            local list = {}
            for i = 2, results.n do list[i - 1] = told(results[i]) end
            ctx:json({ results = json.array(list) })
        end,
    }
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    """A redis-server on a port and in a folder of its own."""

    def __init__(self, folder, *options):
        self.port = free_port()
        self.folder = folder
        self.options = options
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.folder, "--save", "",
             "--appendonly", "no", "--logfile", "log", "--unixsocket", "socket", *map(str, self.options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.wait_for(lambda: self.run("PING") in ("PONG", "NOAUTH Authentication required."))

    def run(self, *words):
        """What redis-cli prints."""
        done = subprocess.run(["redis-cli", "-p", str(self.port), *map(str, words)], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False)
        return done.stdout.strip()

    def wait_for(self, condition):
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, self.run("INFO", "clients")
            time.sleep(0.01)

    def clients(self, command=None):
        """How many connections there are, beside the one that asks, whose last command was that one."""
        lines = [line for line in self.run("CLIENT", "LIST").splitlines() if "cmd=client" not in line]
        return len([line for line in lines if not command or f"cmd={command} " in line])

    def signal(self, number):
        self.process.send_signal(number)

    @contextmanager
    def hung(self):
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    one = Redis(tmp_path_factory.mktemp("redis"))
    yield one
    one.kill()


@pytest.fixture
def talker():
    """Starts servers that do with each connection what a function does, and gives their URL."""
    started = []

    def start(serve):
        started.append(PlainServer(serve))
        return started[-1].url.replace("tcp:", "redis:")
    yield start
    for one in started:
        one.close()


@pytest.fixture
def worker(server):
    """Runs Lua, in a server of the module's."""
    with Client(server.http) as client:
        yield Worker(client)


def failure(worker, code, *values):
    """What a piece of Lua raises."""
    with pytest.raises(Failed) as caught:
        worker.run(code, *values)
    return caught.value
