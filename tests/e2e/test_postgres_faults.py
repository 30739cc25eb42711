"""PostgreSQL servers that die, hang, come back, or are none; and scripts that change meanwhile."""
import signal
import socket
import struct
import threading
from contextlib import contextmanager, suppress

import pytest

from optional import need
from postgres import EVAL, Script, serve

need("postgres")


@pytest.fixture(scope="module", name="pg_server")
def start_server(database, tmp_path_factory):
    server = serve(database, tmp_path_factory.mktemp("scripts"))
    yield server
    server.stop()
    database.until(0, database.connections)


@pytest.fixture(name="script")
def open_script(pg_server, connect):
    return Script(connect(pg_server.http))


def test_a_connection_that_the_server_ends_is_told_and_not_used_again(script, database):
    stream = script.begin("""
        local ok, e = pcall(db.query, db, "select pg_sleep(700)")
        return e.kind, e.code""")
    database.until(1, database.running, "%pg_sleep(700)%")
    database.ask("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'trusted'")
    assert script.end(stream) == ["sql", "57P01"]
    assert script.run("return db:value('select 1')") == 1
    database.ask("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'trusted'")
    database.until(0, database.connections)
    assert script.run("return db:value('select 1')") == 1


def test_a_server_that_crashes_is_told_and_found_again_once_it_is_back(script, database):
    stream = script.begin("db:query('select pg_sleep(701)')")
    listener = script.begin("""
        local sub <close> = db:listen("after")
        return sub().payload""")
    database.until(1, database.running, "%pg_sleep(701)%")
    database.until(1, lambda: int(database.ask(
        "select count(*) from pg_stat_activity where query = 'LISTEN \"after\"'")))
    database.halt(signal.SIGQUIT)
    response = script.client.response(stream)
    assert '"kind":"lost"' in response.text or '"code":"57P0' in response.text
    assert script.fail("db:query('select 1')").kind == "unreachable"
    database.start()
    assert script.run("return db:value('select 1')") == 1
    database.until(1, lambda: int(database.ask(
        "select count(*) from pg_stat_activity where query = 'LISTEN \"after\"' and state = 'idle'")))
    database.ask("notify after, 'the crash'")
    assert script.end(listener) == "the crash"


def test_a_server_that_hangs_takes_no_longer_than_the_time_that_there_is(script, database):
    assert script.run("return db:value('select 1')") == 1
    script.run("kept.short = sql.open(url, {timeout = 0.3}) kept.short:query('select 1')")
    database.everyone(signal.SIGSTOP)
    try:
        assert script.fail("kept.short:query('select 1')").kind == "timeout"
        late = f"sql.open('{database.url(query='?connect_timeout=1')}'):query('select 1')"
        assert script.fail(late).kind == "timeout"
        assert script.run("return 1 + 1") == 2
    finally:
        database.everyone(signal.SIGCONT)
    assert script.run("return kept.short:value('select 2')") == 2


# Servers that are none.

READY = b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I"


def read_message(peer):
    """One of the client's."""
    head = peer.recv(5, socket.MSG_WAITALL)
    if len(head) == 5:
        peer.recv(struct.unpack("!I", head[1:])[0] - 4, socket.MSG_WAITALL)


@contextmanager
def stand_in(first, then=None):
    """Says this to who connects, and that to what comes afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def answer():
            with suppress(OSError):
                while True:
                    peer = listening.accept()[0]
                    with peer:
                        peer.recv(struct.unpack("!I", peer.recv(4, socket.MSG_WAITALL))[0] - 4)
                        peer.sendall(first)
                        if then is not None:
                            read_message(peer)
                            peer.sendall(then)
                            peer.recv(1)

        threading.Thread(target=answer, daemon=True).start()
        yield f"postgres://u@127.0.0.1:{listening.getsockname()[1]}/d?sslmode=disable&prepare=false"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 4000,
                                   b"R\x7f\xff\xff\xff", b"E\x00\x00\x00\x04", READY[:9]],
                         ids=range(6))
def test_what_is_no_postgresql_is_not_reached(script, first):
    with stand_in(first) as url:
        assert script.fail(f"sql.open('{url}'):query('select 1')").kind == "unreachable"
    assert script.run("return 1") == 1


def row_of(value):
    """A result of one array of integers."""
    column = b"a\0" + struct.pack("!IhIhih", 0, 0, 1007, -1, -1, 0)
    described = b"T" + struct.pack("!IH", 6 + len(column), 1) + column
    return described + b"D" + struct.pack("!IHI", 10 + len(value), 1, len(value)) + value


@pytest.mark.parametrize("then", [b"", b"\xff" * 100, b"D\x00\x00\x00\x06\x00\x05", b"T\x7f\xff\xff\xff",
                                  b"T\x00\x00\x00\x06\xff\xff"], ids=range(5))
def test_an_answer_that_is_none_loses_the_connection(script, then):
    with stand_in(READY, then) as url:
        failure = script.fail(f"sql.open('{url}', {{timeout = 1}}):query('select 1')")
        assert failure.kind in ("lost", "timeout")


@pytest.mark.parametrize("value", [b"", b"{", b"{1", b"{1,", b"[0:1]", b"{{{{{{{{{{1}}}}}}}}}}", b'{"1', b"{1]"],
                         ids=range(8))
def test_an_array_that_is_none_is_told(script, value):
    with stand_in(READY, row_of(value)) as url:
        failure = script.fail(f"sql.open('{url}', {{timeout = 1}}):query('select 1')")
        assert "an array that is none" in str(failure)
    assert script.run("return 1") == 1


# Scripts that change.

def test_a_reload_lets_a_request_s_query_end_and_ends_that_of_a_task(database, connect, tmp_path):
    server = serve(database, tmp_path / "scripts")
    try:
        script = Script(connect(server.http))
        database.ask("select pg_advisory_lock(1)")
        stream = script.begin("""
            mt.spawn(function() db:query("select pg_sleep(702)") end)
            db:query("select pg_advisory_lock(1)")
            return "unhurried" """)
        database.until(1, database.running, "%pg_sleep(702)%")
        database.until(1, database.running, "%pg_advisory_lock(1)%")
        lines = len(server.log)
        (tmp_path / "scripts/index.lua").write_text(EVAL + "-- again", encoding="utf-8")
        server.signal(signal.SIGHUP)
        server.wait_for("scripts loaded", since=lines)
        database.ask("select pg_advisory_unlock(1)")
        assert script.end(stream) == "unhurried"
        database.until(0, database.running, "%pg_sleep(702)%")
    finally:
        server.stop()


def test_workers_that_end_leave_no_query_at_the_server(database, connect, tmp_path):
    server = serve(database, tmp_path / "scripts", "--grace", "0.1")
    try:
        script = Script(connect(server.http))
        script.begin("db:query('select pg_sleep(703)')")
        database.until(1, database.running, "%pg_sleep(703)%")
    finally:
        server.stop()
    database.until(0, database.running, "%pg_sleep(703)%")


def test_two_workers_migrate_once(database, connect, tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "001_first.postgres.sql").write_text(
        "create table moved (id serial primary key, t text);\ninsert into moved (t) values ('a;b');")
    (migrations / "002_second.sql").write_text("insert into moved (t) values ('second')")
    script = EVAL.replace("kept = {}", f'kept = {{}} local d = sql.open(url) d:migrate("{migrations}")'
                          ).replace("db = sql.open(url)", "db = d")
    server = serve(database, folder, "--workers", "2", script=script)
    try:
        answers = [Script(connect(server.http)).run("return db:value('select count(*) from moved')")
                   for _ in range(4)]
        assert answers == [2] * 4
    finally:
        server.stop()
