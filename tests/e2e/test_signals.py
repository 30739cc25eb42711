"""Signals to the master: HUP, USR1 and TERM while requests go on."""
import os
import signal
import socket
import time

import pytest

from client import Client, Closed, open_socket, tls_context
from handlers import BIG, HELLO, WAIT, WHO
from load import Load
from server import write_scripts

SCRIPTS = {
    "hello.lua": HELLO,
    "who.lua": WHO,
    "wait.lua": WAIT,
    "big.lua": BIG,
}
BROKEN = "return function(ctx) ctx:text('hello' end"


def loaded(server):
    return len(server.lines("info configuration loaded"))


def hang_up(server):
    """Has the configuration read anew, and waits until it is in force."""
    count = loaded(server)
    server.renew()
    server.wait_until(lambda: loaded(server) > count)


def begin(client):
    """Begins a request that waits for its body, and sees that it is under way."""
    stream = client.request("/wait", "POST", end=False)
    client.wait(lambda: client.so_far(stream).body == b"begun")
    return stream


def finish(client, stream):
    client.send(stream, b" and whole", end=True)
    assert client.response(stream).text == "begun and whole"


# HUP.

@pytest.mark.parametrize("workers", [2, 4])
def test_hup_under_load(start, workers):
    server = start(SCRIPTS, "-w", workers, "--log-level", "info")
    with Load(server.https) as tls, Load(server.http) as plain:
        for _ in range(8):
            hang_up(server)
        counts = [load.stop() for load in (tls, plain)]
    for count in counts:
        assert count["failed"] == 0 and count["answered"] > 100, counts


def test_hup_replaces_the_workers_and_keeps_the_addresses(start, connect):
    server = start(SCRIPTS, "-w", "2")
    before = set(server.workers)
    hang_up(server)
    server.wait_until(lambda: len(server.workers) == 2 and not before & set(server.workers))
    assert server.find("configuration loaded listen=" + ",".join(server.urls))
    assert int(connect(server.https).fetch("/who").text) in server.workers


def test_hup_lets_requests_finish_on_the_old_workers(start, connect):
    server = start(SCRIPTS)
    old = connect(server.https)
    stream = begin(old)
    hang_up(server)
    new = connect(server.https)
    assert int(new.fetch("/who").text) != int(server.workers[0])
    old.wait(lambda: len(old.goaways) == 2)
    finish(old, stream)
    server.wait_until(lambda: len(server.workers) == 1)


def test_hup_cuts_what_outlasts_the_grace(start, connect):
    server = start(SCRIPTS, "--grace", "1")
    old = connect(server.https)
    stream = begin(old)
    hang_up(server)
    server.wait_for("warn grace over seconds=1")
    with pytest.raises((Closed, OSError)):
        old.response(stream)


def test_many_hups_at_once(start, connect):
    server = start(SCRIPTS, "-w", "2")
    for _ in range(20):
        server.renew()
        time.sleep(0.01)
    server.wait_until(lambda: loaded(server) >= 2)
    assert connect(server.https).fetch("/hello").text == "hello"


def expect_unchanged(server, connect, *parts):
    """HUP leaves all as it was, and one line says why."""
    workers = server.workers
    client = connect(server.https)
    server.renew()
    server.wait_for("error configuration not loaded reason=")
    line, = server.lines("configuration not loaded")
    for part in parts:
        assert part in line
    server.wait_until(lambda: server.workers == workers)
    assert client.fetch("/hello").text == "hello" and not client.goaways
    assert connect(server.https).fetch("/hello").text == "hello"


@pytest.fixture
def pair(tmp_path, certificates):
    """Copies of a certificate and its key, to be written over."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(certificates["one.test"].cert.read_bytes())
    key.write_bytes(certificates["one.test"].key.read_bytes())
    return cert, key


def certificate_of(url):
    with open_socket(url) as sock:
        return sock.getpeercert(binary_form=True)


def test_hup_reads_certificates_anew(start, pair, certificates):
    server = start(SCRIPTS, "--cert", pair[0], "--key", pair[1])
    before = certificate_of(server.https)
    for file, new in zip(pair, (certificates["two.test"].cert, certificates["two.test"].key)):
        file.write_bytes(new.read_bytes())
    assert certificate_of(server.https) == before
    hang_up(server)
    assert certificate_of(server.https) != before


def test_hup_with_a_bad_certificate(start, connect, pair):
    server = start(SCRIPTS, "--cert", pair[0], "--key", pair[1])
    pair[0].write_text("no certificate")
    expect_unchanged(server, connect, str(pair[0]), "holds no PEM certificate")


def test_hup_with_a_certificate_that_is_gone(start, connect, pair):
    server = start(SCRIPTS, "--cert", pair[0], "--key", pair[1])
    pair[0].unlink()
    expect_unchanged(server, connect, str(pair[0]), "No such file")


def test_hup_with_a_key_of_another_certificate(start, connect, pair, certificates):
    server = start(SCRIPTS, "--cert", pair[0], "--key", pair[1])
    pair[1].write_bytes(certificates["two.test"].key.read_bytes())
    expect_unchanged(server, connect, "does not match")


def test_hup_with_scripts_that_do_not_load(start, connect, tmp_path):
    server = start(SCRIPTS)
    write_scripts(tmp_path / "scripts", {"hello.lua": BROKEN})
    expect_unchanged(server, connect, "hello.lua:1:")
    write_scripts(tmp_path / "scripts", SCRIPTS)
    hang_up(server)


def test_hup_whose_workers_cannot_start(start, connect, tmp_path):
    server = start(SCRIPTS, "-w", "2")
    marker = tmp_path / "loaded"
    write_scripts(tmp_path / "scripts", {"once.lua": f"""
        local file = '{marker}'
        if io.open(file) then error('loaded twice') end
        io.open(file, 'w'):close()
        return function(ctx) end"""})
    expect_unchanged(server, connect, "loaded twice")
    for _ in range(2):  # what became of the workers that failed is no matter to the next ones
        (tmp_path / "scripts" / "once.lua").unlink(missing_ok=True)
        hang_up(server)


# HUP, where nothing but the scripts may have changed.

def load(server):
    """Has the scripts loaded anew, and waits until all have."""
    count = len(server.lines("info scripts loaded"))
    server.signal(signal.SIGHUP)
    server.wait_until(lambda: len(server.lines("info scripts loaded")) > count)


def test_hup_loads_scripts_in_place(start, connect, tmp_path):
    """Whether they changed or not; connections and workers stay."""
    server = start(SCRIPTS, "-w", "2")
    workers, client = server.workers, connect(server.https)
    load(server)
    write_scripts(tmp_path / "scripts", {"hello.lua": "return function(ctx) ctx:text('new') end"})
    load(server)
    assert client.fetch("/hello").text == "new" and not client.goaways
    assert server.workers == workers and loaded(server) == 0


def test_hup_in_place_with_scripts_that_do_not_load(start, connect, tmp_path):
    server = start(SCRIPTS, "-w", "2")
    client = connect(server.https)
    write_scripts(tmp_path / "scripts", {"hello.lua": BROKEN})
    server.signal(signal.SIGHUP)
    server.wait_for("error scripts not loaded reason=.*hello.lua:1:")
    assert client.fetch("/hello").text == "hello"
    assert len(server.lines("scripts not loaded")) == 1
    write_scripts(tmp_path / "scripts", SCRIPTS)
    load(server)
    assert client.fetch("/hello").text == "hello" and not client.goaways


def test_hup_in_place_under_load(start):
    server = start(SCRIPTS, "-w", "2", "--log-level", "info")
    workers = server.workers
    with Load(server.https) as traffic:
        for _ in range(10):
            load(server)
        counts = traffic.stop()
    assert counts["failed"] == counts["refused"] == 0
    assert server.workers == workers


def test_hup_with_certificates_that_are_the_same(start, connect, pair):
    server = start(SCRIPTS, "--cert", pair[0], "--key", pair[1])
    client = connect(server.https)
    pair[0].write_bytes(pair[0].read_bytes())
    load(server)
    assert client.fetch("/hello").text == "hello" and not client.goaways


# USR1.

def test_usr1_opens_the_log_anew_and_loads_no_scripts(start, connect, tmp_path):
    log = tmp_path / "access.log"
    server = start(SCRIPTS, "--access-log", log)
    client = connect(server.https)
    write_scripts(tmp_path / "scripts", {"hello.lua": BROKEN})
    log.rename(tmp_path / "access.1")
    server.signal(signal.SIGUSR1)
    server.wait_for("info access log reopened")
    server.wait_for("debug log reopened")
    assert client.fetch("/hello").text == "hello" and not client.goaways
    server.stop()
    assert log.read_text().count("\n") == 1
    assert not server.lines("scripts (not )?loaded")


# TERM.

def test_term_lets_long_downloads_finish(start):
    server = start(SCRIPTS, "-w", "2")
    clients = [Client(server.https) for _ in range(4)]
    streams = [client.request("/big?100") for client in clients]
    for client, stream in zip(clients, streams):
        client.wait(lambda: client.so_far(stream).body)
    server.signal(signal.SIGTERM)
    server.wait_for("info stopping signal=TERM")
    for client, stream in zip(clients, streams):
        response = client.response(stream)
        assert response.ended and len(response.body) == 100 << 16
        client.close()
    assert server.wait() == 0


def test_term_answers_what_waits_in_the_queue(start):
    server = start(SCRIPTS)
    worker, = server.workers
    os.kill(worker, signal.SIGSTOP)
    clients = [Client(server.http) for _ in range(20)]
    streams = [client.request("/hello") for client in clients]
    server.signal(signal.SIGTERM)
    server.wait_for("info stopping signal=TERM")
    os.kill(worker, signal.SIGCONT)
    for client, stream in zip(clients, streams):
        assert client.response(stream).text == "hello"
        client.close()
    assert server.wait() == 0


def test_term_takes_handshakes_that_end_soon(start):
    server = start(SCRIPTS)
    worker, = server.workers
    sock = socket.create_connection(server.https[8:].split(":"))
    server.wait_for("connection opened conn=1 ")
    context = tls_context()
    server.signal(signal.SIGTERM)
    with context.wrap_socket(sock) as wrapped:
        assert wrapped.recv(100)
    assert server.wait(timeout=10) == 0


def test_a_handshake_half_done_is_no_hindrance(start):
    server = start(SCRIPTS)
    with socket.create_connection(server.https[8:].split(":")) as sock:
        sock.sendall(bytes([22, 3, 1, 2, 0, 1]))
        server.wait_for("connection opened conn=1 ")
        server.signal(signal.SIGTERM)
        assert server.wait(timeout=5) == 0


def test_a_client_that_ignores_goaway_is_cut_at_the_end_of_the_grace(start):
    server = start(SCRIPTS, "-w", "2", "--grace", "1.5")
    client = Client(server.https)
    begin(client)
    server.signal(signal.SIGTERM)
    client.wait(lambda: len(client.goaways) == 2)
    began = time.monotonic()
    with pytest.raises((Closed, OSError)):
        for _ in range(100):
            client.request("/hello")
            client.ping()
            time.sleep(0.05)
    assert 0.5 < time.monotonic() - began < 10
    client.close()
    assert server.wait() == 0
    server.wait_for("warn grace over seconds=1.5")
