"""moontrail.redis with a cluster of three masters and a replica: which node is asked, what is told of keys
that lie in two slots, slots that move, and nodes that die."""
import subprocess

import pytest

from optional import need
from redis_servers import EVAL, Redis, failure, free_port, talker, worker  # pylint: disable=unused-import
from server import PATIENCE
from storing import Failed

need("redis-server")

SCRIPTS = {"index.lua": EVAL}


class Cluster:
    """Three masters, the last of which has a replica."""

    def __init__(self, folder):
        self.nodes = []
        for i in range(4):
            (folder / str(i)).mkdir()
            self.nodes.append(Redis(
                folder / str(i), "--cluster-enabled", "yes", "--cluster-port", free_port(),
                "--cluster-node-timeout", 500, "--cluster-require-full-coverage", "no",
                "--cluster-replica-validity-factor", 0, "--repl-ping-replica-period", 1,
                "--repl-diskless-sync-delay", 0))
        masters = self.nodes[:3]
        subprocess.run(["redis-cli", "--cluster", "create", *(f"127.0.0.1:{one.port}" for one in masters),
                        "--cluster-yes"], check=True, capture_output=True, timeout=PATIENCE)
        self.meet_replica()
        for one in self.nodes:
            one.wait_for(lambda one=one: "cluster_state:ok" in one.run("CLUSTER", "INFO"))

    def meet_replica(self):
        last, replica = self.nodes[2:]
        bus = last.options[last.options.index("--cluster-port") + 1]
        replica.run("CLUSTER", "MEET", "127.0.0.1", last.port, bus)
        name = last.run("CLUSTER", "MYID")
        replica.wait_for(lambda: name in replica.run("CLUSTER", "NODES"))
        replica.wait_for(lambda: replica.run("CLUSTER", "REPLICATE", name) == "OK")
        replica.wait_for(lambda: "master_link_status:up" in replica.run("INFO", "replication"))

    def urls(self):
        return "{ %s }" % ", ".join(f"'{one.url}'" for one in self.nodes[:2])

    def stop(self):
        for one in self.nodes:
            one.kill()

    def move(self, slot, source, target, is_half=False):
        """Moves a slot without its keys; by half it is being moved, and its keys are there and here."""
        names = {one: one.run("CLUSTER", "MYID") for one in (source, target)}
        target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
        source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
        if not is_half:
            for one in (target, source, self.nodes[2]):
                one.run("CLUSTER", "SETSLOT", slot, "NODE", names[target])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("cluster"))
    yield one
    one.stop()


@pytest.fixture
def client(cluster):
    return f"kept.r = kept.r or redis.connect({cluster.urls()}) local r = kept.r\n"


def test_commands_go_where_their_keys_are(worker, client, cluster):
    worker.run(client + "for i = 1, 60 do r:set('k' .. i, i) end")
    assert worker.run(client + "local sum = 0 for i = 1, 60 do sum = sum + r:get('k' .. i) end return sum") == 1830
    sizes = [int(one.run("DBSIZE")) for one in cluster.nodes[:3]]
    assert sum(sizes) == 60 and all(sizes)


def test_keys_are_found_wherever_they_stand(worker, client):
    assert worker.run(client + """
        r:mset("{t}1", "a", "{t}2", "b")
        r:zadd("{t}z", 1, "x")
        r:rpush("{t}l", "y")
        r:xadd("{t}s", "1-1", "f", "v")
        return r:mget("{t}1", "{t}2")[2], r:eval("return KEYS[2]", 2, "{t}1", "{t}2"), r:zunionstore("{t}u", 2, "{t}z", "{t}v"),
            r:object("encoding", "{t}1"), r:blpop("{t}l", 0)[2], r:xread("COUNT", 1, "STREAMS", "{t}s", 0)[1][1],
            r:bitop("AND", "{t}d", "{t}1", "{t}2"), r:rename("{t}1", "{t}9"), r:sort("{t}z", "BY", "nosort", "STORE", "{t}w"),
            redis.script("return ARGV[1]"):run(r, { "{t}1" }, { "argument" }), r:lmpop(1, "{t}l", "LEFT") == nil
        """) == ("b", "{t}2", 1, "embstr", "y", "{t}s", 1, "OK", 1, "argument", True)


def test_commands_without_keys_go_to_some_node(worker, client):
    assert worker.run(client + "return r:ping(), r:echo('x'), type(r:time()), type(r:info())") == (
        "PONG", "x", "table", "string")


@pytest.mark.parametrize("code", [
    "r:mget('a', 'b')", "r:mset('a', 1, 'b', 2)", "r:rename('a', 'b')", "r:eval('return 1', 2, 'a', 'b')",
    "r:blpop('a', 'b', 1)", "r:pipeline(function(p) p:del('a', 'b') end)", "r:zinterstore('a', 1, 'b')",
    "r:xread('STREAMS', 'a', 'b', 0, 0)", "redis.script('return 1'):run(r, { 'a', 'b' })",
    "r:sort('a', 'STORE', 'b')", "r:transaction(function(t) t:get('a') t:get('b') end)",
    "r:transaction(function(t) t:get('b') end, { watch = { 'a' } })",
    "r:transaction(function(t) end, { watch = { 'a', 'b' } })"])
def test_keys_of_two_slots_are_an_error_that_says_so(worker, client, code):
    wrong = failure(worker, client + code)
    assert (wrong.kind, wrong.code) == ("redis", "CROSSSLOT")
    assert "two slots" in str(wrong) and "test:2: " in str(wrong)


def test_pipelines_are_divided_and_their_replies_in_order(worker, client):
    assert worker.run(client + "local l = r:pipeline(function(p) for i = 1, 200 do p:set('p' .. i, i) p:get('p' .. i) end\n"
                      "p:ping() p:lpush('p1', 'x') p:get('none') end)\n"
                      "for i = 1, 200 do assert(l[2 * i] == tostring(i)) end\n"
                      "return #l, l[401], l[402].code, l[403] == redis.null") == (403, "PONG", "WRONGTYPE", True)


def test_transactions_within_a_slot(worker, client):
    assert worker.run(client + "local l = r:transaction(function(t) t:set('{x}1', 1) t:incr('{x}1') end) return l"
                      ) == ["OK", 2]
    assert worker.run(client + "return r:transaction(function(t) r:incr('{x}1') t:get('{x}1') end, { watch = { '{x}1' } })"
                      ) is None
    assert worker.run(client + "return r:transaction(function(t) t:get('{x}1') end, { watch = { '{x}1' } })") == ["3"]


def test_subscriptions_hear_what_is_published_at_any_node(worker, client, cluster):
    stream = worker.begin(client + "local sub <close> = r:subscribe('news') kept.ready = true\n"
                          "local n = 0 for m in sub do n = n + m.message if n == 7 then return n end end")
    worker.run("while not kept.ready do mt.sleep(0.001) end")
    for i, one in enumerate(cluster.nodes[:3]):
        one.run("PUBLISH", "news", 1 << i)
    assert worker.end(stream) == 7


def owner(cluster, key):
    """The node that has a key's slot, and another, and the slot."""
    slot = int(cluster.nodes[0].run("CLUSTER", "KEYSLOT", key))
    for line in cluster.nodes[0].run("CLUSTER", "NODES").splitlines():
        words = line.split()
        for part in words[8:]:
            first, _, last = part.partition("-")
            if first.isdigit() and int(first) <= slot <= int(last or first):
                port = int(words[1].split("@")[0].rsplit(":", 1)[1])
                found = next(one for one in cluster.nodes if one.port == port)
                return found, next(one for one in cluster.nodes[:2] if one is not found), slot
    raise AssertionError("no owner")


def test_a_slot_that_moves_is_followed(worker, client, cluster):
    worker.run(client + "r:get('moved')")
    source, target, slot = owner(cluster, "moved")
    cluster.move(slot, source, target)
    assert worker.run(client + "return r:set('moved', 1), r:get('moved')") == ("OK", "1")
    assert target.run("GET", "moved") == "1"
    cluster.move(slot, target, source)
    target.run("DEL", "moved")
    assert worker.run(client + "local l = r:pipeline(function(p) p:set('moved', 2) p:get('moved') p:get('other') end)\n"
                      "return l[1], l[2], r:transaction(function(t) t:incr('moved') end)[1]") == ("OK", "2", 3)


def test_a_slot_that_is_being_moved_is_asked_for_there(worker, client, cluster):
    worker.run(client + "r:get('asked')")
    source, target, slot = owner(cluster, "asked")
    cluster.move(slot, source, target, is_half=True)
    try:
        assert worker.run(client + "return r:set('asked', 'there'), r:get('asked')") == ("OK", "there")
        assert "ASK" in source.run("GET", "asked")
        assert worker.run(client + "return r:pipeline(function(p) p:get('asked') p:ping() end)") == ["there", "PONG"]
    finally:
        for one in (target, source, cluster.nodes[2]):
            one.run("CLUSTER", "SETSLOT", slot, "NODE", target.run("CLUSTER", "MYID"))
    assert worker.run(client + "return r:get('asked')") == "there"


def test_redirections_that_never_end_do(worker, talker):
    urls = []

    def serve(connection, _):
        while True:
            data = connection.recv(65536)
            if not data:
                return
            if b"SLOTS" in data:
                connection.sendall(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:%d\r\n" % int(urls[0].split(":")[-1]))
            else:
                connection.sendall(b"-MOVED 1 :%d\r\n" % int(urls[0].split(":")[-1]))
    urls.append(talker(serve))
    wrong = failure(worker, "redis.connect({ %s }):get('k')", urls[0])
    assert (wrong.kind, wrong.code) == ("redis", "MOVED")


def test_one_that_is_no_cluster_is_told(worker, talker, cluster):
    wrong = failure(worker, f"redis.connect({{ 'redis://127.0.0.1:{free_port()}' }}):get('k')")
    assert wrong.kind == "unreachable"
    assert worker.run(f"return redis.connect({{ 'redis://127.0.0.1:{free_port()}', '{cluster.nodes[1].url}' }}):get('k')"
                      ) is None


def test_a_node_that_dies_is_replaced_by_its_replica(worker, client, cluster):
    key = next(f"d{i}" for i in range(1000) if owner(cluster, f"d{i}")[0] is cluster.nodes[2])
    worker.run(client + f"r:set('{key}', 'v')")
    cluster.nodes[2].wait_for(lambda: key in cluster.nodes[3].run("KEYS", "d*").split())
    stream = worker.begin(client + f"return r:blpop('{{{key}}}list', 0)")
    cluster.nodes[2].wait_for(lambda: cluster.nodes[2].clients("blpop") == 1)
    cluster.nodes[2].kill()
    with pytest.raises(Failed) as caught:
        worker.end(stream)
    assert caught.value.kind == "lost"
    assert worker.run(client + f"return r:get('{key}')") == "v"
    assert worker.run(client + f"return r:pipeline(function(p) p:get('{key}') p:ping() end)") == ["v", "PONG"]
    assert worker.run(client + f"return r:transaction(function(t) t:get('{key}') end)") == ["v"]


def test_a_node_that_stays_away_is_unreachable_and_the_others_go_on(worker, cluster):
    cluster.nodes[3].kill()
    code = f"local r = redis.connect({cluster.urls()}, {{ connect_timeout = 0.3 }})\n"
    here = next(f"h{i}" for i in range(1000) if owner(cluster, f"h{i}")[0] is cluster.nodes[0])
    gone = next(f"g{i}" for i in range(1000) if owner(cluster, f"g{i}")[0] is cluster.nodes[3])
    assert worker.run(code + f"return r:set('{here}', 1)") == "OK"
    wrong = failure(worker, code + f"r:set('{gone}', 1)")
    assert wrong.kind == "unreachable" or wrong.code == "CLUSTERDOWN"
    assert worker.run(code + f"return r:get('{here}')") == "1"
