"""moontrail.sql on a real PostgreSQL: values, errors, what runs side by side, and what is left of a
query whose task has gone."""
import pytest

from optional import need
from postgres import PASSWORD, Failed, Script, serve

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


# What is sent, as Lua has it, the type it is sent as, and what comes back, unless that is the same.
VALUES = [
    ("-32768", "int2"), ("32767", "int2"),
    ("-2147483648", "int4"), ("2147483647", "int4"),
    ("math.mininteger", "int8"), ("math.maxinteger", "int8"),
    ("3.0", "int4", "3"), ("-2.0^62", "int8", "-(1 << 62)"), ("4294967295", "oid"),
    ("true", "bool"), ("false", "bool"),
    ("0.1", "float8"), ("1e300", "float8"), ("5e-324", "float8"), ("math.huge", "float8"),
    ("-math.huge", "float8"), ("2.0", "float8"), ("7", "float8", "7.0"), ("1.5", "float4"),
    ("0.1", "numeric", "'0.1'"), ("3.0", "numeric", "'3'"), ("1e20", "numeric", "'1' .. ('0'):rep(20)"),
    ("'123456789012345678901234567890.5'", "numeric"), ("'NaN'", "numeric"),
    ("''", "text"), ("'é 🙂 \"\\'\\\\'", "text"), ("2.0", "text", "'2.0'"), ("12", "text", "'12'"),
    ("'x'", "varchar(3)"), ("'x'", "char(3)", "'x  '"), ("('y'):rep(100000)", "text"),
    ("bytes", "bytea"), ("''", "bytea"), ("sql.bytes(bytes)", "bytea", "bytes"),
    ("'2024-02-29'", "date"), ("'2024-02-29 12:34:56.789'", "timestamp"),
    ("'1 day 02:03:04'", "interval"), ("'6f1c3f1e-0b1a-4c8e-9d7a-1b2c3d4e5f60'", "uuid"),
    ("'10.0.0.1'", "inet"),
]

SAME = """
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    bytes = table.concat(bytes)
    local wrong = json.array()
    local function try(what, sent, expected)
        local got = db:value("select $1::" .. what, sent)
        if got ~= expected or math.type(got) ~= math.type(expected) then
            wrong[#wrong + 1] = what .. ": " .. tostring(got)
        end
    end
    %s
    local nan = db:value("select $1::float8", 0 / 0)
    if nan == nan then wrong[#wrong + 1] = "NaN" end
    return wrong
"""


def test_each_type_comes_back_as_it_was_sent(script):
    tries = [f"try([[{kind}]], {sent}, {back[0] if back else sent})" for sent, kind, *back in VALUES]
    assert script.run(SAME % "\n".join(tries)) == []


@pytest.mark.parametrize("form, expected", [
    ("'{}'::int[]", {}), ("'{{1,2},{3,NULL}}'::int[]", [[1, 2], [3, None]]),
    ("'[0:1]={7,8}'::int8[]", [7, 8]), ("""'{"a,b","\\"c\\\\",null,"null",""}'::text[]""",
                                        ["a,b", '"c\\', None, "null", ""]),
    ("array[true, false]", [True, False]), ("array[1.50, 2]::numeric[]", ["1.50", "2"]),
    ("""array['{"a": [1, null]}'::jsonb]""", [{"a": [1, None]}]), ("'{\"a\": {}}'::json", {"a": {}}),
    ("'null'::jsonb", None), ("array['2024-02-29'::date]", ["2024-02-29"]),
    ("array['a'::\"char\", 'b']", ["a", "b"]), ("array['\\x00ff'::bytea] = array['\\x00ff'::bytea]", True),
])
def test_arrays_and_json_are_decoded(script, form, expected):
    assert script.run(f"return db:value([==[select {form}]==])") == expected


def test_tables_go_as_arrays_or_json_by_the_parameter_s_type(script):
    code = """
        local row = db:row("select $1::int[] as a, $2::text[] as b, $3::jsonb as c, $4::jsonb[] as d,"
            .. " $5::bytea[] = array['\\\\x0001'::bytea] as e, $6::float8[] as f, $7::bool[] as g,"
            .. " $8::int[][] as h",
            {1, 2.0, sql.null}, {'x,"y"', "\\\\", "NULL", "{}"}, {k = {1, "z"}}, {{a = 1}, {b = {2}}},
            {"\\0\\1"}, {0.1, math.huge}, {true, false}, {{1, 2}, {3, 4}})
        row.f[2] = row.f[2] == math.huge
        return row
    """
    assert script.run(code) == {
        "a": [1, 2, None], "b": ['x,"y"', "\\", "NULL", "{}"], "c": {"k": [1, "z"]},
        "d": [{"a": 1}, {"b": [2]}], "e": True, "f": [0.1, True], "g": [True, False],
        "h": [[1, 2], [3, 4]]}


def test_types_of_users_are_known_by_what_they_are_made_of(script):
    code = """
        db:transaction(function(tx)
            tx:query("create type mood as enum ('sad', 'so so')")
            tx:query("create domain positive as int check (value > 0)")
            tx:query("create table moods (m mood, list mood[], p positive, ps positive[])")
        end)
        return db:query("insert into moods values ($1, $2, $3, $4) returning *",
            "sad", {"so so", "sad"}, 3.0, {1, 2.0})
    """
    assert script.run(code) == [{"m": "sad", "list": ["so so", "sad"], "p": 3, "ps": [1, 2]}]
    failure = script.fail("db:query('insert into moods (p) values ($1)', 0)")
    assert (failure.code, failure.told["constraint"]) == ("23514", "positive_check")


def test_null_is_absent_and_columns_are_told(script):
    code = """
        local rows = db:query("select 1 as a, $1::text as b, 'x' as a where true", sql.null)
        return rows, rows.columns, rows.affected, rows[1].b == nil, db:row("select 1 where false") == nil
    """
    assert script.run(code) == [[{"a": "x"}], ["a", "b", "a"], 0, True, True]
    code = """
        db:query("create table counted (i int)")
        local added = db:query("insert into counted select generate_series(1, 5) returning i")
        return #added, added.affected, db:query("update counted set i = 0").affected,
            db:query("delete from counted where i = 1").affected, db:query("").affected
    """
    assert script.run(code) == [5, 5, 5, 0, 0]


@pytest.mark.parametrize("arguments, text", [
    ("'select $1::text', 'a\\0b'", "$1 has a zero byte"),
    ("'select $1::int', {1}", "$1 is a table, and its type is neither"),
    ("'select $1::int[]', {print}", "$1 has a function in its array"),
    ("'select $1::int[]', {a = 1}", "its table has the key a"),
    ("'select $1::int', print", "$1"),
])
def test_what_no_parameter_can_be_is_told_at_the_script_s_line(script, arguments, text):
    failure = script.fail(f"\n\ndb:query({arguments})")
    assert failure.kind is None and str(failure).startswith("test:3: ") and text in str(failure)


@pytest.mark.parametrize("arguments, code", [
    ("'select $1::int', 1.5", "22P02"), ("'select $1::int2', 70000", "22003"),
    ("'select $1::int', '1 or 1=1'", "22P02"), ("'select $1::bool', 'perhaps'", "22P02"),
    ("'select $1::int', 1, 2", "08P01"), ("'select 1; select 2'", "42601"),
    ("'select 1/0'", "22012"), ("'select * from nowhere'", "42P01"),
])
def test_what_the_server_refuses_has_its_code_and_the_script_s_line(script, arguments, code):
    failure = script.fail(f"\ndb:query({arguments})")
    assert (failure.kind, failure.code) == ("sql", code)
    assert str(failure).startswith("test:2: ")


def test_a_position_counts_characters_and_the_message_names_the_line(script):
    failure = script.fail("db:query([[select 'é🙂',\n  form from x]])")
    assert failure.code == "42P01" and failure.told["position"] == 26
    assert str(failure).endswith("(line 2)")
    failure = script.fail("db:query([[select 'é🙂'\n  frm x]])")
    assert failure.code == "42601" and failure.told["position"] == 19


def test_a_constraint_and_the_detail_are_told(script):
    failure = script.fail("""
        db:query("create table keyed (k int primary key)")
        db:query("insert into keyed values ($1)", 1)
        db:query("insert into keyed values ($1)", 1)""")
    assert (failure.code, failure.told["constraint"]) == ("23505", "keyed_pkey")
    assert failure.told["detail"] == "Key (k)=(1) already exists."


@pytest.mark.parametrize("query", ["?sslmode=disable", "?sslmode=disable&prepare=false"])
def test_a_parameter_is_never_read_as_a_statement(script, database, query):
    code = """
        local db = sql.open("%s")
        local evil = "'; drop table safe; -- \\\\' $1 $$"
        db:query("create table if not exists safe (t text)")
        db:query("insert into safe values ($1)", evil)
        local back = db:value("select t from safe where t = $1", evil) == evil
        return back, db:value("select $2::text || $1::text", "a", "b"),
            db:value("select count(*) from pg_prepared_statements")
    """ % database.url(query=query)
    back, swapped, prepared = script.run(code)
    assert back and swapped == "ba" and (prepared == 0) == ("false" in query)


def test_statements_are_kept_prepared_and_anew_when_they_are_stale(script, database):
    code = """
        local db = sql.open("%s", {max = 1})
        db:query("create table grown (a int)")
        db:query("insert into grown values (1)")
        local first = db:row("select * from grown")
        db:query("alter table grown add b int default 2")
        local second = db:row("select * from grown")
        db:query("deallocate all")
        local third = {}
        for row in db:rows("select * from grown") do third[#third + 1] = row end
        for i = 1, 250 do db:value("select " .. i) end
        return first, second, third, db:value("select count(*) from pg_prepared_statements") <= 200,
            #db:value("select '" .. ("x"):rep(20000) .. "' || $1::int", 1.0)
    """ % database.quick
    assert script.run(code) == [{"a": 1}, {"a": 1, "b": 2}, [{"a": 1, "b": 2}], True, 20001]


def test_an_error_that_looks_like_a_stale_statement_s_is_told(script):
    raising = "do $$ begin raise exception using errcode = '%s'; end $$"
    for code in ("0A000", "26000"):
        assert script.fail(f'db:query("{raising % code}")').code == code
        assert script.fail(f'for _ in db:rows("{raising % code}") do end').code == code
    assert script.run("return db:value('select 1')") == 1


# Rows.

def test_rows_come_one_by_one_at_the_reader_s_pace(script, database):
    """The server cannot send all of it before somebody reads."""
    stream = script.begin("""
        local n = 0
        for row in db:rows("select repeat('x', 10000) as t, i from generate_series(1, 2000) i") do
            n = n + 1
            if n == 1 then kept.go = mt.channel() kept.go:recv() end
            assert(row.i == n)
        end
        return n""")
    database.until(1, lambda: int(database.ask(
        "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'")))
    script.run("kept.go:send(true)")
    assert script.end(stream) == 2000


def test_a_loop_that_is_left_early_leaves_nothing_running(script, database):
    code = "for row in db:rows('select i from generate_series(1, %d) i') do return row.i end"
    assert script.run(code % 3) == 1
    assert script.run(code % 5000000) == 1
    database.until(0, database.running, "%generate_series%")
    assert script.run("return db:value('select 7')") == 7


def test_an_error_in_the_middle_of_rows_is_raised_there(script):
    failure = script.fail("""
        kept.n = 0
        for row in db:rows("select 10 / (5 - i) as v from generate_series(1, 9) i") do
            kept.n = kept.n + 1
        end""")
    assert failure.code == "22012" and script.run("return kept.n") == 4


# Side by side.

def test_64_queries_of_one_worker_run_side_by_side(script, database):
    script.run("kept.wide = sql.open(url, {max = 64})")
    streams = [script.begin("kept.wide:query('select pg_sleep(600)')") for _ in range(64)]
    database.until(64, database.running, "%pg_sleep%")
    database.ask("select pg_cancel_backend(pid) from pg_stat_activity where query like "
                 "'%pg_sleep%' and pid <> pg_backend_pid()")
    for stream in streams:
        with pytest.raises(Failed) as failed:
            script.end(stream)
        assert failed.value.code == "57014"


# What is left of a query whose task has gone.

def test_an_aborted_request_cancels_its_query_at_the_server(script, database):
    stream = script.begin("db:query('select pg_sleep(601)')")
    database.until(1, database.running, "%pg_sleep(601)%")
    script.client.reset(stream)
    database.until(0, database.running, "%pg_sleep(601)%")
    assert script.run("return db:value('select 1')") == 1


def test_an_aborted_request_rolls_its_transaction_back(script, database):
    script.run("db:query('create table undone (i int)')")
    stream = script.begin("""
        db:transaction(function(tx)
            tx:query("insert into undone values (1)")
            tx:query("select pg_sleep(602)")
        end)""")
    database.until(1, database.running, "%pg_sleep(602)%")
    script.client.reset(stream)
    database.until(0, database.running, "%pg_sleep(602)%")
    database.until(0, lambda: int(database.ask(
        "select count(*) from pg_stat_activity where state like 'idle in transaction%'")))
    assert script.run("return db:value('select count(*) from undone')") == 0


def test_a_query_that_takes_too_long_is_cancelled_at_the_server(script, database):
    failure = script.fail("sql.open(url, {timeout = 0.2}):query('select pg_sleep(603)')")
    assert failure.kind == "timeout" and "too long" in str(failure)
    database.until(0, database.running, "%pg_sleep(603)%")


def test_where_tls_is_demanded_a_query_ends_with_its_connection(script, database):
    """A request to cancel would go in the clear."""
    url = database.url(query="?sslmode=require")
    stream = script.begin(f"sql.open('{url}'):query('select pg_sleep(604)')")
    database.until(1, database.running, "%pg_sleep(604)%")
    script.client.reset(stream)
    database.until(0, database.running, "%pg_sleep(604)%")


def test_a_serialization_failure_is_tried_again(script):
    code = """
        db:query("create table counter (n int)")
        db:query("insert into counter values (0)")
        local attempts = 0
        local result = db:transaction(function(tx)
            attempts = attempts + 1
            local n = tx:value("select n from counter")
            if attempts == 1 then
                mt.spawn(function() db:query("update counter set n = 10") end):join()
            end
            tx:query("update counter set n = $1", n + 1)
            return n + 1
        end, {isolation = "serializable"})
        return attempts, result, db:value("select n from counter")
    """
    assert script.run(code) == [2, 11, 11]


def test_what_failed_inside_a_transaction_cannot_be_committed(script):
    code = """
        db:query("create table half (i int)")
        db:transaction(function(tx)
            tx:query("insert into half values (1)")
            pcall(tx.query, tx, "select 1/0")
        end)
    """
    assert script.fail(code).code == "25P02"
    assert script.run("return db:value('select count(*) from half')") == 0
    code = """
        db:transaction(function(tx)
            tx:query("insert into half values (1)")
            pcall(tx.transaction, tx, function() tx:query("select 1/0") end)
            tx:query("insert into half values (2)")
        end)
        return db:value("select count(*) from half")
    """
    assert script.run(code) == 2
    failure = script.fail("db:transaction(function(tx) tx:query('delete from half') end, {read = true})")
    assert failure.code == "25006"


# COPY.

def test_copy_takes_rows_in_pieces(script):
    code = """
        db:query("create table copied (i int, t text)")
        local copy = db:copy("copy copied from stdin")
        for i = 1, 2000 do copy:write(i, "\\t", ("x"):rep(500), "\\n") end
        return copy:finish(), db:value("select count(*) from copied"), db:value("select max(i) from copied")
    """
    assert script.run(code) == [2000, 2000, 2000]
    failure = script.fail("""
        local copy <close> = db:copy("copy copied from stdin")
        copy:write("1\\tfine\\nnot a number\\tx\\n")
        copy:finish()""")
    assert failure.code == "22P02"
    script.run("""
        local copy <close> = db:copy("copy copied from stdin")
        copy:write("5\\tleft\\n")""")
    assert script.run("return db:value('select count(*) from copied')") == 2000
    assert "COPY … FROM STDIN" in str(script.fail("db:copy('select 1')"))
    assert "db:rows" in str(script.fail("db:query('copy copied to stdout')"))
    assert script.fail("db:query('copy copied from stdin')").code == "57014"


# Notifications.

def test_notifications_come_in_order_and_after_the_connection_was_lost(script, database):
    script.run("""
        kept.news = {}
        kept.sub = db:listen('a "channel"')""")
    stream = script.begin("""
        for n in kept.sub do
            kept.news[#kept.news + 1] = n.channel .. ":" .. n.payload
            if n.payload == "last" then break end
        end
        return kept.news""")
    del stream
    listener = script.begin("""
        local sub <close> = db:listen("news")
        local got = {}
        for n in sub do
            got[#got + 1] = n.payload
            if n.payload == "last" then return got end
        end""")
    listening = "select count(*) from pg_stat_activity where query = 'LISTEN \"news\"' and state = 'idle'"
    database.until(1, lambda: int(database.ask(listening)))
    script.run("for i = 1, 3 do db:query('select pg_notify($1, $2)', 'news', i) end")
    victim = database.ask("select pid from pg_stat_activity where query = 'LISTEN \"news\"'")
    database.ask(f"select pg_terminate_backend({victim})")
    database.until(1, lambda: int(database.ask(listening + f" and pid <> {victim}")))
    database.ask("notify news, 'last'")
    assert script.end(listener) == ["1", "2", "3", "last"]
    assert "1 to 63 bytes" in str(script.fail("db:listen('')"))


# Servers that are not well.

@pytest.mark.parametrize("change, kind, code", [
    ({"password": "wrong"}, "sql", "28P01"), ({"database": "nowhere"}, "sql", "3D000"),
    ({"user": "nobody"}, "sql", "28P01"), ({"host": "nowhere.invalid"}, "unreachable", None),
    ({"query": "?sslmode=verify-full", "host": "localhost"}, "unreachable", None),
])
def test_what_keeps_a_connection_from_opening_is_told(script, database, change, kind, code):
    failure = script.fail(f"sql.open('{database.url(**change)}'):query('select 1')")
    assert (failure.kind, failure.code) == (kind, code)
    assert PASSWORD not in str(failure)


def test_a_certificate_that_verifies_is_taken(script, database):
    known = f"?sslmode=verify-full&sslrootcert={database.certificate}"
    code = "return sql.open('%s'):value('select ssl from pg_stat_ssl where pid = pg_backend_pid()')"
    assert script.run(code % database.url(host="localhost", query=known)) is True
    assert script.fail(code % database.url(query=known)).kind == "unreachable"


@pytest.mark.parametrize("url", ["postgres://h/?nosuch=1", "postgres://h/?prepare=no",
                                 "postgres://[::1/x"])
def test_a_url_that_is_none_is_told_at_once(script, url):
    failure = script.fail(f"sql.open('{url}')")
    assert failure.kind is None and str(failure).startswith("test:1: sql.open: ")


def test_hosts_are_tried_in_turn(script, database):
    url = database.url(query="?sslmode=disable").replace("@127.0.0.1", "@127.0.0.1:1,localhost")
    assert script.run(f"return sql.open('{url}'):value('select 1')") == 1
    socket = f"postgres:///postgres?host={database.folder}&port={database.port}&user=tests"
    assert script.run(f"return sql.open('{socket}'):value('select 1')") == 1
