"""The chat of the examples in several browsers: what one sends comes to all, whichever of four workers
each is connected to."""
import collections
import re
import subprocess

from optional import need
from server import ROOT

need("chromium")

WINDOWS = 3
LINES = [f"line {n}" for n in range(12)]


def curl(server, *args):
    return ["curl", "-skN", "--http2", *args, server.https + "/"]


def open_window(server, profile):
    return subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
         f"--user-data-dir={profile}", "--virtual-time-budget=1000", "--dump-dom",
         server.https + "/"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def lines_of(page):
    return re.findall("<li>(.*?)</li>", page)


def test_each_window_has_each_line(start, tmp_path):
    server = start(ROOT / "examples/chat/handler.lua", "--workers", "4")
    with subprocess.Popen(curl(server), stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline() == "event: welcome\n"
        windows = [open_window(server, tmp_path / f"profile{n}") for n in range(WINDOWS)]
        come = 0
        for line in reader.stdout:
            come += line == "data: somebody has come in\n"
            if come == WINDOWS:
                break
        for line in LINES:  # each by a connection of its own, to any worker
            subprocess.run(curl(server, "-d", line), check=True)
        server.stop()  # ends the streams, and so the pages
        seen = [lines_of(window.communicate(timeout=120)[0]) for window in windows]
        reader.kill()
    for lines in seen:
        assert collections.Counter(lines) & collections.Counter(LINES) == collections.Counter(LINES)
