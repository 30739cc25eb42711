"""The store on a Redis server: what two servers share by it, how it is written there, and what is told
when it is gone. What the operations do is in the suite for all places."""
import os
import signal
import time

import pytest

from optional import need

need("redis-server")

from redis_servers import Redis, free_port
from server import PATIENCE, Server, write_scripts
from storing import EVAL, Failed, Workers


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def servers(redis, tmp_path_factory):
    folder = write_scripts(tmp_path_factory.mktemp("scripts"), {"index.lua": EVAL})
    both = [Server(folder, "--workers", "1", "--store", f"{redis.url}?prefix=both") for _ in range(2)]
    yield both
    for server in both:
        server.stop()


@pytest.fixture(scope="module")
def pair(servers):
    """Workers of two servers."""
    with Workers(servers[0], 1) as (a,), Workers(servers[1], 1) as (b,):
        yield a, b


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# Two servers.


def test_a_limit_is_that_of_both_servers(pair):
    code = """
        local limit, n = mt.limit { name = "both", rate = 0.001, burst = 50 }, 0
        for i = 1, 40 do if limit:take("k") then n = n + 1 end end
        return n"""
    begun = [(worker, worker.begin(code)) for worker in pair * 2]
    assert sum(worker.end(stream) for worker, stream in begun) == 50


def test_a_message_reaches_the_other_server(pair):
    a, b = pair
    stream = a.begin("""
        local sub <close> = s:subscribe("news")
        kept.ready = true
        return sub(), sub()""")
    until(lambda: a.run("return kept.ready == true"))
    b.run('s:publish("news", "one"); s:publish("news", "two")')
    assert a.end(stream) == ("one", "two")


def test_a_lock_excludes_the_other_server(pair):
    a, b = pair
    stream = a.begin("""
        local lock <close> = s:lock("l", 100)
        kept.held = true
        while not kept.let_go do mt.sleep(0.01) end
        return lock:release()""")
    until(lambda: a.run("return kept.held == true"))
    assert b.run('return s:try_lock("l", 1)') is None
    a.run("kept.let_go = true")
    assert a.end(stream) is True
    assert b.run('return s:lock("l", 1):release()') is True


def test_updates_of_both_servers_lose_nothing(pair):
    code = """
        for i = 1, 50 do s:update("sum", function(old) return (old or 0) + 1 end) end
        return true"""
    begun = [(worker, worker.begin(code)) for worker in pair * 2]
    assert all(worker.end(stream) for worker, stream in begun)
    assert pair[0].run('return s:get("sum")') == 200


def test_an_update_sees_a_write_of_the_same_value(pair, redis):
    """By a version, not by what the value is."""
    assert pair[0].run(f"""
        local calls = 0
        s:set("seen", 1)
        return s:update("seen", function(old)
            calls = calls + 1
            if calls == 1 then os.execute("redis-cli -p {redis.port} SET both:tests:seen 1 >/dev/null") end
            return old + 1
        end), calls""") == (2, 2)


def test_a_lock_of_a_worker_that_is_killed_ends_with_its_time(start, redis):
    server = start({"index.lua": EVAL}, "--workers", "2", "--store", f"{redis.url}?prefix=killed")
    with Workers(server, 2) as (a, b):
        a.begin('kept.lock = s:lock("l", 1); kept.held = true; mt.sleep(1000)')
        until(lambda: a.run("return kept.held == true"))
        os.kill(a.pid, signal.SIGKILL)
        assert b.run('return s:lock("l", 1000):release()') is True


# What is there.


def test_keys_and_values_are_those_that_the_page_tells(pair, redis):
    pair[0].run("""
        s:set("integer", -5); s:set("string", "-5"); s:set("ends", "x", { ttl = 1000 })
        store.open("a:b"):set("c", 1)""")
    assert redis.run("GET", "both:tests:integer") == "-5"
    assert redis.run("GET", "both:tests:string") == "'-5"
    assert 990 < int(redis.run("TTL", "both:tests:ends")) <= 1000
    assert redis.run("GET", "both:a%3Ab:c") == "1"
    redis.run("SET", "both:tests:foreign", "as it is")
    assert pair[1].run('return s:get("foreign"), s:incr("integer")') == ("as it is", -4)


def test_a_key_of_another_type_is_an_error_of_redis(pair, redis):
    redis.run("RPUSH", "both:tests:list", "x")
    with pytest.raises(Failed) as raised:
        pair[0].run('s:get("list")')
    assert (raised.value.kind, raised.value.code) == ("redis", "WRONGTYPE")


def test_a_server_that_is_full_is_told_as_a_full_store(pair, redis):
    pair[0].run('s:set("k", 1)')
    redis.run("CONFIG", "SET", "maxmemory", "1")
    try:
        for code in ('s:set("k", "v")', 's:set("k", "v", { if_equal = 1 })', 's:incr("k2")',
                     's:update("k", function() return "v" end)', 's:lock("full", 1)'):
            with pytest.raises(Failed) as raised:
                pair[0].run(code)
            assert (raised.value.kind, raised.value.limit) == ("limit", "store-size"), code
        pair[0].run('s:delete("k")')
    finally:
        redis.run("CONFIG", "SET", "maxmemory", "0")


# What ends with its task, and with the server.


def test_what_an_aborted_task_had_is_given_back(pair):
    a, b = pair
    stream = a.begin("""
        kept.lock, kept.sub = s:lock("dropped", 1000), s:subscribe("dropped")
        kept.ready = "dropped"
        mt.sleep(1000)""")
    until(lambda: a.run('return kept.ready == "dropped"'))
    a.reset(stream)
    assert b.run('return s:lock("dropped", 1000):release()') is True
    assert a.run("return kept.lock:release(), kept.sub()") == (False, None)


def test_what_a_reload_aborts_gives_back_its_lock(pair, servers):
    a, b = pair
    a.run("""
        mt.spawn(function()
            kept.lock = s:lock("reloaded", 1000)
            kept.ready = "reloaded"
            mt.sleep(1000)
        end)""")
    until(lambda: a.run('return kept.ready == "reloaded"'))
    servers[0].signal(signal.SIGHUP)
    assert b.run('return s:lock("reloaded", 1000):release()') is True


def test_a_connection_that_is_lost_is_made_again(pair, redis):
    """Subscriptions too, with what is published from then on."""
    a, b = pair
    stream = a.begin("""
        local sub <close> = s:subscribe("again")
        kept.ready = "again"
        return sub()""")
    until(lambda: a.run('return kept.ready == "again"'))
    redis.restart()
    with pytest.raises(Failed) as raised:
        for _ in range(3):
            b.run('s:incr("n")')
        raise Failed("", kind="lost")
    assert raised.value.kind in ("lost", "reset", "unreachable")
    until(lambda: redis.run("PUBSUB", "NUMSUB", "both:tests:again").split()[-1] == "1")
    b.run('s:publish("again", "here")')
    assert a.end(stream) == "here"


def test_a_server_that_is_not_there_is_an_error_of_its_own(start):
    server = start({"index.lua": EVAL}, "--workers", "1", "--store", f"redis://127.0.0.1:{free_port()}")
    with Workers(server, 1) as (worker,):
        for code in ('s:get("k")', 's:update("k", print)', 's:lock("k", 1)', 's:subscribe("c")',
                     's:publish("c", "m")', 'mt.limit { name = "l", rate = 1 }:take("k")',
                     'for _ in s:keys() do end'):
            with pytest.raises(Failed) as raised:
                worker.run(code)
            assert raised.value.kind == "unreachable", code
