"""moontrail.resty: libraries that were written for OpenResty, as Debian has them, and what they stand
on."""
import ssl
import threading

import pytest

from data_servers import memcached, redis_server
from handlers import RUN, run_lua
from optional import need
from plain_server import PlainServer, drain, echo, read_line
from server import PATIENCE

SCRIPTS = {
    "index.lua": """
        package.path = require("moontrail").options.folder .. "/_lib/?.lua;" .. package.path
        require "moontrail.resty"
        """ + RUN,
    "_lib/resty/own.lua": """
        a_global = 1
        local bit = require "bit"
        return { unpack = unpack, set = loadstring("return 1 + 1")(), getn = table.getn { 1, 2 },
            xor = bit.bxor(0xffffffff, 1), hex = bit.tohex(255, 4), pow = math.pow(2, 3) }""",
}


@pytest.fixture
def listen():
    servers = []

    def start(serve, **more):
        servers.append(PlainServer(serve, **more))
        return servers[-1]
    yield start
    for server in servers:
        server.close()


@pytest.fixture
def run(client):
    """The values that a piece of Lua returns, which has the port of a server, and a socket that is connected
    with it."""
    def do(server, lua):
        return run_lua(client, f"""
            local PORT, sock = {server.port}, ngx.socket.tcp()
            assert(sock:connect("127.0.0.1", PORT))
            {lua}""").text
    return do


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    need("redis-server", "nginx/redis.lua")
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


def test_redis(client, redis):
    assert run_lua(client, f"""
        local redis = require("nginx.redis"):new()
        redis:set_timeout(10000)
        assert(redis:connect("127.0.0.1", {redis}))
        redis:set("a", "dog")
        local got, none = redis:get("a"), redis:get("none")
        redis:hmset("h", {{ x = 1 }})
        redis:init_pipeline()
        redis:incr("n")
        redis:get("a")
        redis:lpush("a", 1)
        local results = redis:commit_pipeline()
        local bad, err = redis:incr("a")
        local first = redis:get_reused_times()
        local kept = redis:set_keepalive(10000, 10)
        assert(redis:connect("127.0.0.1", {redis}))
        local again = redis:get_reused_times()
        redis:flushall()
        local closed = redis:close()
        return got, none == ngx.null, results[1], results[2], results[3][1], bad,
            err, first, kept, again, closed, redis:get("a")""").text == \
        "dog|true|1|dog|false|false|ERR value is not an integer or out of range|0|1|1|1|nil|closed"


def test_redis_subscribes(client, redis):
    assert run_lua(client, f"""
        local Redis = require "nginx.redis"
        local a, b = Redis:new(), Redis:new()
        assert(a:connect("127.0.0.1", {redis}) and b:connect("127.0.0.1", {redis}))
        a:subscribe("dogs")
        a:set_timeout(20)
        local none, err = a:read_reply()
        b:publish("dogs", "Hello")
        a:set_timeout(10000)
        return none, err, table.concat(a:read_reply(), " ")""").text == "nil|timeout|message dogs Hello"


def test_memcached(client):
    need("memcached", "nginx/memcached.lua")
    with memcached() as port:
        assert run_lua(client, f"""
            local memc = require("nginx.memcached"):new()
            memc:set_timeout(10000)
            assert(memc:connect("127.0.0.1", {port}))
            assert(memc:flush_all())
            memc:set("a b", 32, 0, 7)
            memc:set("long", ("x"):rep(100000))
            local value, flags = memc:get("a b")
            local several = memc:get {{ "a b", "none" }}
            local long = memc:get("long")
            memc:set("n", 1)
            local n = memc:incr("n", 41)
            local ok, err = memc:add("n", 2)
            local version = memc:version()
            assert(memc:set_keepalive(10000, 10))
            return value, flags, several["a b"][1], several.none, #long, n, ok, err,
                version ~= nil""").text == "32|7|32|nil|100000|42|nil|NOT_STORED|true"


def test_environment_of_a_library(client):
    assert run_lua(client, """
        local own = require "resty.own"
        return own.unpack({ 7 }), own.set, own.getn, own.xor, own.hex, own.pow, a_global, unpack,
            loadstring, pcall(require, "resty.core")""").text.startswith(
        "7|2|2|-2|00ff|8.0|nil|nil|nil|false|")


# What the libraries stand on.

def test_receive_patterns(run, listen):
    def serve(connection, _):
        connection.sendall(b"line\r\nother\n12345rest--a--b--")
        connection.sendall(b"end")
    assert run(listen(serve), """
        local a, b, c = sock:receive(), sock:receive("*l"), sock:receive("5")
        local upto = sock:receiveuntil("--", { inclusive = true })
        local d, e = upto(), sock:receiveuntil("--")()
        local any = sock:receiveany(1)
        local all = sock:receive("*a")
        return a, b, c, d, e, any, all, sock:receive()
        """) == "line|other|12345|rest--|a|b|--end|nil|closed"


@pytest.mark.parametrize("text, size, wanted", [
    (b"abcdefgh--next", 3, "abc def gh nil"), (b"abcdef--next", 3, "abc def nil"),
    (b"--next", 3, " nil"), (b"a-b--next", 1, "a - b nil"), (b"ab-c---next", 2, "ab -c nil")])
def test_receiveuntil_in_pieces(run, listen, text, size, wanted):
    def serve(connection, _):
        for byte in text:
            connection.sendall(bytes([byte]))
    assert run(listen(serve), f"""
        local upto, pieces = sock:receiveuntil("--"), {{}}
        repeat
            local piece, err = upto({size})
            pieces[#pieces + 1] = tostring(piece)
        until not piece
        return table.concat(pieces, " "), (sock:receive(1))""").replace("|-", "|n") == f"{wanted}|n"


def test_what_came_in_part(run, listen):
    goes = threading.Event()

    def serve(connection, number):
        connection.sendall(b"part")
        if number > 1:
            goes.wait(PATIENCE)
    server = listen(serve)
    text = run(server, """
        local a, err, part = sock:receive()
        local other = ngx.socket.connect("127.0.0.1", PORT)
        other:settimeout(50)
        local b, err2, part2 = other:receive(100)
        local c, err3, part3 = other:receiveuntil("--")()
        return err, part, sock:receive(), err2, part2, err3, part3, other:close(), other:close()""")
    goes.set()
    assert text == "closed|part|nil|timeout|part|timeout||1|nil|closed"


def test_sending_tables(run, listen):
    got = []

    def serve(connection, _):
        got.append(drain(connection))
        connection.sendall(b"done\n")
    assert run(listen(serve), """
        local n = sock:send { "a", 1, { "b", { 2 } }, true }
        local bad = pcall(sock.send, sock, print)
        return n, bad, sock:shutdown("send"), sock:receive()""") == "8|false|1|done"
    assert got == [b"a1b2true"]


def test_no_connection(run, listen):
    assert run(listen(echo), """
        local a, err = sock:connect("127.0.0.1", 1)
        local b, err2 = sock:connect("unix:/no/such")
        local c, err3 = sock:connect("127.0.0.1", "x")
        return a, err, b, err2, err3, sock:send("x")""") == \
        "nil|connection refused|nil|no such file or directory|bad port number|nil|closed"


def test_tls_that_is_kept(run, listen, local_certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(local_certificate.cert, local_certificate.key)
    server = listen(echo, tls=context)
    assert run(server, """
        local bad, why = sock:sslhandshake(nil, "127.0.0.1", true)
        sock:connect("127.0.0.1", PORT)
        local session = sock:sslhandshake(nil, "127.0.0.1", false)
        sock:send("x")
        local x, kept = sock:receive(1), sock:setkeepalive()
        sock:connect("127.0.0.1", PORT)
        local again = sock:getreusedtimes()
        local ok = sock:sslhandshake(false, "127.0.0.1", false)
        sock:send("y")
        local y = sock:receive(1)
        sock:setkeepalive()
        sock:connect("127.0.0.1", PORT)
        local strict, why2 = sock:sslhandshake(false, "127.0.0.1", true)
        return bad, why, type(session), x, kept, again, ok, y, strict, why2
        """) == "nil|self-signed certificate|table|x|1|1|true|y|nil|self-signed certificate"


def test_codecs(client):
    assert run_lua(client, """
        local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
        return ngx.escape_uri("a b/ü"), ngx.unescape_uri("a+b%2F"), ngx.encode_base64("abcd"),
            ngx.encode_base64("abcd", true), ngx.decode_base64("YWJjZA=="), ngx.md5("hello"),
            hex(ngx.sha1_bin("hello")), hex(ngx.hmac_sha1("key", "text")), ngx.decode_base64("!")""").text == "|".join([
        "a%20b%2F%C3%BC", "a b/", "YWJjZA==", "YWJjZA", "abcd", "5d41402abc4b2a76b9719d911017c592",
        "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", "369e2959eb49450338b212748f77d8ded74847bb", "nil"])


def test_threads_timers_and_the_worker(server, client):
    assert run_lua(client, """
        local spawn, wait = ngx.thread.spawn, ngx.thread.wait
        local slow = spawn(function() ngx.sleep(1000) end)
        local quick = spawn(function(x) ngx.sleep(0) return x, 2 end, 1)
        local ok, a, b = wait(slow, quick)
        local bad = wait(spawn(error, "x"))
        local killed = ngx.thread.kill(slow)
        ngx.timer.at(0, function(premature, x) timed = tostring(premature) .. x end, "y")
        ngx.sleep(0.01)
        ngx.log(ngx.ERR, "logged ", 1, nil, true)
        return ok, a, b, bad, killed, timed, ngx.worker.id(), ngx.worker.count(), ngx.worker.pid(),
            ngx.now() >= ngx.time(), math.type(ngx.time())""").text == \
        f"true|1|2|false|1|falsey|0|1|{server.workers[0]}|true|integer"
    server.wait_for("error logged 1niltrue|error \"logged 1niltrue\"")
