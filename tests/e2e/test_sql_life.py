"""moontrail.sql on SQLite over workers, their ends, reloads; migrations; a disk that is full."""
import os
import resource
import signal
import sqlite3

import pytest

from client import Client, Closed
from querying import SCRIPTS, Querier
from reloading import save_in_place
from server import run, write_scripts
from storing import EVAL, Failed, Workers

INCREMENTS = 30

COUNT = """
    local tasks = {}
    for i = 1, 4 do
        tasks[i] = function()
            for _ = 1, %d do
                if i %% 2 == 0 then
                    db:query "update n set n = n + 1"
                else
                    db:transaction(function(tx)
                        tx:query("update n set n = $1", tx:value "select n from n" + 1)
                    end)
                end
            end
        end
    end
    mt.all(table.unpack(tasks))""" % INCREMENTS


def queriers(server, count, url, options="nil"):
    """One for each worker."""
    with Workers(server, count) as workers:
        wanted = {worker.pid for worker in workers}
    found = {}
    while found.keys() != wanted:
        one = Querier(Client(server.http), url, options)
        if one.pid in found:
            one.worker.close()
        found.setdefault(one.pid, one)
    return list(found.values())


def read(path, text):
    """What another program sees."""
    with sqlite3.connect(path) as connection:
        return connection.execute(text).fetchall()


def test_two_workers_that_write_lose_nothing(start, tmp_path):
    server = start(SCRIPTS, "--workers", 2)
    one, two = queriers(server, 2, f"sqlite:{tmp_path}/a.db")
    one.run('db:query "create table n (n)" db:query "insert into n values (0)"')
    for stream, db in [(db.begin(COUNT), db) for db in (one, two) for _ in range(2)]:
        db.end(stream)
    assert one.value("select n from n") == 2 * 2 * 4 * INCREMENTS
    # Who finds the file busy until its time is over is told.
    holding = one.begin("db:transaction(function(tx) kept.holds = true mt.sleep(1000) end)")
    while one.run("return kept.holds") is not True:
        pass
    with pytest.raises(Failed, match="others were writing to it for 2 s") as raised:
        two.run(f'sql.open("sqlite:{tmp_path}/a.db", {{ timeout = 2 }}):query "update n set n = 0"')
    assert (raised.value.kind, raised.value.code) == ("timeout", "SQLITE_BUSY")
    assert two.value("select n from n") == 480, "readers do not wait"
    # A worker that is killed in its transaction leaves nothing of it, and nothing locked.
    one.run("kept.holds = nil")
    one.worker.reset(holding)
    holding = one.begin("""
        db:transaction(function(tx)
            tx:query "update n set n = -1"
            kept.holds = true
            mt.sleep(1000)
        end)""")
    while one.run("return kept.holds") is not True:
        pass
    os.kill(one.pid, signal.SIGKILL)
    assert two.run('return db:query("update n set n = n + 1").affected, db:value "select n from n"') \
        == (1, 481)
    assert read(tmp_path / "a.db", "pragma integrity_check") == [("ok",)]
    for db in one, two:
        try:
            db.worker.close()
        except (Closed, OSError):
            pass


def test_a_reload_in_the_middle_of_a_transaction(watch, connect, tmp_path):
    """It goes on with the scripts that it began with, beside the new ones."""
    w = watch(SCRIPTS)
    url = f"sqlite:{tmp_path}/a.db"
    before = Querier(connect(w.server.http), url)
    before.run('db:query "create table t (a)"')
    loads = w.loads
    stream = before.begin("""
        return db:transaction(function(tx)
            tx:query "insert into t values (1)"
            s:set("inside", 1)
            while not s:get "may go on" do mt.sleep(0.01) end
            tx:query "insert into t values (2)"
            return tx:value "select count(*) from t"
        end)""")
    while before.run('return s:get "inside"') != 1:
        pass
    save_in_place(tmp_path / "scripts" / "index.lua", EVAL + "-- again")
    w.server.wait_until(lambda: w.loads > loads)
    after = Querier(connect(w.server.http), url)
    assert after.value("select count(*) from t") == 0
    after.run('s:set("may go on", 1)')
    assert before.end(stream) == 2
    assert after.run("""return db:query("insert into t values (3)").affected,
        db:value "select count(*) from t" """) == (1, 3)


def test_a_task_that_is_ended_in_its_transaction_leaves_nothing(start, connect, tmp_path):
    """By its CPU time, which nothing in the script catches."""
    server = start(SCRIPTS, "--max-cpu", "0.2")
    url = f"sqlite:{tmp_path}/a.db"
    db = Querier(connect(server.http), url)
    db.run('db:query "create table t (a)"')
    stream = db.begin("""
        db:transaction(function(tx)
            tx:query "insert into t values (1)"
            while true do end
        end)""")
    db.worker.wait_over(stream)
    assert db.run("""return db:query("insert into t values (2)").affected,
        db:value "select sum(a) from t" """) == (1, 2)


# Migrations.

MIGRATING = """
    local sql = require "moontrail.sql"
    local db = sql.open("sqlite:%s")
    db:migrate "%s"
    local json = require "moontrail.json"
    return { GET = function(ctx)
        local ok, result = pcall(db.query, db, "select a from t order by a")
        if not ok then return ctx:text(result.kind .. ": " .. tostring(result)) end
        local list = {}
        for i, row in ipairs(result) do list[i] = row.a end
        ctx:json(json.array(list))
    end }"""


@pytest.fixture
def folder(tmp_path):
    return write_scripts(tmp_path / "migrations", {
        "001_begin.sql": "-- a comment\ncreate table t (a);\ninsert into t values (1);\n",
        "002_more.sql": "insert into t values ('none');",
        "002_more.sqlite.sql": "insert into t values (2);",
        "002_more.postgres.sql": "this is none of SQLite's",
        "003_theirs.postgres.sql": "nor is this",
        "010_last.sql": "insert into t select count(*) + 1 from t;\n",
        "notes.txt": "left alone"})


def test_migrations_run_once_in_order_before_any_query(start, connect, tmp_path, folder):
    scripts = {"index.lua": MIGRATING % (tmp_path / "a.db", folder)}
    server = start(scripts, "--workers", 2)
    for _ in range(4):
        with Client(server.http) as client:
            assert client.fetch("/").text == "[1,2,3]"
    rows = read(tmp_path / "a.db", "select number, name from moontrail_migrations order by number")
    assert rows == [(1, "begin"), (2, "more"), (10, "last")]
    server.stop()
    (folder / "004_late.sql").write_text("insert into t values (0);")
    assert connect(start(scripts).http).fetch("/").text == "[0,1,2,3]"


def test_a_migration_that_fails_is_told_by_each_query_and_changes_nothing(start, connect, tmp_path,
                                                                         folder):
    (folder / "004_wrong.sql").write_text("insert into t values (0);\n\n  selec 1;\n")
    server = start({"index.lua": MIGRATING % (tmp_path / "a.db", folder)})
    client = connect(server.http)
    for _ in range(2):
        text = client.fetch("/").text
        assert text.startswith("sql: ") and f'{folder}/004_wrong.sql:3: near "selec"' in text
    assert server.wait_for(r"error migration failed .*004_wrong\.sql:3: near")
    assert read(tmp_path / "a.db", "select a from t") == [(1,), (2,)]
    (folder / "004_wrong.sql").write_text("insert into t values (0);")
    server.signal(signal.SIGHUP)
    server.wait_until(lambda: connect(server.http).fetch("/").text == "[0,1,2,4]")


@pytest.mark.parametrize("name, problem", [
    ("first.sql", "first.sql: a migration is named as 001_name.sql"),
    ("004_x.mysql.sql", "a migration is named as 001_name.sql"),
    ("010_other.sql", "two migrations have the number 10"),
    (None, "No such file or directory"),
])
def test_a_folder_that_is_wrong_does_not_load(tmp_path, folder, name, problem):
    if name:
        (folder / name).write_text("select 1")
    else:
        folder = folder / "none"
    write_scripts(tmp_path / "s", {"index.lua": MIGRATING % (tmp_path / "a.db", folder)})
    result = run("--check", tmp_path / "s")
    assert result.returncode == 1 and problem in result.stderr, result.stderr
    assert not (tmp_path / "a.db").exists()


def test_a_query_while_a_script_loads_is_told(tmp_path):
    write_scripts(tmp_path, {"index.lua": 'require("moontrail.sql").open("sqlite:"):query "select 1"'})
    result = run("--check", tmp_path)
    assert result.returncode == 1
    assert "index.lua:1: a database cannot be waited for while a script loads" in result.stderr


def test_migrations_in_a_task(start, connect, tmp_path, folder):
    server = start(SCRIPTS)
    db = Querier(connect(server.http), f"sqlite:{tmp_path}/a.db")
    assert db.run(f"""
        db:migrate "{folder}"
        db:migrate "{folder}"
        return db:value "select group_concat(a) from t" """) == "1,2,3"


# The disk.


def test_a_disk_that_is_full_is_told_and_the_rest_goes_on(start, connect, tmp_path):
    """A bound on the size of files stands for the disk's."""
    limit = 12 << 20
    server = start(SCRIPTS, "--store-size", "1", preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (limit, limit)))
    db = Querier(connect(server.http), f"sqlite:{tmp_path}/a.db")
    db.run('db:query "create table t (a)" db:query "insert into t values (1)"')
    with pytest.raises(Failed, match="disk") as raised:
        db.run('db:query "insert into t values (zeroblob(16 << 20))"')
    assert raised.value.kind == "sql" and raised.value.code.startswith(("SQLITE_FULL", "SQLITE_IOERR"))
    assert db.run("""
        local ok = pcall(db.transaction, db, function(tx)
            tx:query "insert into t values (2)"
            tx:query "insert into t values (zeroblob(16 << 20))"
        end)
        return ok, db:value "select count(*) from t", db:query("insert into t values (3)").affected
        """) == (False, 1, 1)
