"""Servers whose scripts change as they serve."""
import os
import re
import signal
import time
from pathlib import Path

from server import PATIENCE

QUIET = 0.6  # seconds in which a change would have been noticed


def save_in_place(file, text):
    """As VS Code does."""
    Path(file).write_text(text)


def save_by_rename(file, text):
    """As most editors do: none sees half a file."""
    fresh = Path(file).with_name("fresh~")
    fresh.write_text(text)
    fresh.rename(file)


def save_as_vim(file, text):
    """A probe whether files can be made, the old file as a backup, and a new one."""
    file = Path(file)
    probe, backup = file.with_name("4913"), file.with_name(file.name + "~")
    probe.touch()
    probe.unlink()
    file.rename(backup)
    with open(file, "w", encoding="utf-8") as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
    backup.unlink()


def says(text):
    return f"return function(ctx) ctx:text('{text}') end"


class Watched:
    """A server whose scripts change, and a connection to it."""

    def __init__(self, server, connect):
        self.server = server
        self._connect = connect
        self.connect()

    def connect(self):
        """A connection anew."""
        self.client = self._connect(self.server.https)

    def renew(self):
        """Has another worker take the place of the one, which ends, and connects to it."""
        old = self.server.lines("worker started")[-1].split("pid=")[1]
        self.client.close()
        self.server.renew()
        self.server.wait_for(f"info stopped pid={old} ")
        self.connect()

    def fetch(self, path="/hello", **request):
        return self.client.fetch(path, **request)

    def text(self, path="/hello"):
        return self.fetch(path).text

    def expect(self, text, path="/hello"):
        """A request is answered with the text, soon."""
        end = time.monotonic() + PATIENCE
        while (got := self.text(path)) != text:
            assert time.monotonic() < end, (got, self.server.log)
            time.sleep(0.01)

    @property
    def loads(self):
        """How often the scripts were loaded, or not, since the start."""
        return len(self.server.lines("scripts (not )?loaded"))

    def settle(self):
        """Waits until no reload is under way, and gives how often there was one."""
        while True:
            before = self.loads
            time.sleep(QUIET)
            if self.loads == before:
                return before

    @property
    def faults(self):
        """What the log says of scripts that do not load."""
        return [re.sub(r'.* reason="?', "", line)
                for line in self.server.lines("error scripts not loaded")]
