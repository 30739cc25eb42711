"""mt.limit: exact over all workers."""
import time

import pytest

from places import PLACES, place_of
from server import Server, write_scripts
from storing import EVAL, Failed, Workers


@pytest.fixture(scope="module", params=PLACES)
def pair(request, tmp_path_factory):
    folder = write_scripts(tmp_path_factory.mktemp("scripts"), {"index.lua": EVAL})
    with place_of(request.param, tmp_path_factory) as place:
        server = Server(folder, "--workers", "2", "--max-cpu", "20", "--store", place)
        with Workers(server, 2) as workers:
            yield workers
        server.stop()


def test_a_new_key_may_take_the_burst_at_once(pair):
    assert pair[0].run("""
        local limit = mt.limit { name = "burst", rate = 0.001, burst = 5 }
        local list = {}
        for i = 1, 7 do list[i] = limit:take("k") end
        local other = limit:take("other")
        return json.array(list), other""") == ([True] * 5 + [False] * 2, True)


def test_the_burst_is_the_rate_unless_given(pair):
    assert pair[0].run("""
        local limit = mt.limit { name = "rate", rate = 3, per = 1000 }
        local n = 0
        while limit:take("k") do n = n + 1 end
        return n""") == 3


def test_a_refusal_takes_nothing_and_tells_the_wait(pair):
    taken, seconds, again, later = pair[0].run("""
        local limit = mt.limit { name = "wait", rate = 1, per = 10, burst = 2 }
        limit:take("k"); limit:take("k")
        local taken, seconds = limit:take("k")
        for _ = 1, 100 do limit:take("k") end
        local _, again = limit:take("k")
        local _, later = limit:take("k", 2)
        return taken, seconds, again, later""")
    assert taken is False
    assert 0 < again <= seconds <= 10
    assert later - again == pytest.approx(10, abs=0.5)


def test_what_was_waited_for_is_granted(pair):
    assert pair[0].run("""
        local limit = mt.limit { name = "granted", rate = 20, per = 1, burst = 1 }
        limit:take("k")
        local _, seconds = limit:take("k")
        mt.sleep(seconds)
        return limit:take("k")""") is True


def test_a_cost_takes_so_much(pair):
    assert pair[0].run("""
        local limit = mt.limit { name = "cost", rate = 0.001, burst = 10 }
        return limit:take("k", 7), limit:take("k", 4) , limit:take("k", 3), (limit:take("k", 0.5))
    """) == (True, False, True, False)


@pytest.mark.parametrize("code, said", [
    ("mt.limit { name = 'x' }", "rate is a number above 0"),
    ("mt.limit { rate = 1 }", "name is a string"),
    ("mt.limit { name = '', rate = 1 }", "1 to 64 bytes"),
    ("mt.limit { name = ('n'):rep(65), rate = 1 }", "1 to 64 bytes"),
    ("mt.limit { name = 'x', rate = 0 }", "rate is a number above 0"),
    ("mt.limit { name = 'x', rate = 1, per = -1 }", "per is a number above 0"),
    ("mt.limit { name = 'x', rate = 1, burst = 0 }", "burst is a number above 0"),
    ("mt.limit { name = 'x', rate = 1, brust = 2 }", 'no option "brust"'),
    ("mt.limit { name = 'x', rate = 1, burst = 2 }:take('k', 3)", "above the burst"),
    ("mt.limit { name = 'x', rate = 1, burst = 2 }:take('k', 0)", "above 0"),
    ("mt.limit { name = 'x', rate = 1, burst = 2 }:take('')", "1 to 400 bytes"),
])
def test_misuse_is_told(pair, code, said):
    with pytest.raises(Failed) as raised:
        pair[0].run(code)
    assert said in str(raised.value) and raised.value.kind is None


def test_both_workers_take_from_one_bucket(pair):
    """Within 1 %: what was granted is the burst and what came back meanwhile."""
    rate, burst = 500, 100
    code = f"""
        local limit = mt.limit {{ name = "both", rate = {rate}, burst = {burst} }}
        local n, began = 0, mt.now()
        while mt.now() < began + 2 do
            for _ = 1, 20 do if limit:take("k") then n = n + 1 end end
            mt.sleep(0)
        end
        return n, began, mt.now()"""
    begun = [(worker, worker.begin(code)) for worker in pair * 2]
    results = [worker.end(stream) for worker, stream in begun]
    granted = sum(n for n, _, _ in results)
    seconds = max(end for _, _, end in results) - min(began for _, began, _ in results)
    expected = burst + rate * seconds
    assert granted <= expected * 1.01
    # Nobody took during a pause at the end or at the start, so no lower bound is by the clock alone.
    shortest = min(end for _, _, end in results) - max(began for _, began, _ in results)
    assert granted >= (burst + rate * shortest) * 0.99


def test_the_newest_numbers_of_a_name_count(pair):
    assert pair[0].run("""
        local old = mt.limit { name = "renamed", rate = 0.001, burst = 2 }
        old:take("k"); old:take("k")
        local refused = old:take("k")
        mt.limit { name = "renamed", rate = 0.001, burst = 4 }
        return refused, old:take("k"), old:take("k"), (old:take("k"))""") == (False, True, True, False)


def test_limits_take_a_quarter_of_the_store_at_the_most(start):
    server = start({"index.lua": EVAL}, "--workers", "1", "--store-size", "1", "--max-cpu", "20")
    with Workers(server, 1) as (one,):
        assert one.run("""
            local limit = mt.limit { name = "many", rate = 1, per = 1000, burst = 2 }
            local refused = 0
            limit:take("heavy", 2)
            for i = 1, 5000 do
                if not limit:take("light" .. i, 0.5) then refused = refused + 1 end
            end
            local text = ("x"):rep(1000)
            for i = 1, 400 do s:set("k" .. i, text) end
            return refused, (limit:take("heavy"))""") == (0, False)


def test_what_a_limit_keeps_ends_once_it_is_full_again(start):
    server = start({"index.lua": EVAL}, "--workers", "1", "--store-size", "1", "--max-cpu", "20")
    with Workers(server, 1) as (one,):
        one.run("""
            local limit = mt.limit { name = "short", rate = 100, per = 1, burst = 1 }
            for i = 1, 1000 do limit:take("k" .. i) end""")
        time.sleep(1.5)
        assert one.run("""
            local limit = mt.limit { name = "short", rate = 100, per = 1, burst = 1 }
            local n = 0
            for i = 1, 1000 do if limit:take("k" .. i) then n = n + 1 end end
            return n""") == 1000
