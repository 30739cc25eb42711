"""A moontrail process under test."""
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(Path(os.environ.get("MOONTRAIL", ROOT / "build/test/moontrail")).resolve())
ANY_PORT = ("https://127.0.0.1:0", "http://127.0.0.1:0")
PATIENCE = 30  # seconds; what takes longer hangs

READY = re.compile(r'\bready"?[ ,]"?listen"?[=:]"?([^ "]+)')
STARTED = re.compile(r'worker started"?[ ,].*\bpid"?[=:](\d+)')
LOST = re.compile(r'worker (?:died|stuck|does not end)"?[ ,].*\bpid"?[=:](\d+)')
STOPPED = re.compile(r'\bstopped"?[ ,]"?pid"?[=:](\d+)')
LIVE = re.compile(r'\b(conns|exchanges|calls|tasks|waits|programs|sockets|blocks)"?[=:](\d+)')
FAULT = re.compile(r"Sanitizer|runtime error:")


def run(*args, program=PROGRAM, timeout=PATIENCE):
    """Runs the program to its end."""
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout)


def write_scripts(folder, scripts):
    """Writes files, from a table of relative path to text or bytes, and gives the folder."""
    for name, text in scripts.items():
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


class Server:
    """Serves scripts, or none where it has upstreams for all, on free ports until stop(), which
    checks that nothing was left alive."""

    def __init__(self, scripts, *options, listen=ANY_PORT, program=PROGRAM, through=(),
                 **process):
        urls = [word for url in listen for word in ("--listen", url)]
        if "--log-level" not in options:
            options += ("--log-level", "debug")
        if not {"--workers", "-w"} & set(options):
            options += ("--workers", "1")
        if not {"--config", "-c"} & set(options):
            self.own_config = tempfile.NamedTemporaryFile(  # pylint: disable=consider-using-with
                "w", prefix="moontrail-", suffix=".lua", encoding="utf-8")
            self.own_config.write("return {}")
            self.own_config.flush()
            options += ("--config", self.own_config.name)
        self.config = Path(options[max(options.index(name) for name in ("--config", "-c")
                                       if name in options) + 1])
        self.log = []
        self._grown = threading.Condition()
        self.process = subprocess.Popen(
            [*through, program, *urls, *map(str, options), *([str(scripts)] if scripts else [])],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", **process)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            self.urls = self.wait_for(READY)[1].split(",")
        except BaseException:
            self.kill()
            raise

    @property
    def https(self):
        return next(url for url in self.urls if url.startswith("https:"))

    @property
    def http(self):
        return next(url for url in self.urls if url.startswith("http:"))

    def _read_log(self):
        for line in self.process.stderr:
            with self._grown:
                self.log.append(line.rstrip("\n"))
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()

    def find(self, pattern, since=0):
        """The first line of the log that matches, as a match, or None. since is the number of lines
        to pass over."""
        found = (re.search(pattern, line) for line in self.log[since:])
        return next((match for match in found if match), None)

    def lines(self, pattern):
        """The lines of the log that match."""
        return [line for line in list(self.log) if re.search(pattern, line)]

    def wait_until(self, condition):
        """Waits until a condition holds, which may be one on the log."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "\n".join(self.log)
            time.sleep(0.01)

    def wait_for(self, pattern, timeout=PATIENCE, since=0):
        """Waits for a line of the log that matches."""
        end = time.monotonic() + timeout
        with self._grown:
            while not (match := self.find(pattern, since)):
                left = end - time.monotonic()
                assert left > 0 and self._reader.is_alive(), self._without(pattern)
                self._grown.wait(min(left, 1))
        return match

    def _without(self, pattern):
        return f"no line matches {pattern!r} in the log:\n" + "\n".join(self.log)

    def _all(self, pattern):
        """All that a pattern with one group finds in the log."""
        return {match[1] for line in list(self.log) if (match := pattern.search(line))}

    @property
    def workers(self):
        """The process ids of the workers, the eldest first."""
        pid = self.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def cpu(self):
        """Seconds of CPU that the workers have taken."""
        ticks = 0
        for pid in self.workers:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def signal(self, number):
        self.process.send_signal(number)

    def renew(self):
        """Has new workers take over: the configuration is another, though it says the same."""
        with open(self.config, "a", encoding="utf-8") as file:
            file.write("\n-- and again")
        self.signal(signal.SIGHUP)

    def wait(self, timeout=PATIENCE):
        """Waits for the process's end and gives its exit status."""
        status = self.process.wait(timeout)
        self._reader.join(timeout)
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def stop(self):
        """Stops the server, unless it has stopped already; it must have lost nothing."""
        try:
            if self.process.poll() is None:
                self.signal(signal.SIGTERM)
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("does not stop:\n" + "\n".join(self.log)) from None
        log = "\n".join(self.log)
        assert not FAULT.search(log), log
        assert status == 0, f"exit status {status}:\n{log}"
        stopped = [line for line in self.log if STOPPED.search(line)]
        for line in stopped:
            live = LIVE.findall(line)
            assert len(live) == 8 and all(count == "0" for _, count in live), log
        expected = self._all(STARTED) - self._all(LOST) | {str(self.process.pid)}
        assert expected <= self._all(STOPPED), log
