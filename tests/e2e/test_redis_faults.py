"""moontrail.redis against a Redis that is killed, restarted, hung or full, against what is none, and
under requests whose clients leave in the middle."""
import signal
import socket
import time

import pytest

from optional import need
from plain_server import drain
from redis_servers import (EVAL, failure, free_port, redis, talker,  # pylint: disable=unused-import
                           worker)
from storing import Failed, Worker

need("redis-server")

SCRIPTS = {"index.lua": EVAL}


@pytest.fixture
def client(redis):
    return f"local r = redis.connect('{redis.url}') "


def read_commands(connection, count=1):
    """Reads so many commands."""
    data = b""
    while data.count(b"*") < count or not data.endswith(b"\r\n"):
        piece = connection.recv(65536)
        if not piece:
            raise EOFError
        data += piece
    return data


def says(*pieces, then=drain):
    """Answers a command with these pieces, and goes on so."""
    def serve(connection, _):
        read_commands(connection)
        for piece in pieces:
            connection.sendall(piece)
        then(connection)
    return serve


def leave(_):
    pass


# The server goes.


def test_killed_in_the_middle_of_a_command_is_lost_and_not_sent_again(worker, redis, client):
    stream = worker.begin(client + "return r:blpop('never', 0)")
    redis.wait_for(lambda: redis.clients("blpop") == 1)
    redis.restart()
    with pytest.raises(Failed) as caught:
        worker.end(stream)
    assert caught.value.kind == "lost" and f"127.0.0.1:{redis.port}" in str(caught.value)
    assert redis.clients("blpop") == 0


def test_a_restart_between_commands_is_not_noticed(worker, redis, client):
    for _ in range(3):
        assert worker.run(client + "return r:ping()") == "PONG"
        redis.restart()
        worker.run("mt.sleep(0)")
    assert worker.run(client + "return r:incr('n')") == 1


def test_while_it_is_down_it_is_unreachable(worker, redis, client):
    redis.kill()
    wrong = failure(worker, client + "r:get('k')")
    assert wrong.kind == "unreachable" and "refused" in str(wrong)
    redis.start()
    assert worker.run(client + "return r:ping()") == "PONG"


def test_hung_times_out_and_its_connection_is_not_used_again(worker, redis, client):
    worker.run(client + "r:set('k', 'v')")
    with redis.hung():
        wrong = failure(worker, f"redis.connect('{redis.url}', {{ timeout = 0.1 }}):get('k')")
        assert wrong.kind == "timeout"
        wrong = failure(worker, f"redis.connect('{redis.url}', {{ timeout = 0.1 }})"
                                ":pipeline(function(p) p:set('k', 'w') p:get('k') end)")
        assert wrong.kind == "timeout"
    assert worker.run(client + "return r:get('no'), r:get('k') ~= nil") == (None, True)


def test_no_more_connections(worker, redis, client):
    redis.restart()
    worker.run(client + "kept.a = r:ping()")
    redis.run("CONFIG", "SET", "maxclients", 2)
    wrong = failure(worker, client + "local t = mt.spawn(r.blpop, r, 'l', 1) mt.sleep(0)\n"
                    "local all = {} for i = 1, 9 do all[i] = mt.spawn(r.ping, r) end\n"
                    "for i = 1, 9 do all[i]:join() end")
    assert wrong.kind in ("redis", "lost") and ("max number of clients" in str(wrong) or wrong.kind == "lost")
    redis.run("CONFIG", "SET", "maxclients", 1000)
    redis.restart()
    assert worker.run(client + "return r:ping()") == "PONG"


def test_a_password_that_is_missing(worker, redis, client):
    redis.run("CONFIG", "SET", "requirepass", "word")
    try:
        wrong = failure(worker, f"redis.connect('{redis.url}', {{ pool = 'new' }}):get('k')")
        assert (wrong.kind, wrong.code) == ("redis", "NOAUTH")
        assert worker.run(f"return redis.connect('redis://:word@127.0.0.1:{redis.port}'):ping()") == "PONG"
    finally:
        redis.run("-a", "word", "CONFIG", "SET", "requirepass", "")


# What is no Redis.


@pytest.mark.parametrize("piece", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02F", b"+a\n", b"$5\r\nhello--", b":1.5\r\n", b"*1\r\n%1\r\n"])
def test_garbage_is_told_and_the_connection_closed(worker, talker, piece):
    url = talker(says(piece))
    for code in ("get('k')", "pipeline(function(p) p:get('k') end)", "transaction(function(t) t:get('k') end)",
                 "subscribe('c')"):
        wrong = failure(worker, f"redis.connect('{url}', {{ timeout = 5 }}):{code}")
        assert wrong.kind == "protocol" and "no reply" in str(wrong), wrong


def test_what_is_too_large_or_too_deep_is_refused_before_it_comes(worker, talker):
    wrong = failure(worker, "redis.connect(%s):get('k')", talker(says(b"$67108865\r\n")))
    assert (wrong.kind, wrong.limit) == ("limit", "redis-reply")
    wrong = failure(worker, "redis.connect(%s):get('k')", talker(says(b"*1\r\n" * 65)))
    assert (wrong.kind, wrong.limit) == ("limit", "redis-levels")


@pytest.mark.parametrize("piece", [b"$3\r\nabc", b"*2\r\n:1\r\n", b"", b"+OK"])
def test_an_end_in_the_middle_of_a_reply_is_lost(worker, talker, piece):
    wrong = failure(worker, "redis.connect(%s):get('k')", talker(says(piece, then=leave)))
    assert wrong.kind == "lost"


def test_replies_may_come_byte_by_byte(worker, talker):
    def serve(connection, _):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(65536):
            for byte in b"*3\r\n$2\r\na\r\r\n:-12\r\n*1\r\n$-1\r\n":
                connection.sendall(bytes([byte]))
                time.sleep(0.001)
    assert worker.run("local r = redis.connect(%s) r:mget('a')\n"
                      "local l = r:mget('a') return l[1], l[2], l[3][1] == redis.null", talker(serve)
                      ) == ("a\r", -12, True)


def test_a_reply_that_nobody_asked_for_ends_the_connection(worker, talker):
    taken = []

    def serve(connection, number):
        taken.append(number)
        while read_commands(connection):
            connection.sendall(b"$%d\r\n%s\r\n+more\r\n" % (1, b"%d" % number))
    url = talker(serve)
    assert worker.run("local r = redis.connect(%s) return r:get('k'), r:get('k'), r:get('k')", url) == ("1", "2", "3")
    assert failure(worker, "redis.connect(%s):pipeline(function(p) p:get('k') end)", url).kind == "protocol"
    assert len(taken) == 4


def test_one_write_for_a_command_and_one_for_a_pipeline(worker, talker):
    seen = []

    def serve(connection, _):
        while True:
            data = connection.recv(65536)
            if not data:
                return
            seen.append(data.count(b"*"))
            connection.sendall(b":1\r\n" * data.count(b"*"))
    url = talker(serve)
    worker.run("local r = redis.connect(%s) r:get('k') r:pipeline(function(p) for i = 1, 20 do p:get(i) end end)", url)
    assert seen == [1, 20]


def test_a_login_is_made_once_for_each_connection(worker, talker):
    seen = []

    def serve(connection, _):
        while True:
            data = connection.recv(65536)
            if not data:
                return
            seen.append([word for word in data.split(b"\r\n") if word.isalpha()])
            connection.sendall(b"+OK\r\n" * data.count(b"*"))
    url = talker(serve).replace("//", "//me:secret@") + "/5"
    assert worker.run("local r = redis.connect(%s) r:get('k') return r:get('k')", url) == "OK"
    assert seen == [[b"AUTH", b"me", b"secret", b"SELECT"], [b"get", b"k"], [b"get", b"k"]]


# Subscriptions whose server goes.


def test_a_subscription_connects_again(worker, redis, client):
    stream = worker.begin(client + "local got = {} local sub <close> = r:subscribe('a', 'b')\n"
                          "for m in sub do got[#got + 1] = m.message if #got == 3 then return got end end")
    for i in range(3):
        redis.wait_for(lambda: redis.run("PUBSUB", "NUMSUB", "a", "b").split() == ["a", "1", "b", "1"])
        redis.run("PUBLISH", "ab"[i % 2], i)
        if i < 2:
            redis.restart()
    assert worker.end(stream) == ["0", "1", "2"]


def test_a_subscription_connects_again_where_it_was_cut_by_the_server(worker, redis, client):
    stream = worker.begin(client + "local sub <close> = r:psubscribe('c*') return sub().message")
    for _ in range(3):
        redis.wait_for(lambda: redis.run("PUBSUB", "NUMPAT") == "1")
        redis.run("CLIENT", "KILL", "TYPE", "pubsub")
    redis.wait_for(lambda: redis.run("PUBLISH", "c1", "x") == "1")
    assert worker.end(stream) == "x"


def test_a_silent_subscription_asks_whether_its_server_is_there(worker, redis):
    stream = worker.begin(f"local sub <close> = redis.connect('{redis.url}', {{ timeout = 0.1 }}):subscribe('quiet')\n"
                          "return sub().message")
    redis.wait_for(lambda: redis.clients("ping") == 1)
    redis.run("PUBLISH", "quiet", "x")
    assert worker.end(stream) == "x"


def test_a_subscription_leaves_a_server_that_hangs(worker, talker):
    def serve(connection, number):
        read_commands(connection)
        connection.sendall(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
        if number == 2:
            connection.sendall(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n")
        drain(connection)
    assert worker.run("return redis.connect(%s, { timeout = 0.1 }):subscribe('c')().message", talker(serve)) == "x"


def test_the_first_connection_of_a_subscription_must_come_about(worker):
    assert failure(worker, f"redis.connect('redis://127.0.0.1:{free_port()}'):subscribe('c')").kind == "unreachable"


# Clients that leave.


@pytest.mark.parametrize("code, command", [
    ("r:blpop('left', 0)", "blpop"),
    ("r:transaction(function() mt.sleep(60) end, { watch = { 'left' } })", "watch"),
    ("for _ in r:subscribe('left') do end", "subscribe"),
    ("r:pipeline(function(p) p:ping() p:call('BLPOP', 'left', 0) end)", "blpop"),
])
def test_a_client_that_leaves_ends_what_was_begun_for_it(worker, redis, client, code, command):
    streams = [worker.begin(client + code) for _ in range(3)]
    redis.wait_for(lambda: redis.clients(command) == 3)
    for stream in streams:
        worker.reset(stream)
    redis.wait_for(lambda: redis.clients(command) == 0)
    redis.run("LPUSH", "left", "x", "y", "z")
    assert worker.run(client + "return r:llen('left'), r:del('left')") == (3, 1)


def test_a_deadline_ends_a_command(worker, redis, client):
    wrong = failure(worker, client + "ctx:deadline(0.05) r:blpop('late', 0)")
    assert wrong.kind in ("timeout", "abort")
    redis.wait_for(lambda: redis.clients("blpop") == 0)


def test_a_task_that_is_cancelled_closes_its_connection(worker, redis, client):
    assert worker.run(client + "local t = mt.spawn(r.blpop, r, 'cancelled', 0)\n"
                      "while r:client('list'):find('cmd=blpop') == nil do mt.sleep(0.001) end t:cancel()\n"
                      "return r:ping()") == "PONG"
    redis.wait_for(lambda: redis.clients("blpop") == 0)


def test_a_stop_in_the_middle_leaves_nothing(start, connect, redis):
    server = start({"index.lua": EVAL}, "--grace", "0.1")
    one = Worker(connect(server.http))
    one.begin(f"redis.connect('{redis.url}'):blpop('stopped', 0)")
    one.begin(f"for _ in redis.connect('{redis.url}'):subscribe('stopped') do end")
    redis.wait_for(lambda: redis.clients("blpop") == 1 and redis.clients("subscribe") == 1)
    server.signal(signal.SIGTERM)
    redis.wait_for(lambda: redis.clients("blpop") == 0 and redis.clients("subscribe") == 0)
