"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, on a port of its own."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from optional import POSTGRES
from upstreams import free_port
from server import PATIENCE, Server, write_scripts

# Who has to say a password; and who does not, which takes the server less time.
USER, PASSWORD, TRUSTED = "tests", "s3cret p@ss", "trusted"
# Nothing here has to last, and each test waits for a restart no longer than it must.
SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=120", "shared_buffers=16MB",
            "max_wal_size=64MB", "autovacuum=off", "lc_messages=C", "ssl=on")


def as_nobody():
    """PostgreSQL does not run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}


class Postgres:
    """Runs until stop()."""

    def __init__(self, certificate, key):
        self.folder = Path(tempfile.mkdtemp(prefix="moontrail-postgres-"))
        self.port = free_port()
        self._process = self._psql = None
        secret = self.folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if os.getuid() == 0:
            for path in (self.folder, secret):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run([POSTGRES / "initdb", "-D", self.folder / "data", "--username", USER,
                        "--auth-host=scram-sha-256", "--auth-local=trust", f"--pwfile={secret}",
                        "--no-sync", "--encoding=UTF8", "--locale=C"], check=True,
                       capture_output=True, timeout=2 * PATIENCE, cwd=self.folder, **as_nobody())
        self.certificate = certificate
        self._encrypt(certificate, key)
        rules = self.folder / "data/pg_hba.conf"
        rules.write_text(f"host all {TRUSTED} 127.0.0.1/32 trust\n" + rules.read_text("utf-8"),
                         encoding="utf-8")
        self.start()
        self.ask(f"create role {TRUSTED} superuser login")

    def _encrypt(self, certificate, key):
        for name, file in (("server.crt", certificate), ("server.key", key)):
            shutil.copy(file, self.folder / "data" / name)
            (self.folder / "data" / name).chmod(0o600)
            if os.getuid() == 0:
                shutil.chown(self.folder / "data" / name, "postgres", "postgres")

    @property
    def quick(self):
        """A URL for who has no password to say, and no TLS."""
        return self.url(user=TRUSTED, query="?sslmode=disable")

    def url(self, database="postgres", query="", user=USER, password=PASSWORD, host="127.0.0.1"):
        quoted = "".join(f"%{byte:02x}" for byte in password.encode())
        return f"postgres://{user}:{quoted}@{host}:{self.port}/{database}{query}"

    def start(self):
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [POSTGRES / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-k",
                 self.folder, *settings], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.folder, **as_nobody())
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < until and self._process.poll() is None, self.log()
            time.sleep(0.02)

    def log(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def _answers(self):
        self._psql = subprocess.Popen(
            ["psql", "-X", "-A", "-t", "-q", "-h", self.folder, "-p", str(self.port), "-U", USER,
             "-d", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        try:
            return self.ask("select 1") == "1"
        except OSError:
            return False

    def ask(self, text):
        """What psql, which goes on running, says to it."""
        self._psql.stdin.write(text + ";\n\\echo over\n")
        self._psql.stdin.flush()
        lines = []
        while (line := self._psql.stdout.readline()) != "over\n":
            if not line:
                raise ConnectionError("".join(lines))
            lines.append(line)
        said = "".join(lines).strip()
        assert "ERROR:" not in said, said
        return said

    def running(self, text):
        """How many queries like that run."""
        return int(self.ask("select count(*) from pg_stat_activity where state = 'active' and "
                            f"pid <> pg_backend_pid() and query like '{text}'"))

    def connections(self):
        """How many clients there are beside this one."""
        return int(self.ask("select count(*) from pg_stat_activity where backend_type = "
                            "'client backend' and pid <> pg_backend_pid()"))

    def until(self, count, measure, *arguments):
        """Waits until a measure gives that count."""
        end = time.monotonic() + PATIENCE
        while (found := measure(*arguments)) != count:
            assert time.monotonic() < end, f"{found}, not {count}"
            time.sleep(0.02)

    def everyone(self, number):
        """Sends a signal to all of its processes."""
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(
            encoding="ascii")
        for pid in [self._process.pid, *map(int, listed.split())]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def halt(self, number=signal.SIGINT):
        """Ends it: by SIGINT its connections too, by SIGQUIT as if it had crashed."""
        self._process.send_signal(number)
        self._process.wait(PATIENCE)
        self._psql.communicate(timeout=PATIENCE)

    def stop(self):
        if self._process and self._process.poll() is None:
            self.everyone(signal.SIGCONT)
            self.halt(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


# Runs the piece of Lua that it is sent, and tells what came of it.
EVAL = """
    local json = require "moontrail.json"
    local mt = require "moontrail"
    local sql = require "moontrail.sql"
    local url = os.getenv("DATABASE")
    kept = {}

    local env = setmetatable({ mt = mt, sql = sql, json = json, url = url, db = sql.open(url) },
        { __index = _G })

    local function failure(e)
        if type(e) ~= "table" then return { error = tostring(e) } end
        local text = tostring(e)
        if not utf8.len(text) then text = text:gsub("[\\128-\\255]", "?") end
        return { error = text, kind = e.kind, code = e.code, constraint = e.constraint,
            detail = e.detail, position = e.position, reason = e.reason }
    end

    return function(ctx)
        env.ctx = ctx
        local results = table.pack(pcall(assert(load(ctx:body(), "=test", "t", env))))
        if not results[1] then return ctx:json(failure(results[2])) end
        for i = 2, results.n do if results[i] == nil then results[i] = json.null end end
        ctx:json({ results = json.array { table.unpack(results, 2, results.n) } })
    end
"""


def serve(database, folder, *options, script=EVAL, **more):
    """A server of that one script, whose database it is."""
    return Server(write_scripts(folder, {"index.lua": script}), *options,
                  env={**os.environ, "DATABASE": database.quick}, **more)


class Failed(Exception):
    """What a piece of Lua has raised."""

    def __init__(self, told):
        super().__init__(told["error"])
        self.kind, self.code = told.get("kind"), told.get("code")
        self.told = told


class Script:
    """A connection to a server that runs what it is sent."""

    def __init__(self, client):
        self.client = client

    def begin(self, code):
        return self.client.request("/", "POST", body=code.encode())

    def end(self, stream):
        """What it returns: a value, or a list of several."""
        response = self.client.response(stream)
        assert response.status == 200, response.text
        told = json.loads(response.text)
        if "error" in told:
            raise Failed(told)
        return told["results"][0] if len(told["results"]) == 1 else told["results"]

    def run(self, code):
        return self.end(self.begin(code))

    def fail(self, code):
        """What it raises."""
        try:
            returned = self.run(code)
        except Failed as failure:
            return failure
        raise AssertionError(f"returned {returned}")
