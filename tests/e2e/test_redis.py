"""moontrail.redis against a Redis that is well: commands and replies, pipelines, transactions, scripts,
subscriptions, and the ways to connect."""
import hashlib
import signal

import pytest

from optional import need
from redis_servers import EVAL, Redis, failure, free_port, redis, worker  # pylint: disable=unused-import
from storing import Worker

need("redis-server")

SCRIPTS = {"index.lua": EVAL}
SERVER_OPTIONS = ("--max-cpu", "10")


@pytest.fixture
def run(worker, redis):
    """Runs Lua with a client r, whose database is empty."""
    redis.run("FLUSHALL")
    return lambda code, *values: worker.run(f"local r = redis.connect '{redis.url}' {code}", *values)


@pytest.fixture
def fails(worker, redis):
    return lambda code: failure(worker, f"local r = redis.connect '{redis.url}' {code}")


# Commands.


def test_each_kind_of_reply_is_what_lua_has_for_it(run):
    assert run("return r:set('k', 'v')") == "OK"
    assert run("return r:get('k'), r:get('none')") == ("v", None)
    assert run("return r:incr('n'), math.type(r:incr('n'))") == (1, "integer")
    assert run("return r:mget('k', 'none')[2] == redis.null, r:keys('nothing*')") == (True, {})
    assert run("return r:lrange('none', 0, -1)") == {}
    assert run("return r:hset('h', 'f', 1, 'g', 2.5), r:hgetall('h')")[0] == 2
    assert run("return r:hmget('h', 'f', 'g')") == ["1", "2.5"]


def test_arguments_are_strings_and_numbers_as_redis_has_them(run):
    assert run("r:set('a', 10 / 2) r:set('b', 1 << 62) r:set('c', 0.1) r:set(7, -1)"
               "return r:mget('a', 'b', 'c', '7')") == ["5", str(1 << 62), "0.1", "-1"]
    assert run(r"r:set('\0\r\n', '\0\255\r\n') return #r:get('\0\r\n')") == 4
    assert run("r:set('big', ('x'):rep(1000000)) return #r:get('big'), r:strlen('big')") == (1000000, 1000000)


@pytest.mark.parametrize("argument, kind", [
    ("nil", "nil"), ("true", "a boolean"), ("{}", "a table"), ("0/0", "a nan"), ("redis.null", "a userdata")])
def test_another_argument_is_misuse_at_its_line(fails, argument, kind):
    wrong = fails(f"\nr:set('k', {argument})")
    assert wrong.kind is None
    assert str(wrong) == f"test:2: redis: set: argument 2 is {kind}; strings and numbers are arguments"


def test_call_takes_any_name(run, fails):
    assert run("return r:call('SET', 'k', 1), r:call('get', 'k'), r.GET(r, 'k')") == ("OK", "1", "1")
    assert fails("r:call('nosuch', 1)").code == "ERR"
    assert "name of a command" in str(fails("r:call(1)"))
    assert "called with a colon" in str(fails("r.get('k')"))


def test_an_error_reply_is_raised_with_its_code_and_line(fails, run):
    run("r:set('k', 'v')")
    wrong = fails("\n\nr:lpush('k', 1)")
    assert (wrong.kind, wrong.code) == ("redis", "WRONGTYPE")
    assert str(wrong).startswith("test:3: redis: lpush: WRONGTYPE Operation against")
    assert run("return r:get('k')") == "v"


@pytest.mark.parametrize("command", ["select", "auth", "multi", "exec", "watch", "monitor", "hello", "quit", "reset",
                                     "unsubscribe", "SSUBSCRIBE"])
def test_what_would_change_a_shared_connection_is_misuse(fails, command):
    for code in (f"r:{command}(1)", f"r:call('{command}', 1)", f"r:pipeline(function(p) p:{command}(1) end)"):
        wrong = fails(code)
        assert wrong.kind is None and f"{command.lower()} changes a connection" in str(wrong)
    assert "client reply changes" in str(fails("r:client('REPLY', 'off')"))


def test_deep_replies_are_read(run):
    assert run("local deepest = 0\n"
               "local function walk(v, n) deepest = math.max(deepest, n)\n"
               "  if type(v) == 'table' then for i = 1, #v do walk(v[i], n + 1) end end end\n"
               "walk(r:command('docs'), 0) return deepest > 7, #r:command() > 200") == (True, True)
    assert run("return #r:eval('local t = 1 for i = 1, 63 do t = {t} end return t', 0)") == 1


def test_a_blocking_command_waits_longer_than_other_replies(worker, redis):
    assert worker.run(f"local r = redis.connect('{redis.url}', {{ timeout = 0.2 }})"
                      "mt.spawn(function() mt.sleep(0.5) r:lpush('l', 'x') end)"
                      "return r:blpop('l', 0)[2], r:blpop('l', 0.1)") == ("x", None)


# Connections.


def test_connections_are_kept_and_used_again(run, redis):
    before = int(redis.run("INFO", "stats").split("total_connections_received:")[1].split()[0])
    run("for i = 1, 50 do r:incr('n') end")
    run("for i = 1, 50 do r:pipeline(function(p) p:incr('n') p:get('n') end) end")
    after = int(redis.run("INFO", "stats").split("total_connections_received:")[1].split()[0])
    assert after - before <= 2  # one of them asks
    assert run("return r:get('n')") == "100"


def test_tasks_have_connections_of_their_own(run):
    assert run("local all = {} for i = 1, 20 do all[i] = mt.spawn(function()\n"
               "  for _ = 1, 20 do r:incr('n') end return r:get('n') end) end\n"
               "for i = 1, 20 do all[i]:join() end return r:get('n')") == "400"


def test_commands_wait_for_their_turn_where_all_connections_are_in_use(worker, redis):
    def connections():
        return int(redis.run("INFO", "stats").split("total_connections_received:")[1].split()[0])
    before = connections()
    assert worker.run(f"local r = redis.connect('{redis.url}', {{ pool_size = 2, pool = 'turns' }})\n"
                      "r:del('n') local all = {} for i = 1, 50 do all[i] = mt.spawn(r.incr, r, 'n') end\n"
                      "for i = 1, 50 do all[i] = all[i]:join() end table.sort(all) return all") == list(range(1, 51))
    assert connections() - before <= 3  # one of them asks
    with redis.hung():
        wrong = failure(worker, f"local r = redis.connect('{redis.url}', {{ pool_size = 1, timeout = 0.1 }})\n"
                        "local first, second = mt.spawn(r.get, r, 'k'), mt.spawn(r.get, r, 'k')\n"
                        "pcall(first.join, first) second:join()")
        assert wrong.kind == "timeout"


def test_the_pool_is_no_larger_than_said(worker, redis):
    redis.restart()
    worker.run(f"local r = redis.connect('{redis.url}', {{ pool_size = 3 }})"
               "local all = {} for i = 1, 9 do all[i] = mt.spawn(r.get, r, 'k') end\n"
               "for i = 1, 9 do all[i]:join() end")
    redis.wait_for(lambda: redis.clients() <= 3)


def test_databases_users_and_passwords(worker, redis):
    redis.run("ACL", "SETUSER", "moon", "on", ">p@ss:/word", "~*", "+@all")
    of = "redis://{}127.0.0.1:%d{}" % redis.port
    get = "return redis.connect(%s):get('where')"
    redis.run("FLUSHALL")
    worker.run("redis.connect(%s):set('where', 'three')", of.format("", "/3"))
    assert worker.run(get, of.format("", "/3")) == "three"
    assert worker.run(get, of.format("", "/0")) is None
    assert worker.run(get, of.format("moon:p%40ss%3A%2Fword@", "/3")) == "three"
    assert worker.run("return redis.connect(%s, { db = 3, user = 'moon', password = 'p@ss:/word' }):get('where')",
                      of.format("", "")) == "three"
    assert worker.run("return redis.connect(%s):acl('whoami')", of.format("moon:p%40ss%3A%2Fword@", "")) == "moon"
    assert worker.run("return redis.connect(%s):acl('whoami')", of.format("", "")) == "default"
    wrong = failure(worker, get, of.format("moon:secret@", "/3"))
    assert (wrong.kind, wrong.code) == ("redis", "WRONGPASS")
    assert f"redis://127.0.0.1:{redis.port}: WRONGPASS" in str(wrong) and "secret" not in str(wrong)
    wrong = failure(worker, get, of.format("", "/99"))
    assert (wrong.kind, wrong.code) == ("redis", "ERR") and "out of range" in str(wrong)


@pytest.mark.parametrize("url, why", [
    ("http://h", "a URL is redis://HOST"), ("redis://", "no host"), ("redis:///1", "no host"), ("", "a URL is"),
    ("redis://h:0", "no such port"), ("redis://h:65536", "no such port"), ("redis://h:x", "no such port"),
    ("redis://h:1:2", "no such port"), ("redis://h/x", "number of a database"), ("redis://h/1?a=b", "number of"),
    ("redis://secret@h", "a password follows"), ("unix:", "a URL is"), ("redis://[::1", "no host")])
def test_a_wrong_url_is_misuse_that_names_it(worker, url, why):
    wrong = failure(worker, "\nredis.connect(%s)", url)
    assert wrong.kind is None and str(wrong).startswith("test:2: redis.connect: ") and why in str(wrong)
    assert "secret" not in str(wrong)


@pytest.mark.parametrize("code, why", [
    ("redis.connect(1)", "a URL is a string"), ("redis.connect({})", "a list of no URL"),
    ("redis.connect('redis://h', 1)", "options are a table"),
    ("redis.connect('redis://h', { tiemout = 1 })", 'no option is named "tiemout"'),
    ("redis.connect('redis://h', { verify = 1 })", "verify is a boolean"),
    ("redis.connect('redis://h', { pool_size = 1.5 })", "number of connections"),
    ("redis.connect('redis://h', { db = 1.5 })", "number of a database"),
    ("redis.connect({ 'unix:/x' })", "a cluster has hosts"),
    ("redis.connect({ 'redis://h/1' })", "a cluster has hosts"),
    ("redis.script(1)", "a script is a string")])
def test_other_misuse_is_told(worker, code, why):
    wrong = failure(worker, code)
    assert wrong.kind is None and str(wrong).startswith("test:1: ") and why in str(wrong)


def test_what_cannot_be_reached_is_named(worker):
    port = free_port()
    wrong = failure(worker, f"redis.connect('redis://127.0.0.1:{port}'):get('k')")
    assert wrong.kind == "unreachable" and f"127.0.0.1:{port}" in str(wrong) and "test:1: " in str(wrong)
    wrong = failure(worker, "redis.connect('redis://no-such-host.invalid'):get('k')")
    assert wrong.kind == "unreachable" and "no-such-host.invalid" in str(wrong)
    wrong = failure(worker, "redis.connect('unix:/no/such/socket'):get('k')")
    assert wrong.kind == "unreachable" and "/no/such/socket" in str(wrong)


def test_over_a_socket_in_the_file_system(worker, redis):
    assert worker.run("return redis.connect(%s):ping()", f"unix:{redis.folder}/socket") == "PONG"


def test_over_tls_verified_unless_it_is_not_to_be(worker, tmp_path, local_certificate):
    port = free_port()
    one = Redis(tmp_path, "--tls-port", port, "--tls-cert-file", local_certificate.cert, "--tls-key-file",
                local_certificate.key, "--tls-ca-cert-file", local_certificate.cert, "--tls-auth-clients", "no")
    try:
        url = f"rediss://127.0.0.1:{port}/2"
        assert worker.run("local r = redis.connect(%s, { ca = %s }) r:set('k', ('x'):rep(200000)) r:get('k')"
                          "return #r:get('k')", url, str(local_certificate.cert)) == 200000
        assert worker.run("return redis.connect(%s, { verify = false }):strlen('k')", url) == 200000
        assert failure(worker, "redis.connect(%s):get('k')", url).kind == "unreachable"
        assert one.run("-n", 2, "STRLEN", "k") == "200000"
    finally:
        one.kill()


# Pipelines.


def test_a_pipeline_gives_all_replies_in_order(run):
    assert run("local n = r:pipeline(function(p) for i = 1, 1000 do p:incrby('n', i) end end)\n"
               "return #n, n[1], n[1000]") == (1000, 1, 500500)
    assert run("return r:pipeline(function(p) p:set('a', 1) p:call('GET', 'a') end)") == ["OK", "1"]
    assert run("local l = r:pipeline(function(p) p:get('no') p:mget('no', 'a') end)\n"
               "return l[1] == redis.null, l[2][1] == redis.null, #l") == (True, True, 2)
    assert run("return #r:pipeline(function() end)") == 0


def test_an_error_in_a_pipeline_is_a_value_in_its_place(run):
    assert run("local l = r:pipeline(function(p) p:set('k', 'v') p:lpush('k', 1) p:get('k') end)\n"
               "return l[1], l[2].kind, l[2].code, l[3]") == ("OK", "redis", "WRONGTYPE", "v")


def test_a_large_pipeline_of_large_values(run):
    assert run("local v = ('x'):rep(100000)\n"
               "local l = r:pipeline(function(p) for i = 1, 50 do p:set(i, v) p:get(i) end end)\n"
               "for i = 1, 50 do assert(l[2 * i] == v) end return #l") == 100


def test_what_fails_while_it_is_gathered_sends_nothing(run, fails):
    assert "test:1: " in str(fails("r:pipeline(function(p) p:set('k', 1) p:set('k', {}) end)"))
    assert "no luck" in str(fails("r:pipeline(function(p) p:set('k', 1) error 'no luck' end)"))
    assert run("return r:exists('k')") == 0
    assert "is over" in str(fails("local q r:pipeline(function(p) q = p end) q:get('k')"))
    assert "takes a function" in str(fails("r:pipeline(1)"))


# Transactions.


def test_a_transaction_gives_all_replies(run):
    assert run("return r:transaction(function(t) t:set('a', 1) t:incr('a') t:get('a') end)") == ["OK", 2, "2"]
    assert run("return #r:transaction(function() end), #r:transaction(function() end, { watch = { 'a' } })") == (0, 0)


def test_a_watched_key_that_changes_gives_nil(run):
    assert run("r:set('a', 1) local l = r:transaction(function(t)\n"
               "  local seen = r:get('a') r:incr('a') t:set('a', seen + 10)\n"
               "end, { watch = { 'a', 'b' } }) return l, r:get('a')") == (None, "2")
    assert run("return r:transaction(function(t) t:set('a', r:get('a') + 10) end, { watch = { 'a' } }), r:get('a')"
               ) == (["OK"], "12")


def test_one_that_was_left_watches_nothing_any_more(run):
    assert run("pcall(r.transaction, r, function() error 'left' end, { watch = { 'a' } })\n"
               "r:transaction(function() end, { watch = { 'a' } })\n"
               "r:incr('a') return r:transaction(function(t) t:get('a') end)") == ["1"]


def test_an_error_in_a_transaction(run, fails):
    assert run("local l = r:transaction(function(t) t:set('k', 'v') t:lpush('k', 1) t:get('k') end)\n"
               "return l[1], l[2].code, l[3]") == ("OK", "WRONGTYPE", "v")
    wrong = fails("r:transaction(function(t) t:set('k', 'w') t:nosuch() end)")
    assert (wrong.kind, wrong.code) == ("redis", "EXECABORT") and "unknown command" in str(wrong)
    assert run("return r:get('k')") == "v"
    for options in ("1", "{ wacth = {} }", "{ watch = 'a' }", "{ watch = { {} } }"):
        assert fails(f"r:transaction(function() end, {options})").kind is None


def test_increments_by_transactions_are_exact(run):
    assert run("""
        local function add()
            for _ = 1, 20 do
                repeat
                    local done = r:transaction(function(t)
                        t:set('n', (r:get('n') or 0) + 1)
                    end, { watch = { 'n' } })
                until done
            end
        end
        local all = {}
        for i = 1, 5 do all[i] = mt.spawn(add) end
        for i = 1, 5 do all[i]:join() end
        return r:get('n')""") == "100"


# Scripts.


def test_a_script_is_sent_once(run, redis):
    redis.run("SCRIPT", "FLUSH")
    redis.run("CONFIG", "RESETSTAT")
    source = "return { KEYS[1], ARGV[1], redis.call('incr', 'n') }"
    assert run(f"local s = redis.script [[{source}]] s:run(r, {{ 'k' }}, {{ 'a' }})\n"
               "return s:run(r, { 'k' }, { 'a' }), s.sha1") == (
        ["k", "a", 2], hashlib.sha1(source.encode()).hexdigest())
    stats = redis.run("INFO", "commandstats")
    assert "cmdstat_eval:calls=1" in stats and "cmdstat_evalsha:calls=2" in stats
    redis.run("SCRIPT", "FLUSH")
    assert run(f"return redis.script([[{source}]]):run(r, {{ 'k' }}, {{ 1 }})") == ["k", "1", 3]


def test_scripts_of_every_length_have_the_right_name(run):
    names = run("local all = {} for i = 0, 130 do all[i + 1] = redis.script(('-'):rep(i)).sha1 end return all")
    assert names == [hashlib.sha1(b"-" * i).hexdigest() for i in range(131)]


def test_a_script_that_fails_or_has_no_keys(run, fails):
    assert run("return redis.script('return 1'):run(r)") == 1
    wrong = fails("redis.script([[return redis.error_reply('MY error')]]):run(r)")
    assert (wrong.kind, wrong.code) == ("redis", "MY")
    assert fails("redis.script('return 1'):run(r, 1)").kind is None
    assert run("return r:pipeline(function(p) redis.script('return ARGV[1]'):run(p, {}, { 7 }) end)") == ["7"]


# Subscriptions.


def test_messages_come_in_order_from_the_moment_it_returns(run):
    assert run("local sub <close> = r:subscribe('a', 'b')\n"
               "for i = 1, 100 do r:publish(i % 2 == 0 and 'a' or 'b', i) end\n"
               "local got = {} for m in sub do got[#got + 1] = m.channel .. m.message\n"
               "if #got == 100 then break end end return got") == [
        ("a" if i % 2 == 0 else "b") + str(i) for i in range(1, 101)]


def test_patterns_are_told_with_the_message(run):
    assert run("local sub <close> = r:psubscribe('n.*') r:publish('n.1', ('x'):rep(100000))\n"
               "local m = sub() return m.pattern, m.channel, #m.message") == ("n.*", "n.1", 100000)


def test_a_subscription_ends_by_close(run, redis):
    assert run("local sub = r:subscribe('a')\n"
               "local t = mt.spawn(function() return sub() end)\n"
               "mt.sleep(0) sub:close() sub:close() return t:join(), sub()") == (None, None)
    redis.wait_for(lambda: redis.run("PUBSUB", "CHANNELS") == "")


def test_a_subscription_ends_with_its_task(worker, redis):
    stream = worker.begin(f"local sub = redis.connect('{redis.url}'):subscribe('left') for _ in sub do end")
    redis.wait_for(lambda: redis.run("PUBSUB", "CHANNELS") == "left")
    worker.reset(stream)
    redis.wait_for(lambda: redis.run("PUBSUB", "CHANNELS") == "")


def test_channels_are_strings(fails):
    assert "takes one or more" in str(fails("r:subscribe()"))
    assert "takes strings" in str(fails("r:subscribe({})"))


def test_a_reload_in_the_middle_ends_nothing(start, connect, redis):
    server = start({"index.lua": EVAL})
    one = Worker(connect(server.http))
    begun = len(server.log)
    streams = [one.begin(f"local r = redis.connect('{redis.url}')\n"
                         f"local v = r:blpop('reloaded', 0) return r:incr('after'), v[2]") for _ in range(3)]
    streams.append(one.begin(f"return redis.connect('{redis.url}'):subscribe('reloaded')().message"))
    redis.wait_for(lambda: redis.clients("blpop") == 3 and redis.clients("subscribe") == 1)
    server.signal(signal.SIGHUP)
    server.wait_for("scripts loaded", since=begun)
    redis.run("DEL", "after")
    redis.run("LPUSH", "reloaded", "x", "x", "x")
    redis.run("PUBLISH", "reloaded", "y")
    assert sorted(one.end(stream) for stream in streams[:3]) == [(1, "x"), (2, "x"), (3, "x")]
    assert one.end(streams[3]) == "y"
