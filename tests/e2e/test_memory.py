"""What the server holds while much flows through it, measured on the release build. With
MOONTRAIL_FULL=1 a GiB flows at 4 MiB a second; else less, and faster."""
import os
import select
import time

import pytest

from attacker import PIECE, Attacker, cut, request, upload_all
from client import Client
from handlers import PARK
from rawframes import END_STREAM, INITIAL_WINDOW_SIZE, data, window_update
from server import ROOT

pytest_plugins = ["figures"]

RELEASE = ROOT / "build" / "moontrail"
FULL = bool(os.environ.get("MOONTRAIL_FULL"))
SIZE = (1024 if FULL else 64) << 20
PACE = (4 if FULL else 64) << 20  # bytes in a second
WINDOW = 1 << 20
GROWTH = 4096  # KiB that the server may grow by

SCRIPTS = {
    "hello.lua": """
        return function(ctx) ctx:text("hello\\n") end""",
    "down.lua": """
        local piece = ("x"):rep(65536)
        written = 0
        return function(ctx)
            for _ = 1, tonumber(ctx.query) // #piece do
                ctx:write(piece)
                written = written + #piece
            end
        end""",
    "written.lua": """
        return function(ctx) ctx:text(written) end""",
    "up.lua": """
        local mt = require "moontrail"
        return function(ctx)
            local pace, began, size = tonumber(ctx.query), mt.now(), 0
            local piece = ctx:read()
            while piece do
                size = size + #piece
                mt.sleep(math.max(0, began + size / pace - mt.now()))
                piece = ctx:read()
            end
            ctx:text(size)
        end""",
    "park.lua": PARK,
}


class Skimmer:
    """Counts bytes of DATA and keeps none of them."""

    def __init__(self):
        self.body = 0
        self.ended = False
        self.credit = {}
        self._rest = b""

    def feed(self, received):
        frames = []
        self._rest = cut(self._rest + received, frames)
        for f in frames:
            if f.type == "WINDOW_UPDATE":
                gain = int.from_bytes(f.payload, "big")
                self.credit[f.stream] = self.credit.get(f.stream, 0) + gain
            if f.type == "DATA":
                self.body += len(f.payload)
            self.ended |= f.type in ("HEADERS", "DATA") and bool(f.flags & END_STREAM)


@pytest.fixture
def serve(start):
    """A server of the release build, warm: each part of it has been used once."""
    def serve_one():
        server = start(SCRIPTS, "--log-level", "info", program=RELEASE)
        with Client(server.https) as client:
            client.fetch("/hello")
            assert len(client.fetch(f"/down?{1 << 20}").body) == 1 << 20
            client.fetch("/up?1e9", "POST", body=bytes(1 << 20))
        return server
    return serve_one


def keep_pace(began, done):
    time.sleep(max(0, began + done / PACE - time.monotonic()))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_download_to_a_slow_reader(serve, measure, figure, scheme):
    server = serve()
    with Client(server.http) as other:
        client = Attacker(getattr(server, scheme), (INITIAL_WINDOW_SIZE, WINDOW))
        client.send(window_update(0, WINDOW - 65535))
        cost, skimmer, granted = measure(server), Skimmer(), 0
        client.send(request(1, f"/down?{SIZE}"))
        began = checked = time.monotonic()
        while not skimmer.ended:
            skimmer.feed(client.socket.recv(PIECE))
            if skimmer.body - granted >= WINDOW // 4:
                fresh = skimmer.body - granted
                client.send(window_update(1, fresh), window_update(0, fresh))
                granted = skimmer.body
                keep_pace(began, skimmer.body)
            if time.monotonic() - checked > 0.2:
                checked = time.monotonic()
                written = int(other.fetch("/written").text) - (1 << 20)
                assert written <= granted + WINDOW + 2 * PIECE
        client.close()
    figure(f"{SIZE >> 20} MiB down, {scheme}", cost, client.sent)
    assert skimmer.body == SIZE
    assert cost.memory() < GROWTH




def room(skimmer, sent):
    return min(skimmer.credit.get(0, 0) + 65535, skimmer.credit.get(1, 0) + 65536) - sent


def test_upload_to_a_slow_handler(serve, measure, figure):
    server = serve()
    client = Attacker(server.http)
    cost, skimmer, sent = measure(server), Skimmer(), 0
    client.send(request(1, f"/up?{PACE}", "POST", end=False))
    while not skimmer.ended:
        while sent < SIZE and room(skimmer, sent) >= 16384:
            sent += 16384
            client.send(data(1, bytes(16384), end=sent == SIZE))
        select.select([client.socket], [], [])
        skimmer.feed(client.socket.recv(PIECE))
    client.close()
    figure(f"{SIZE >> 20} MiB up, http", cost, client.sent)
    assert sent == SIZE
    assert cost.memory() < GROWTH


def test_bodies_that_never_end_do_not_retire_the_scripts(start):
    """The largest holders are ended, and what scripts keep in their modules stays."""
    server = start({
        "hold.lua": "return function(ctx) ctx:text(#ctx:body()) end",
        "count.lua": "local n = 0 return function(ctx) n = n + 1 ctx:text(n) end",
    }, "--max-vm-memory", 24)
    with Client(server.http) as bystander:
        for count in range(1, 4):
            attacker = Attacker(server.http)
            numbers = range(1, 100, 2)
            attacker.send(*[request(n, "/hold", "POST", end=False) for n in numbers])
            for _ in range(58):
                for n in numbers:
                    attacker.send(data(n, b"x" * 16384))
                attacker.settle()
                if any(attacker.heads(n) for n in numbers):
                    break
            assert 413 in [attacker.status(n) for n in numbers if attacker.heads(n)]
            assert bystander.fetch("/count").text == str(count)
            attacker.close()
    assert any("requests ended limit=max-vm-memory" in line for line in server.log)
    assert not any("scripts retired" in line for line in server.log)


def test_uploads_that_nobody_reads(serve, measure, figure):
    server = serve()
    client = Attacker(server.http)
    cost = measure(server)
    _, sent = upload_all(client, "/park", 100)
    figure("100 uploads that nobody reads", cost, client.sent)
    client.close()
    assert sent > 1 << 20
    assert cost.memory() < GROWTH + sent // 1024 * 2  # KiB: each is bounded by its stream's window
