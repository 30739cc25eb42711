"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, on a port of its own."""
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
from server import PATIENCE

USER, PASSWORD = "tests", "s3cret p@ss"
# Nothing here has to last, and each test waits for a restart no longer than it must.
SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=120", "shared_buffers=16MB",
            "max_wal_size=64MB", "autovacuum=off", "lc_messages=C")


def as_nobody():
    """PostgreSQL does not run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}


class Postgres:
    """Runs until stop()."""

    def __init__(self, ssl=None):
        self.folder = Path(tempfile.mkdtemp(prefix="moontrail-postgres-"))
        self.port = free_port()
        self._process = None
        secret = self.folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        if os.getuid() == 0:
            for path in (self.folder, secret):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run([POSTGRES / "initdb", "-D", self.folder / "data", "--username", USER,
                        "--auth-host=scram-sha-256", "--auth-local=trust", f"--pwfile={secret}",
                        "--no-sync", "--encoding=UTF8", "--locale=C"], check=True,
                       capture_output=True, timeout=2 * PATIENCE, cwd=self.folder, **as_nobody())
        self._more = self._encrypt(*ssl) if ssl else []
        self.start()

    def _encrypt(self, certificate, key):
        for name, file in (("server.crt", certificate), ("server.key", key)):
            shutil.copy(file, self.folder / "data" / name)
            (self.folder / "data" / name).chmod(0o600)
            if os.getuid() == 0:
                shutil.chown(self.folder / "data" / name, "postgres", "postgres")
        return ["-c", "ssl=on"]

    def url(self, database="postgres", query="", user=USER, password=PASSWORD, host="127.0.0.1"):
        """With the password as it is written there."""
        quoted = "".join(f"%{byte:02x}" for byte in password.encode())
        return f"postgres://{user}:{quoted}@{host}:{self.port}/{database}{query}"

    def start(self):
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [POSTGRES / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-k",
                 self.folder, *settings, *self._more], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.folder, **as_nobody())
        until = time.monotonic() + PATIENCE
        while self.ask("select 1", check=False) != "1":
            assert time.monotonic() < until and self._process.poll() is None, self.log()
            time.sleep(0.02)

    def log(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def ask(self, text, check=True):
        """What psql says to it."""
        done = subprocess.run(
            ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p",
             str(self.port), "-U", USER, "-d", "postgres", "-c", text],
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

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

    def stop(self):
        if self._process and self._process.poll() is None:
            self.everyone(signal.SIGCONT)
            self.halt(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)
