"""What a worker has too little of, memory or descriptors: requests fail alone, and it lives on."""
import os
import resource
import time

import pytest

from attacker import Attacker, request
from client import Client
from handlers import PARK
from http1 import Http1
from rawframes import data
from server import Server, write_scripts

HELLO = "return function(ctx) ctx:text('hello') end"
COUNT = "local n = 0 return function(ctx) n = n + 1 ctx:text(n) end"
BIG = "return function(ctx) ctx:text(('x'):rep(1 << 20)) end"
PIECE = 16384


def pid_of_worker(server):
    return int(server.wait_for(r"worker started worker=0 pid=(\d+)")[1])


# Memory.

HOLDERS = {
    "form": ("/form", ("content-type", "application/x-www-form-urlencoded"), b""),
    "grpc": ("/t.S/Do", ("content-type", "application/grpc"), b"\0\x00\x0f\xff\xff\x0a\xf8\xff\x3f"),
    "grpc stream": ("/t.S/All", ("content-type", "application/grpc"), b"\0\x00\x0f\xff\xff"),
}
SCRIPTS = {
    "form.lua": "return function(ctx) ctx:form(8 << 20) ctx:text('whole') end",
    "count.lua": COUNT,
    "t.proto": """syntax = "proto3"; package t; message M { string a = 1; }
        service S { rpc Do(M) returns (M); rpc All(stream M) returns (M); }""",
    "t.lua": """
        local S = require("moontrail.grpc").service("t.proto", "t.S")
        function S.Do(m) return m end
        function S.All(call) for _ in call:messages() do end return {} end
        return S""",
    "get.lua": """
        local mt = require "moontrail"
        return function(ctx)
            local res = mt.http.get(ctx.query)
            local body = res:body(2 << 20)
            mt.sleep(0.3)
            ctx:text(#body)
        end""",
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_memory_that_held_requests_take_is_theirs_alone(start, kind):
    path, content_type, first = HOLDERS[kind]
    server = start(SCRIPTS, "--workers", 1, "--max-vm-memory", 24)
    worker = pid_of_worker(server)
    with Client(server.http) as bystander:
        for count in range(1, 3):
            attacker = Attacker(server.http)
            numbers = range(1, 100, 2)
            attacker.send(*[request(n, path, "POST", content_type, end=False) for n in numbers])
            attacker.send(*[data(n, first) for n in numbers if first])
            for _ in range(58):
                for n in numbers:
                    attacker.send(data(n, b"x" * PIECE))
                attacker.settle()
                if any(attacker.heads(n) for n in numbers):
                    break
            assert any(attacker.heads(n) for n in numbers)
            assert bystander.fetch("/count").text == str(count)
            attacker.close()
    assert os.path.exists(f"/proc/{worker}")


def test_bodies_of_calls_that_find_no_memory_fail_alone(start, connect, tmp_path):
    inner = Server(write_scripts(tmp_path / "inner", {"big.lua": BIG}))
    try:
        server = start(SCRIPTS, "--workers", 1, "--max-vm-memory", 16)
        worker = pid_of_worker(server)
        client = connect(server.http)
        streams = [client.request(f"/get?{inner.http}/big") for _ in range(60)]
        statuses = [client.response(stream).status for stream in streams]
        assert set(statuses) <= {200, 500, 503} and 200 in statuses and set(statuses) != {200}
        assert client.fetch(f"/get?{inner.http}/big").text == str(1 << 20)
        assert client.fetch("/count").status == 200
        assert os.path.exists(f"/proc/{worker}")
    finally:
        inner.stop()


@pytest.mark.parametrize("kind", ["form", "grpc"])
def test_memory_that_connections_take_is_bounded_over_all(start, kind):
    """What is not read yet lies with the connection."""
    path, content_type, first = HOLDERS[kind]
    server = start({**SCRIPTS, "form.lua": PARK}, "--workers", 1, "--max-connection-memory", 8,
                   "--max-vm-memory", 512)
    worker = pid_of_worker(server)
    attackers = []
    for _ in range(12):
        attackers.append(Attacker(server.http))
        numbers = range(1, 60, 2)
        try:
            attackers[-1].send(*[request(n, "/form", "POST", content_type, end=False)
                                 for n in numbers])
            for n in numbers:
                attackers[-1].send(*[data(n, b"x" * PIECE)] * 3)
            attackers[-1].settle()
        except OSError:
            pass
    server.wait_for("connection closed for room limit=max-connection-memory")
    with Client(server.http) as bystander:
        assert bystander.fetch("/count").text == "1"
    for attacker in attackers:
        attacker.close()
    assert os.path.exists(f"/proc/{worker}")


# Descriptors.

def leave_descriptors(pid, count):
    """Has a process open no more than so many."""
    most = max(map(int, os.listdir(f"/proc/{pid}/fd")))
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most + 1 + count, hard))


@pytest.fixture
def short(start):
    server = start({"hello.lua": HELLO, "park.lua": PARK}, "--workers", 1)
    with Http1(server.http) as first:
        assert first.fetch("/hello").text == "hello"
    leave_descriptors(pid_of_worker(server), 8)
    return server


@pytest.mark.parametrize("kind", [Client, Http1])
def test_without_descriptors_the_longest_idle_makes_room(short, kind):
    clients = []
    try:
        for _ in range(6):
            clients.append(kind(short.http))
            assert clients[-1].fetch("/hello").text == "hello"
        time.sleep(1.2)  # what has idled for less than a second is not closed
        for _ in range(4):
            clients.append(kind(short.http))
            assert clients[-1].fetch("/hello").text == "hello"
    finally:
        for client in clients:
            client.close()
    short.wait_for("connection closed for room limit=descriptors .*idle=true")


def test_without_descriptors_or_idle_ones_accepting_pauses(short):
    busy = []
    try:
        while not short.find("accept paused"):
            busy.append(Http1(short.http))
            busy[-1].request("/park")
            assert len(busy) < 64
            time.sleep(0.02)
        late = Http1(short.http)
        busy.pop(0).close()
        assert late.fetch("/hello").text == "hello"
        late.close()
    finally:
        for client in busy:
            client.close()
