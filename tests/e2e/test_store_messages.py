"""Messages of the store: publish and subscribe, over workers."""
import time

import pytest

from places import place_of
from server import Server, write_scripts
from storing import EVAL, Workers

HELD_MESSAGES, HELD_BYTES = 1024, 4 << 20


@pytest.fixture(scope="module", params=["memory:", "redis:"])
def pair(request, tmp_path_factory):
    folder = write_scripts(tmp_path_factory.mktemp("scripts"), {"index.lua": EVAL})
    with place_of(request.param, tmp_path_factory) as place:
        server = Server(folder, "--workers", "2", "--max-cpu", "20", "--store", place)
        with Workers(server, 2) as workers:
            yield workers
        server.stop()


def until(worker, code):
    """Waits until a worker says so."""
    end = time.monotonic() + 20
    while worker.run(code) is not True:
        assert time.monotonic() < end, code


def begin_reader(worker, channel, count, name="reader"):
    """Has a task read so many messages, which stream gives as a list once it is over."""
    stream = worker.begin("""
        local name = %s
        local sub <close> = s:subscribe(%s)
        kept[name] = true
        local got = {}
        for message in sub do
            got[#got + 1] = message
            if #got == %s then break end
        end
        kept[name] = nil
        return json.array(got), sub.dropped""", name, channel, count)
    until(worker, f"return kept.{name} == true")
    return stream


def test_a_message_reaches_every_worker_the_publisher_s_too(pair):
    begun = [(worker, begin_reader(worker, "all", 2)) for worker in pair]
    pair[0].run('s:publish("all", "from a")')
    pair[1].run('s:publish("all", "")')
    assert [worker.end(stream) for worker, stream in begun] == [(["from a", ""], 0)] * 2


def test_messages_of_other_channels_and_maps_stay_there(pair):
    stream = begin_reader(pair[0], "mine", 1)
    pair[1].run("""
        s:publish("mine2", "no"); s:publish("min", "no"); store.open("other"):publish("mine", "no")
        s:publish("mine", "yes")""")
    assert pair[0].end(stream) == (["yes"], 0)


def test_a_subscription_is_in_force_when_it_returns(pair):
    assert pair[0].run("""
        s:publish("now", "before")
        local sub = s:subscribe("now")
        s:publish("now", "after")
        return sub(), sub.dropped""") == ("after", 0)


def test_each_publisher_s_messages_keep_their_order(pair):
    count = 400
    streams = [begin_reader(worker, "ordered", 4 * count, f"reader{i}")
               for i, worker in enumerate(pair * 2)]
    code = f"""
        for i = 1, {count} do s:publish("ordered", %s .. ":" .. i); if i %% 10 == 0 then mt.sleep(0) end end"""
    publishing = [(worker, worker.begin(code, f"p{i}")) for i, worker in enumerate(pair * 2)]
    for worker, stream in publishing:
        worker.end(stream)
    for worker, stream in zip(pair * 2, streams):
        got, dropped = worker.end(stream)
        assert dropped == 0
        for i in range(4):
            numbers = [int(m.split(":")[1]) for m in got if m.startswith(f"p{i}:")]
            assert numbers == list(range(1, count + 1))


def test_a_message_at_its_bound_is_whole(pair):
    stream = pair[1].begin("""
        local sub <close> = s:subscribe(("c"):rep(400))
        kept.ready = true
        local message = sub()
        return #message, message == ("\\0\\255"):rep(32768)""")
    until(pair[1], "return kept.ready == true")
    pair[0].run(r's:publish(("c"):rep(400), ("\0\255"):rep(32768))')
    assert pair[1].end(stream) == (65536, True)


def test_a_slow_subscriber_loses_the_oldest_and_is_told_how_many(pair):
    extra = 500
    assert pair[0].run(f"""
        local sub <close> = s:subscribe("slow")
        for i = 1, {HELD_MESSAGES + extra} do s:publish("slow", tostring(i)) end
        while sub.dropped < {extra} do mt.sleep(0.01) end
        local dropped, first, count = sub.dropped, tonumber(sub()), 1
        while count < {HELD_MESSAGES} do
            count = count + 1
            assert(tonumber(sub()) == first + count - 1)
        end
        return dropped, first, sub.dropped""") == (extra, extra + 1, extra)


def test_a_slow_subscriber_in_another_worker_is_told_too(pair):
    a, b = pair
    extra = 100
    stream = a.begin("""
        local sub <close> = s:subscribe("slow there")
        kept.slow, kept.sub = "reads", sub
        while kept.slow ~= "go on" do mt.sleep(0.01) end
        return tonumber(sub()), sub.dropped""")
    until(a, 'return kept.slow == "reads"')
    b.run(f'for i = 1, {HELD_MESSAGES + extra} do s:publish("slow there", tostring(i)) end')
    until(a, f"return kept.sub.dropped == {extra}")
    a.run('kept.slow = "go on"')
    assert a.end(stream) == (extra + 1, extra)


def test_a_subscription_holds_so_many_bytes(pair):
    size = 65536
    held = HELD_BYTES // size
    assert pair[0].run(f"""
        local sub <close> = s:subscribe("large")
        local body = ("x"):rep({size} - 8)
        for i = 1, {held + 20} do s:publish("large", ("%08d"):format(i) .. body) end
        while sub.dropped < 20 do mt.sleep(0.01) end
        return sub.dropped, tonumber(sub():sub(1, 8))""") == (20, 21)


@pytest.mark.parametrize("pair", ["memory:"], indirect=True)
def test_a_worker_that_stands_still_is_told_what_it_lost(pair, tmp_path):
    """The ring is written over while a worker does not read it; what is lost of a channel on which
    nothing comes any more counts as well."""
    a, b = pair
    sign = tmp_path / "sign"
    stream = a.begin("""
        local sub <close> = s:subscribe("overrun")
        local quiet <close> = s:subscribe("quiet")
        kept.overrun = true
        mt.sleep(0.05)
        local file
        repeat file = io.open(%s) until file
        file:close()
        local got, last = 0, nil
        while last ~= "last" do last = sub(); got = got + 1 end
        return got, sub.dropped, quiet.dropped""", str(sign))
    until(a, "return kept.overrun")
    time.sleep(0.1)
    count = 3000
    b.run(f"""
        local body = ("x"):rep(8192)
        for i = 1, 10 do s:publish("quiet", "lost") end
        for i = 1, {count} do s:publish("overrun", body) end
        s:publish("overrun", "last")""")
    sign.touch()
    got, dropped, quiet = a.end(stream)
    assert quiet == 10
    assert got + dropped == count + 1 and dropped >= count - HELD_MESSAGES


def test_a_closed_subscription_ends_its_loop(pair):
    assert pair[0].run("""
        local sub = s:subscribe("closing")
        s:publish("closing", "lost")
        mt.spawn(function() mt.sleep(0.05); sub:close() end)
        local got = {}
        for message in sub do got[#got + 1] = message end
        sub:close()
        return #got, sub(), sub.dropped""") == (1, None, 0)


def test_one_task_at_a_time_waits_for_messages(pair):
    assert "another task waits" in pair[0].run("""
        local sub <close> = s:subscribe("shared")
        local first = mt.spawn(function() return sub() end)
        mt.sleep(0)
        local ok, e = pcall(sub)
        s:publish("shared", "done")
        assert(first:join() == "done")
        return tostring(e)""")


def test_a_subscription_ends_with_its_task(pair):
    assert pair[0].run("""
        mt.spawn(function() kept.sub = s:subscribe("task's") end):join()
        s:publish("task's", "nobody")
        return kept.sub()""") is None


def test_an_abort_ends_a_wait_for_messages(pair):
    a, _ = pair
    a.run("kept.ended = nil")
    stream = a.begin("""
        local sub = s:subscribe("aborted")
        kept.waiting = true
        local ok, e = pcall(sub)
        kept.ended = e.kind""")
    until(a, "return kept.waiting == true")
    a.reset(stream)
    until(a, 'return kept.ended == "abort"')


@pytest.mark.parametrize("subscribers", [1000])
def test_a_message_reaches_a_thousand_subscribers(pair, subscribers):
    a, b = pair
    stream = a.begin(f"""
        kept.count = 0
        local tasks = {{}}
        for i = 1, {subscribers} do
            tasks[i] = mt.spawn(function()
                local sub <close> = s:subscribe("many")
                kept.count = kept.count + 1
                return sub() .. sub()
            end)
        end
        for i = 1, {subscribers} do assert(tasks[i]:join() == "onetwo") end
        return true""")
    until(a, f"return kept.count == {subscribers}")
    b.run('s:publish("many", "one"); s:publish("many", "two")')
    assert a.end(stream) is True
