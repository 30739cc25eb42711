"""The store: what each operation does. One suite for every place that it can lie in."""
import time

import pytest

from places import PLACES, place_of
from server import write_scripts, Server
from storing import EVAL, Failed, Workers

KEY_MAX, NAME_MAX, VALUE_MAX = 400, 64, 1 << 20


@pytest.fixture(scope="module", params=PLACES)
def place(request, tmp_path_factory):
    """What --store says."""
    with place_of(request.param, tmp_path_factory) as place:
        yield place


@pytest.fixture(scope="module")
def pair(place, tmp_path_factory):
    """Two workers of one server."""
    folder = write_scripts(tmp_path_factory.mktemp("scripts"), {"index.lua": EVAL})
    server = Server(folder, "--workers", "2", "--max-cpu", "20", "--store", place)
    with Workers(server, 2) as workers:
        yield workers
    server.stop()


@pytest.fixture
def one(pair):
    return pair[0]


def test_what_one_worker_sets_another_gets(pair):
    a, b = pair
    assert a.run('return s:set("shared", "text")') is True
    assert b.run('return s:get("shared")') == "text"
    assert b.run('return s:delete("shared")') is True
    assert a.run('return s:get("shared")') is None
    assert a.run('return s:delete("shared")') is False


def test_maps_of_other_names_are_other_maps(one):
    assert one.run("""
        local a, b = store.open("a"), store.open("ab")
        a:set("bk", "in a"); b:set("k", "in ab")
        return a:get("bk"), b:get("k"), a:get("k"), b:get("bk"), tostring(a)""") == (
            "in a", "in ab", None, None, "store: a")


@pytest.mark.parametrize("value", ["0", '"0"', '""', "-1", "math.maxinteger", "math.mininteger",
                                   r'"\0\255\n"', '"1e3"', '("x"):rep(5000)'])
def test_values_stay_what_they_are(one, value):
    assert one.run(f"""
        local value = {value}
        s:set("kept", value)
        local found = s:get("kept")
        return found == value and math.type(found) == math.type(value) and type(found) == type(value)
    """) is True


def test_each_byte_may_be_in_keys_and_names(one):
    assert one.run(r"""
        local all = {}
        for i = 0, 255 do all[#all + 1] = string.char(i) end
        local bytes = table.concat(all)
        local t = store.open("\0\1\2\255")
        for i = 0, 255 do t:set(string.char(i), i) end
        t:set(bytes, bytes)
        local sum = 0
        for i = 0, 255 do sum = sum + t:get(string.char(i)) end
        return sum, t:get(bytes) == bytes""") == (255 * 128, True)


def test_keys_names_and_values_at_their_bounds_are_taken(one):
    assert one.run("""
        local t = store.open(("n"):rep(64))
        local key, value = ("k"):rep(400), ("v"):rep(1 << 20)
        t:set(key, value)
        local same = t:get(key) == value
        return same, t:delete(key), t:set("k", ""), t:get("k")""") == (True, True, True, "")


@pytest.mark.parametrize("code, said", [
    ('store.open("")', "1 to 64 bytes"),
    ('store.open(("n"):rep(65))', "1 to 64 bytes"),
    ('s:get("")', "1 to 400 bytes"),
    ('s:get(("k"):rep(401))', "1 to 400 bytes"),
    ('s:set("k", ("v"):rep((1 << 20) + 1))', "up to 1048576 bytes"),
    ('s:set("k", nil)', "a string or an integer"),
    ('s:set("k", 1.5)', "not a float"),
    ('s:set("k", 1.0)', "not a float"),
    ('s:set("k", true)', "not a boolean"),
    ('s:set("k", {})', "not a table"),
    ('s:set("k", "v", { ttl = 0 })', "above 0"),
    ('s:set("k", "v", { ttl = -1 })', "above 0"),
    ('s:set("k", "v", { ttl = "1" })', "above 0"),
    ('s:set("k", "v", { ttl = 0/0 })', "above 0"),
    ('s:set("k", "v", { tll = 1 })', 'no option "tll"'),
    ('s:set("k", "v", { if_equal = 1.5 })', "a string or an integer"),
    ('s:set("k", "v", { if_equal = "x", if_absent = true })', "exclude each other"),
    ('s:incr("k", 1.5)', "integer"),
    ('s:expire("k", 0)', "above 0"),
    ('s:lock("k", 0)', "above 0"),
    ('s:lock("k")', "number"),
    ('s:update("k")', "function"),
    ('s:update("k", function() return 1.5 end)', "not a float"),
    ('s:update("k", function() return {} end)', "not a table"),
    ('s:publish("", "m")', "1 to 400 bytes"),
    ('s:publish("c", ("m"):rep(65537))', "up to 65536 bytes"),
    ('s:publish("c", nil)', "string"),
    ('s.get("k")', "store expected"),
    ('s:keys("", 0)', "above 0"),
])
def test_misuse_is_told_with_its_place(one, code, said):
    with pytest.raises(Failed) as raised:
        one.run(code)
    assert said in str(raised.value) and raised.value.kind is None
    assert str(raised.value).startswith("test:1:")


def test_conditions_compare_kind_and_value(one):
    assert one.run("""
        s:delete("c")
        return s:set("c", 1, { if_absent = true }), s:set("c", 2, { if_absent = true }),
            s:set("c", 3, { if_equal = "1" }), s:set("c", 3, { if_equal = 2 }),
            s:set("c", "3", { if_equal = 1 }), s:set("c", 4, { if_equal = 3 }),
            s:set("c", 4, { if_equal = "3" }), s:get("c"), s:set("none", 1, { if_equal = 1 }),
            s:set("none", 1, { if_equal = "" })""") == (
                True, False, False, False, True, False, True, 4, False, False)


def test_incr_counts_from_zero_by_any_integer(one):
    assert one.run("""
        s:delete("n")
        return s:incr("n"), s:incr("n"), s:incr("n", 10), s:incr("n", -20), s:incr("n", 0), s:get("n")
    """) == (1, 2, 12, -8, -8, -8)


def test_incr_of_a_string_and_past_64_bits_raises_and_changes_nothing(one):
    assert one.run("""
        s:set("text", "5"); s:set("most", math.maxinteger); s:set("least", math.mininteger)
        local a, e1 = pcall(s.incr, s, "text")
        local b, e2 = pcall(s.incr, s, "most")
        local c, e3 = pcall(s.incr, s, "least", -1)
        return a, b, c, s:get("text"), s:get("most") == math.maxinteger,
            s:get("least") == math.mininteger, s:incr("most", -1) == math.maxinteger - 1
    """) == (False, False, False, "5", True, True, True)


def test_ttl_ends_a_key_and_its_absence_lets_it_last(one):
    assert one.run("""
        s:set("short", 1, { ttl = 0.05 }); s:set("long", 1, { ttl = 1000 })
        s:set("was short", 1, { ttl = 0.05 }); s:set("was short", 2)
        s:incr("counted", 1, { ttl = 0.05 })
        s:set("lasting", 1); s:incr("lasting", 1, { ttl = 0.05 })
        mt.sleep(0.1)
        return s:get("short"), s:get("long"), s:get("was short"), s:get("counted"), s:get("lasting")
    """) == (None, 1, 2, None, 2)


def test_what_has_ended_counts_as_absent_for_every_operation(one):
    assert one.run("""
        for _, k in ipairs { "d", "a", "i", "x", "u", "e" } do s:set(k, "old", { ttl = 0.02 }) end
        mt.sleep(0.05)
        local seen = "none"
        s:update("u", function(old) seen = tostring(old); return "new" end)
        return s:delete("d"), s:set("a", 1, { if_absent = true }), s:incr("i"), s:expire("x", 5), seen,
            s:set("e", 1, { if_equal = "old" })""") == (False, True, 1, False, "nil", False)


def test_incr_keeps_the_time_that_the_key_has(one):
    assert one.run("""
        local ttl = 0.1
        repeat
            s:delete("k"); s:incr("k", 1, { ttl = ttl }); s:incr("k", 1, { ttl = 1000 })
            local n = s:incr("k")
            ttl = 2 * ttl
        until n == 3
        mt.sleep(ttl)
        return s:get("k")""") is None, "unless a disk is slow it is there for each of the three"


def test_expire_sets_and_takes_away_the_time(one):
    assert one.run("""
        s:set("a", ("x"):rep(3000), { ttl = 2 }); s:set("b", 7)
        local had = { s:expire("a"), s:expire("b", 0.05), s:expire("none", 1), s:expire("none") }
        mt.sleep(2.1)
        return had[1], had[2], had[3], had[4], #s:get("a"), s:get("b")
    """) == (True, True, False, False, 3000, None)


def test_keys_gives_each_key_once(one):
    assert one.run("""
        local t = store.open("listed")
        for i = 1, 1000 do t:set("k" .. i, i) end
        t:set("other", 1); t:set("gone", 1, { ttl = 0.01 })
        store.open("listed2"):set("k", 1)
        mt.sleep(0.03)
        local seen, count = {}, 0
        for k in t:keys() do assert(not seen[k]); seen[k] = true; count = count + 1 end
        local some = 0
        for k in t:keys("k99") do assert(k:sub(1, 3) == "k99"); some = some + 1 end
        local few = 0
        for _ in t:keys("k", 7) do few = few + 1 end
        local none = 0
        for _ in t:keys("nothing") do none = none + 1 end
        return count, some, few, none""") == (1001, 11, 7, 0)


def test_keys_goes_on_while_its_keys_are_removed(one):
    assert one.run("""
        local t = store.open("removed")
        for i = 1, 500 do t:set(("%03d"):format(i), i) end
        local count = 0
        for k in t:keys() do t:delete(k); count = count + 1; mt.sleep(0) end
        local left = 0
        for _ in t:keys() do left = left + 1 end
        return count, left""") == (500, 0)


def test_update_stores_what_the_function_makes_of_the_old_value(one):
    assert one.run("""
        s:delete("u")
        local function add(old) return (old or 0) + 1 end
        local a, b = s:update("u", add), s:update("u", add)
        local c = s:update("u", function(old) return "text " .. old end)
        local d = s:update("u", function() return nil end)
        local e = s:update("u", function() return nil end)
        return a, b, c, d, s:get("u"), e""") == (1, 2, "text 2", None, None, None)


def test_update_keeps_the_time_unless_told_another(one):
    assert one.run("""
        local function same(old) return old end
        s:set("a", 1, { ttl = 0.1 }); s:update("a", same)
        s:set("b", 1); s:update("b", same, { ttl = 0.1 })
        s:set("c", 1, { ttl = 2 }); s:update("c", same, { ttl = 1000 })
        mt.sleep(2.1)
        return s:get("a"), s:get("b"), s:get("c")""") == (None, None, 1)


def test_the_function_of_update_cannot_wait_and_its_error_is_the_caller_s(one):
    assert one.run("""
        s:set("u", 1)
        local waited, why = pcall(s.update, s, "u", function() return s:get("u") end)
        local raised, what = pcall(s.update, s, "u", function() error("mine", 0) end)
        return waited, why:find("cannot wait") ~= nil, raised, what, s:get("u")
    """) == (False, True, False, "mine", 1)


def test_updates_of_two_workers_lose_nothing(pair):
    code = """
        for _ = 1, 300 do s:update("both", function(old) return (old or 0) + 1 end); mt.sleep(0) end
        return true"""
    pair[0].run('s:delete("both")')
    begun = [(worker, worker.begin(code)) for worker in pair for _ in range(2)]
    assert all(worker.end(stream) for worker, stream in begun)
    assert pair[0].run('return s:get("both")') == 1200


def test_increments_of_two_workers_lose_nothing(pair):
    code = 'for _ = 1, 500 do s:incr("count"); s:incr("count" .. pid) end return true'
    pair[0].run('s:delete("count")')
    begun = [(worker, worker.begin(code)) for worker in pair for _ in range(4)]
    assert all(worker.end(stream) for worker, stream in begun)
    assert pair[1].run('return s:get("count")') == 4000


def test_a_counter_with_a_condition_has_one_winner(pair):
    pair[0].run('s:delete("winner")')
    code = 'return s:set("winner", pid, { if_absent = true })'
    begun = [(worker, worker.begin(code)) for worker in pair * 20]
    assert sum(worker.end(stream) for worker, stream in begun) == 1


# Where operations may be called.


def test_operations_count_as_waits(one):
    assert one.run("""
        local function told(f, ...)
            local ok, e = pcall(f, ...)
            return not ok and tostring(e):find("cannot wait") ~= nil
        end
        local operations = {
            function() s:get("k") end, function() s:set("k", 1) end, function() s:delete("k") end,
            function() s:incr("k") end, function() s:expire("k") end, function() s:keys() end,
            function() s:update("k", function() end) end, function() s:lock("k", 1) end,
            function() s:try_lock("k", 1) end, function() s:publish("c", "m") end,
            function() s:subscribe("c") end,
        }
        for i, operation in ipairs(operations) do
            local refused
            ("x"):gsub("x", function() refused = told(operation) end)
            if not refused then return i end
        end
        return "all"
    """) == "all"


def test_a_store_is_opened_while_scripts_load_and_used_later(start):
    server = start({"index.lua": """
        local s = require("moontrail.store").open("early")
        local ok, why = pcall(s.set, s, "k", 1)
        return function(ctx) ctx:text(tostring(ok) .. why) end"""})
    from client import Client  # pylint: disable=import-outside-toplevel
    with Client(server.http) as client:
        assert client.fetch("/").text.startswith("falsecannot wait while a script loads")


def test_an_aborted_request_does_nothing_more(pair):
    a, b = pair
    a.run('s:delete("after abort")')
    a.run("""
        kept.outcome = nil
        ctx.on_nothing = nil
        mt.spawn(function() end)
        return true""")
    stream = a.begin("""
        pcall(mt.sleep, 100)
        local ok, e = pcall(s.set, s, "after abort", 1)
        kept.outcome = tostring(ok) .. " " .. tostring(e.kind)""")
    a.ping()
    a.reset(stream)
    a.ping()
    until = time.monotonic() + 10
    while a.run("return kept.outcome") is None:
        assert time.monotonic() < until
    assert a.run("return kept.outcome") == "false abort"
    assert b.run('return s:get("after abort")') is None


# Locks.


def test_a_lock_is_one_worker_s_until_it_is_released(pair):
    a, b = pair
    a.run('kept.stop = false')
    holding = a.begin("""
        local lock <close> = s:lock("l", 100)
        kept.held = true
        while not kept.stop do mt.sleep(0.01) end
        return lock:release(), lock:release()""")
    while a.run("return kept.held") is not True:
        pass
    assert b.run('return s:try_lock("l", 1)') is None
    assert b.run('return s:try_lock("other", 1) ~= nil') is True
    waiting = b.begin('local lock <close> = s:lock("l", 100); return true')
    b.ping()
    assert not b.is_over(waiting)
    a.run("kept.stop = true")
    assert a.end(holding) == (True, False)
    assert b.end(waiting) is True


def test_a_lock_ends_with_its_time(one):
    assert one.run("""
        local first = s:lock("timed", 1)
        local early = s:try_lock("timed", 1)
        local second = s:lock("timed", 10)
        return early, first:release(), second:release()""") == (None, False, True)


def test_a_lock_ends_with_its_task(one):
    assert one.run("""
        mt.spawn(function() kept.lock = s:lock("task's", 100) end):join()
        return s:try_lock("task's", 1) ~= nil, kept.lock:release()""") == (True, False)


def test_a_lock_is_apart_from_the_key_of_its_name(one):
    assert one.run("""
        s:set("both", 1)
        local lock <close> = s:lock("both", 10)
        return s:get("both"), s:delete("both"), s:try_lock("both", 1)""") == (1, True, None)


def test_locks_of_many_tasks_exclude_each_other(pair):
    code = """
        for _ = 1, 20 do
            local lock <close> = s:lock("excluding", 100)
            local n = s:get("inside") or 0
            mt.sleep(0)
            s:set("inside", n + 1)
        end
        return true"""
    pair[0].run('s:delete("inside")')
    begun = [(worker, worker.begin(code)) for worker in pair * 3]
    assert all(worker.end(stream) for worker, stream in begun)
    assert pair[0].run('return s:get("inside")') == 120
