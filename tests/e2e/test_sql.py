"""moontrail.sql on SQLite: values, errors, transactions, streams, the pool."""
import json

import pytest

from client import Client
from querying import ENDLESS, SCRIPTS, Querier
from storing import Failed

SERVER_OPTIONS = ("--max-cpu", "20")


@pytest.fixture(params=["file", "memory"])
def db(request, server, tmp_path, connect):
    url = "sqlite:" if request.param == "memory" else f"sqlite:{tmp_path}/a.db"
    # One in memory is of its url, and the same for the whole module: it begins empty.
    one = Querier(connect(server.http), url)
    one.run("""for _, t in ipairs(db:query "select name from sqlite_schema where type = 'table'") do
                   db:query("drop table " .. t.name)
               end""")
    return one


@pytest.fixture
def file_db(server, tmp_path, connect):
    """Opens connections to one file, each with a pool of its own."""
    def open_one(options="nil", name="a.db", **more):
        return Querier(connect(server.http, **more), f"sqlite:{tmp_path}/{name}", options)
    return open_one


# Values.

EDGES = ["0", "-1", "math.maxinteger", "math.mininteger", "0.0", "1.5", "-0.0", "1e308", "5e-324",
         "1/3", "math.huge", "-math.huge", "'text'", "''", "'a\\0b'", "'\\255\\254'", r"'\u{e4}\u{20ac}\u{1f600}'",
         "('x'):rep(1 << 20)", "('\\0'):rep(1 << 20)", "'$1'", "'NULL'"]


def test_values_come_back_as_they_went_in(db):
    """Integers as integers, floats as floats, strings byte for byte: in a result, and from a column
    that has no type."""
    db.run(f"""
        db:query "create table v (n integer primary key, x)"
        local values = {{ {', '.join(EDGES)} }}
        for i, v in ipairs(values) do
            local found = db:value("select $1", v)
            assert(found == v and math.type(found) == math.type(v), i)
            db:query("insert into v values ($1, $2)", i, v)
        end
        for row in db:rows "select n, x from v order by n" do
            local v = values[row.n]
            assert(row.x == v and math.type(row.x) == math.type(v), row.n)
        end
        assert(1 / db:value("select $1", -0.0) == -math.huge)""")


def test_null_and_booleans(db):
    assert db.run("""
        local row = db:row("select $1 as a, $2 as b, $3 as c, $4 as d", sql.null, nil, true, false)
        return row.a == nil, row.b == nil, row.c, row.d, db:value("select null") == nil""") \
        == (True, True, 1, 0, True)


def test_strings_are_text_or_bytes_by_what_they_are(db):
    assert db.run("""
        local function kind(v) return db:value("select typeof($1) || length($1)", v) end
        return kind "\\u{e4}", kind "a\\0b", kind "\\255", kind(sql.bytes "\\u{e4}"), kind(sql.bytes "")""") \
        == ("text1", "blob3", "blob1", "blob2", "blob0")


def test_parameters_in_any_order_and_repeated(db):
    assert db.run("""
        local row = db:row("select $2 as b, $1 as a, $2 || $3 as c", 1, "two", "three")
        return row.a, row.b, row.c""") == (1, "two", "twothree")
    assert db.run("""
        local list = {}
        for i = 1, 200 do list[i] = "$" .. i end
        local row = db:row("select " .. table.concat(list, " + ") .. " as sum",
            table.unpack((function() local t = {} for i = 1, 200 do t[i] = i end return t end)()))
        return row.sum""") == 20100


@pytest.mark.parametrize("code, problem", [
    ('db:query("select $1 + $3", 1, 2)', "the statement has the parameter $3, and 2 are given"),
    ('db:query("select $1", 1, 2)', "2 parameters are given, and the statement has 1"),
    ('db:query("select ?", 1)', "parameters are $1, $2 and so on, and nothing else"),
    ('db:query("select :a", 1)', "parameters are $1, $2 and so on, and nothing else"),
    ('db:query("select $0", 1)', "parameters are $1, $2 and so on, and nothing else"),
    ('db:query("select $1", 0/0)', "$1 is not a number (NaN), which SQLite cannot keep"),
    ('db:query("select $2, $1", 1, {})', "$2 is a table, which is no value of a database"),
    ('db:query("select $1", print)', "$1 is a function, which is no value of a database"),
    ('db:query("select 1; select 2")', "a query is one statement, and this text has more"),
    ('db:query("select 1; bad")', "a query is one statement, and this text has more"),
    ('db:query("select 1\\0")', "the text of a statement has a NUL"),
    ('db:query(1)', "the text of a statement is a string, not a number"),
    ('db:query "begin"', "a transaction is begun by db:transaction, and not by a statement"),
    ('db:transaction()', "transaction: a function is expected, got nil"),
    ('db:transaction(print, { isolated = 1 })', 'transaction: there is no option "isolated"'),
    ('db:listen "x"', "db:listen is PostgreSQL's"),
    ('db:copy "copy x from stdin"', "copy is PostgreSQL's"),
    ('sql.open "mysql://x"', "sql.open: mysql://x: a database is sqlite:FILE or postgres://…"),
    ('sql.open("sqlite:", { maximum = 1 })', 'sql.open: there is no option "maximum"'),
    ('sql.open("sqlite:", { timeout = math.huge })', "sql.open: timeout is a number above 0, up to"),
    ('sql.open("sqlite:", { max = 1.5 })', "sql.open: max is an integer"),
    ('sql.open("sqlite:", { timeout = 0 })', "sql.open: timeout is a number above 0"),
    ('sql.open "sqlite:a?mode=ro"', "behind the ? there may be synchronous=full"),
    ('sql.bytes(1)', "sql.bytes: a string is expected, got number"),
])
def test_misuse_is_told_at_the_line_of_the_script(db, code, problem):
    with pytest.raises(Failed) as raised:
        db.run(code)
    assert raised.value.kind is None and problem in str(raised.value)
    assert str(raised.value).startswith("test:1: ")
    assert db.value("select 1") == 1


def test_a_parameter_is_never_part_of_the_statement(db):
    hostile = "x'); drop table t; --"
    db.run("db:query 'create table t (x text)'")
    assert db.run("""
        db:query("insert into t values ($1)", %s)
        return db:value("select x from t where x = $1", %s), db:value "select count(*) from t"
        """, hostile, hostile) == (hostile, 1)


def test_results_tell_columns_and_what_was_changed(db):
    assert db.run("""
        local made = db:query "create table t (a integer primary key, b text)"
        local put = db:query("insert into t (b) values ($1), ($2) returning a, b", "x", "y")
        local all = db:query "select b, a, 1 as a from t"
        local set = db:query "update t set b = 'z' where a > 1"
        local none = db:query "select * from t where a > 9"
        return made.affected, #made.columns, put.affected, put[1].a .. put[1].b .. put[2].b, #all, all.affected,
            table.concat(all.columns, " "), set.affected, json.encode(none), none[1] == nil,
            table.concat(none.columns, " "), db:row "select * from t where a > 9" == nil,
            db:value "select a from t where a > 9" == nil, #db:query " -- nothing"
        """.replace("\n        ", " ").replace("-- nothing", "/* nothing */")) == (
            0, 0, 2, "1xy", 2, 0, "b a a", 1, "[]", True, "a b", True,
            True, 0)


# Errors.


@pytest.mark.parametrize("text, code, position, constraint", [
    ("selec 1", "SQLITE_ERROR", 1, None),
    ("select 1 +", "SQLITE_ERROR", None, None),
    ("select  nothing", "SQLITE_ERROR", 9, None),
    ("select 1 where \"text\" = 1", "SQLITE_ERROR", 16, None),
    ("select * from none", "SQLITE_ERROR", None, None),
    ("insert into t values (1, 'a', 1)", "SQLITE_CONSTRAINT_PRIMARYKEY", None, "t.id"),
    ("insert into t values (2, 'a', 1)", "SQLITE_CONSTRAINT_UNIQUE", None, "t.name"),
    ("insert into t values (2, null, 1)", "SQLITE_CONSTRAINT_NOTNULL", None, "t.name"),
    ("insert into t values (2, 'b', -1)", "SQLITE_CONSTRAINT_CHECK", None, "positive"),
    ("insert into r values (9)", "SQLITE_CONSTRAINT_FOREIGNKEY", None, None),
    ("select abs(-9223372036854775807 - 1)", "SQLITE_ERROR", None, None),
    ("select json('{')", "SQLITE_ERROR", None, None),
])
def test_errors_are_values(file_db, text, code, position, constraint):
    db = file_db(name="errors.db")
    db.run("""
        db:query [[create table t (id integer primary key, name text unique not null,
            n integer constraint positive check (n > 0))]]
        db:query "create table r (t references t)"
        db:query "insert into t values (1, 'a', 1)" """)
    with pytest.raises(Failed) as raised:
        db.run(f"db:query [[{text}]]")
    e = raised.value
    assert (e.kind, e.code, e.constraint) == ("sql", code, constraint), str(e)
    assert position in (None, e.position), "bytes, from 1"
    assert str(e).startswith("test:1: ") and code in str(e)


def test_what_can_be_no_database_is_told_in_a_line_with_its_cure(server, connect, tmp_path):
    (tmp_path / "text.db").write_text("no database, but a text of some length " * 40)
    for name, code, cure in (
            ("none/a.db", "SQLITE_CANTOPEN", "its folder has to be there"),
            ("text.db", "SQLITE_NOTADB", "name a file of SQLite's")):
        with pytest.raises(Failed, match=cure) as raised:
            Querier(connect(server.http), f"sqlite:{tmp_path}/{name}").value("select 1")
        assert (raised.value.kind, raised.value.code) == ("sql", code)
        assert f"{tmp_path}/{name}: " in str(raised.value) and "\n" not in str(raised.value)


# Streams.


SERIES = "with recursive c(i) as (select 1 union all select i + 1 from c where i < %d) "


def test_a_large_result_is_whole(db):
    count = 20000
    assert db.run(f"""
        local rows = db:query "{SERIES % count} select i, 'some text of a row' as x from c"
        local sum = 0
        for _, row in ipairs(rows) do sum = sum + row.i end
        return #rows, sum, #rows.columns""") == (count, count * (count + 1) // 2, 2)


def test_a_stream_takes_no_memory_for_what_is_to_come(db):
    """8 MB of rows, of which a few are in memory at a time."""
    count, most = db.run(f"""
        local n, most = 0, 0
        collectgarbage()
        local before = collectgarbage "count"
        for row in db:rows "{SERIES % 800} select i, hex(zeroblob(5000)) as x from c" do
            n = n + #row.x
            if row.i % 100 == 0 then
                collectgarbage()
                most = math.max(most, collectgarbage "count" - before)
            end
        end
        return n, most""")
    assert count == 800 * 10000
    assert most < 1500, "KiB"


def test_a_stream_that_is_left_early_gives_its_connection_back(file_db):
    db = file_db("{ max = 1, timeout = 5 }")
    assert db.run(f"""
        for _ = 1, 3 do
            for row in db:rows "{SERIES % 100000} select i from c" do
                if row.i == 10 then break end
            end
        end
        pcall(function()
            for row in db:rows "{SERIES % 100000} select i from c" do error "no" end
        end)
        local rows <close> = db:rows "select 1 as a union select 2"
        local first, columns = rows(), rows.columns
        rows:close()
        return first.a, columns[1], rows() == nil, db:value "select 7" """) == (1, "a", True, 7)


def test_a_stream_reads_what_was_there_when_it_began(file_db):
    db = file_db()
    assert db.run(f"""
        db:query "create table t (i, x)"
        db:query "insert into t {SERIES % 3000} select i, hex(zeroblob(100)) from c"
        local n = 0
        for row in db:rows "select i from t" do
            n = n + 1
            if n == 1 then db:query "insert into t select i + 3000, x from t" end
        end
        return n, db:value "select count(*) from t" """) == (3000, 6000)


# Time.


def begin_endless(db, count=3):
    """As many as there are threads for."""
    begun = [db.begin(f'db:query "{ENDLESS}"') for _ in range(count)]
    db.worker.ping()
    return begun


def test_a_statement_that_takes_too_long_is_interrupted(file_db):
    db = file_db("{ timeout = 0.3 }")
    for stream in begin_endless(db):
        with pytest.raises(Failed, match=r"a.db: still running after 0.3 s") as raised:
            db.end(stream)
        assert raised.value.kind == "timeout"
    assert db.run(f"""
        local ok, e = pcall(function() for _ in db:rows "{ENDLESS}" do end end)
        return ok, e.kind""") == (False, "timeout")
    assert file_db().value("select 1") == 1, "the threads are free again"


def test_an_abort_in_the_middle_of_a_query_interrupts_it(file_db):
    db = file_db()
    for stream in begin_endless(db):
        db.worker.reset(stream)
    assert db.value("select 1") == 1, "the threads are free again"


def test_a_deadline_interrupts_a_query(db):
    with pytest.raises(Failed, match="deadline exceeded") as raised:
        db.run(f'ctx:deadline(0.2) db:query "{ENDLESS}"')
    assert raised.value.kind == "timeout"
    assert db.value("select 1") == 1


def test_a_loop_over_the_only_connection_is_told(db):
    for_one = "one.max == 1 and one or sql.open('sqlite:')"
    with pytest.raises(Failed, match="this task has the only connection of sqlite:"):
        db.run(f"""
            local one = db
            one = {for_one}
            for row in one:rows "select 1 as a" do one:query "select 2" end""")


def test_an_abort_interrupts_what_has_not_begun(db):
    """In memory, where there is one connection: those that wait for it, too."""
    for stream in begin_endless(db, 5):
        db.worker.reset(stream)
    assert db.value("select 1") == 1


def test_slow_queries_run_side_by_side_and_hold_nobody_up(file_db, server):
    db = file_db("{ max = 64 }")
    slow = f'return db:value "{SERIES % 5000} select sum(i) from c"'
    begun = [db.begin(slow) for _ in range(64)]
    with Client(server.http) as other:
        assert int(other.fetch("/").text) == db.pid
    assert [db.end(stream) for stream in begun] == [5000 * 5001 // 2] * 64


# Transactions.


def test_a_transaction_is_whole_or_nothing(db):
    db.run('db:query "create table t (a)"')
    assert db.run("""
        local a, b = db:transaction(function(tx)
            tx:query "insert into t values (1)"
            return tx:value "select count(*) from t", "more"
        end)
        local ok, e = pcall(db.transaction, db, function(tx)
            tx:query "insert into t values (2)"
            error("no", 0)
        end)
        local ok2, e2 = pcall(db.transaction, db, function(tx)
            tx:query "insert into t values (3)"
            tx:query "insert into none values (3)"
        end)
        return a, b, ok, e, ok2, e2.kind, db:value "select count(*) from t" """) \
        == (1, "more", False, "no", False, "sql", 1)


def test_nested_transactions_are_savepoints(db):
    db.run('db:query "create table t (a)"')
    assert db.run("""
        return db:transaction(function(tx)
            tx:query "insert into t values (1)"
            local got = tx:transaction(function(inner)
                inner:query "insert into t values (2)"
                return "inner"
            end)
            local ok, e = pcall(db.transaction, db, function(inner)
                inner:query "insert into t values (3)"
                inner:transaction(function(third) third:query "insert into t values (4)" end)
                error("undo", 0)
            end)
            return got, ok, e, tx:value "select group_concat(a) from t"
        end)""") == ("inner", False, "undo", "1,2")
    assert db.value("select count(*) from t") == 2


def test_a_transaction_to_read_writes_nothing_and_sees_one_state(file_db):
    db = file_db()
    db.run('db:query "create table t (a)" db:query "insert into t values (0)"')
    assert db.run("""
        return db:transaction(function(tx)
            local before = tx:value "select count(*) from t"
            mt.spawn(function() db:query "insert into t values (1)" end):join()
            local ok, e = pcall(tx.query, tx, "insert into t values (1)")
            return before, tx:value "select count(*) from t", ok, e.code,
                tostring(e):find "read=true" ~= nil
        end, { read = true })""") == (1, 1, False, "SQLITE_READONLY", True)
    assert db.run("return db:query('insert into t values (3)').affected") == 1


def test_a_transaction_that_has_ended_is_none(db):
    with pytest.raises(Failed, match="test:1: the transaction has ended"):
        db.run("local kept_tx db:transaction(function(tx) kept_tx = tx end) kept_tx:query 'select 1'")
    assert db.run("""
        local rows
        db:transaction(function(tx) rows = tx:rows "select 1" end)
        return rows() == nil""") is True


def test_a_transaction_that_sqlite_ends_takes_no_more(db):
    db.run('db:query "create table t (a)"')
    with pytest.raises(Failed) as raised:
        db.run("""
            db:transaction(function(tx)
                tx:query "rollback"
                pcall(tx.query, tx, "insert into t values (1)")
            end)""")
    assert raised.value.code == "SQLITE_ABORT_ROLLBACK"
    assert db.value("select count(*) from t") == 0


def test_a_task_that_would_wait_for_its_own_transaction_is_told(db):
    db.run('db:query "create table t (a)"')
    with pytest.raises(Failed, match="this task has (a transaction of .* open|the only connection)"):
        db.run("db:transaction(function(tx) db:query 'insert into t values (1)' end)")
    assert db.value("select count(*) from t") == 0


def test_a_transaction_in_a_coroutine_is_the_same_task_s(db):
    db.run('db:query "create table t (a)"')
    assert db.run("""
        return db:transaction(function(tx)
            return coroutine.wrap(function()
                return db:transaction(function(inner)
                    inner:query "insert into t values (1)"
                    return inner == tx
                end)
            end)()
        end)""") is True
    assert db.value("select count(*) from t") == 1


def test_an_abort_rolls_a_transaction_back(db):
    db.run('db:query "create table t (a)"')
    stream = db.begin("""
        db:transaction(function(tx)
            tx:query "insert into t values (1)"
            kept.inside = true
            mt.sleep(1000)
        end)""")
    while db.run("return kept.inside") is not True:
        pass
    db.worker.reset(stream)
    assert db.run("kept.inside = nil return db:query('insert into t values (2)').affected") == 1
    assert db.value("select sum(a) from t") == 2


def test_writers_of_one_worker_take_turns(file_db):
    db = file_db()
    assert db.run("""
        db:query "create table n (n)"
        db:query "insert into n values (0)"
        local tasks = {}
        for i = 1, 8 do
            tasks[i] = function()
                for _ = 1, 20 do
                    if i % 2 == 0 then db:query "update n set n = n + 1" else
                        db:transaction(function(tx)
                            local n = tx:value "select n from n"
                            tx:query("update n set n = $1", n + 1)
                        end)
                    end
                end
            end
        end
        mt.all(table.unpack(tasks))
        return db:value "select n from n" """) == 160


# The pool.


def test_a_pool_that_is_exhausted_is_waited_for_and_then_told(file_db):
    db = file_db("{ max = 2, timeout = 0.4 }")
    held = [db.begin("db:transaction(function(tx) mt.sleep(1000) end, { read = true })")
            for _ in range(2)]
    db.worker.ping()
    with pytest.raises(Failed, match="none of its 2 connections was free within 0.4 s") as raised:
        db.value("select 1")
    assert raised.value.kind == "timeout"
    waiting = db.begin("return db:value 'select 2'")
    db.worker.ping()
    db.worker.reset(held[0])
    assert db.end(waiting) == 2
    db.worker.reset(held[1])


def test_idle_connections_are_closed(file_db):
    db = file_db("{ idle = 0.05 }")
    assert db.run("""
        mt.all(function() db:query "select 1" end, function() db:query "select 1" end)
        local held = #db.idle
        while #db.idle > 0 do mt.sleep(0.01) end
        return held, db:value "select 3" """) == (2, 3)


def test_json_of_rows(db):
    text = db.run('return json.encode { rows = db:query "select 1 as a union select 2" }')
    assert json.loads(text) == {"rows": [{"a": 1}, {"a": 2}]}
