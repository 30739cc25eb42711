"""A server whose requests are pieces of Lua that use the store, in the worker that a test picks."""
import json
import time
from contextlib import ExitStack

from client import Client, Closed
from server import PATIENCE

# Runs what it is sent, and tells what came of it.
EVAL = """
    local mt = require "moontrail"
    local store = require "moontrail.store"
    local json = require "moontrail.json"
    local pid = math.tointeger(io.open("/proc/self/stat"):read("n"))
    kept = {}

    local env = setmetatable({ mt = mt, store = store, json = json, pid = pid, s = store.open("tests") },
        { __index = _G })

    local function told(value)
        if value == nil then return json.null end
        return value
    end

    local function failure(e)
        if type(e) ~= "table" then return { error = tostring(e) } end
        return { error = tostring(e), kind = e.kind, limit = e.limit, code = e.code,
            reason = e.reason, position = e.position, constraint = e.constraint }
    end

    return {
        GET = function(ctx) ctx:text(tostring(pid)) end,
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


class Failed(Exception):
    """What a piece of Lua has raised."""

    def __init__(self, error, kind=None, limit=None, code=None, reason=None, position=None,
                 constraint=None):
        super().__init__(error)
        self.kind, self.limit, self.code, self.reason = kind, limit, code, reason
        self.position, self.constraint = position, constraint


class Worker:
    """A connection to one worker, which runs what it is sent."""

    def __init__(self, client):
        self._client = client
        self.pid = int(client.fetch("/").text)

    def begin(self, code, *values):
        """Begins to run it; each %s in it is a value."""
        code = code % tuple(quote(value) for value in values) if values else code
        return self._client.request("/", "POST", body=code.encode("latin-1"))

    def end(self, stream):
        """What it returns: a value, or a tuple of several."""
        response = self._client.response(stream)
        assert response.status == 200, response.text
        told = json.loads(response.text)
        if "error" in told:
            raise Failed(**told)
        results = tuple(told["results"])
        return results[0] if len(results) == 1 else results

    def run(self, code, *values):
        return self.end(self.begin(code, *values))

    def is_over(self, stream):
        return self._client.so_far(stream).over

    def wait_over(self, stream):
        """To its end, whatever that is."""
        while not self.is_over(stream):
            self._client.receive()

    def begin_at(self, path):
        return self._client.request(path)

    def is_over_within(self, stream, seconds):
        until = time.monotonic() + seconds
        try:
            while not self.is_over(stream) and time.monotonic() < until:
                self._client.socket.settimeout(max(until - time.monotonic(), 0.001))
                self._client.receive()
        except TimeoutError:
            pass
        self._client.socket.settimeout(PATIENCE)
        return self.is_over(stream)

    def reset(self, stream):
        self._client.reset(stream)

    def ping(self):
        self._client.ping()

    def close(self):
        self._client.close()


def quote(value):
    """As Lua writes it."""
    if isinstance(value, (bytes, str)):
        value = value.encode("latin-1") if isinstance(value, str) else value
        return '"' + "".join(f"\\{byte:03d}" for byte in value) + '"'
    return "nil" if value is None else str(value)


class Workers:
    """Connections to each of so many workers; as a context they are closed."""

    def __init__(self, server, count):
        self._stack = ExitStack()
        self.list = []
        found = {}
        until = time.monotonic() + PATIENCE
        while len(found) < count:
            assert time.monotonic() < until, f"only {len(found)} of {count} workers answer"
            try:
                worker = Worker(Client(server.http))
            except (Closed, OSError):
                time.sleep(0.01)
                continue
            self._stack.callback(worker.close)
            found.setdefault(worker.pid, worker)
        self.list = list(found.values())

    def __enter__(self):
        return self.list

    def __exit__(self, *error):
        self._stack.close()
