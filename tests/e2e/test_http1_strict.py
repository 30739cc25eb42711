"""What HTTP/1.1 does not allow is refused with one status, a line in the log and the connection's
end, however the bytes come; what it allows is taken, odd as it may look."""
import random
import time

import pytest

from http1 import CUT, Http1, chunk
from malformed import CHUNKS, MALFORMED, alone, chunked, fields
from server import Server, write_scripts

FOLLOW_UP = alone(b"host: a.test", target=b"GET /follow-up HTTP/1.1")
BULK = 4096  # bytes, beyond which a request comes byte by byte at its ends only
PAUSE = 0.001  # seconds between bytes, in which the server takes the one before

SCRIPTS = {
    # What it is asked, in one line, and the body.
    "[...path].lua": """
        return function(ctx)
            local body = ctx:body()
            local trailer = ctx:request_trailers().x
            ctx:text(("%s %s %s %s|%s|%s|%s"):format(ctx.method, ctx.path, ctx.query or "-",
                ctx.authority, ctx.headers.x or "-", trailer or "-", body))
        end""",
    # Answers before it reads.
    "early.lua": """
        return function(ctx)
            ctx:on_abort(function(reason) print("aborted: " .. reason) end)
            ctx:write("begun")
            ctx:flush()
            ctx:body()
            ctx:write("never")
        end""",
}
SCRIPTS["index.lua"] = SCRIPTS["[...path].lua"]


@pytest.fixture(scope="module")
def reporter(tmp_path_factory):
    """Serves one script for every path."""
    folder = tmp_path_factory.mktemp("reporter")
    write_scripts(folder, {"all.lua": SCRIPTS["index.lua"]})
    server = Server(folder / "all.lua")
    yield server
    server.stop()


def pieces_of(data):
    """Single bytes, but for the middle of what is long."""
    if len(data) <= BULK:
        return [data[i:i + 1] for i in range(len(data))]
    return pieces_of(data[:200]) + [data[200:-200]] + pieces_of(data[-200:])


def drip(url, requests):
    """Sends each request on a connection of its own, byte by byte, all of them side by side.
    Nothing is sent any more once the response is there."""
    clients = {name: Http1(url) for name in requests}
    pieces = {name: pieces_of(data) for name, data in requests.items()}
    for client in clients.values():
        client.expect()
    for i in range(max(map(len, pieces.values()))):
        for name, client in clients.items():
            if i < len(pieces[name]) and not client.so_far(0).headers:
                client.write(pieces[name][i])
        time.sleep(PAUSE)
    return clients


def check_refused(server, client, status, since, nth=0):
    """One response, that says so, and the connection's end; a line in the log."""
    client.wait_closed()
    client.close()
    response = client.so_far(nth)
    assert (response.status, response.ended) == (status, True), bytes(client.received)
    assert response.header("connection") == "close"
    assert (client.rest, client.closed) == (b"", "cleanly")
    check_logged(server, client, since)


def check_logged(server, client, since):
    server.wait_for(rf" warn request refused .*remote={client.local}\b", since=since)
    lines = [line for line in server.log[since:]
             if " warn " in line and f"remote={client.local}" in line]
    assert len(lines) == 1, lines


@pytest.fixture(scope="module")
def dripped(server):
    """Every malformed request, byte by byte; and where in the log they begin."""
    since = len(server.log)
    clients = drip(server.http, {name: data for name, (data, _) in MALFORMED.items()})
    yield clients, since
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", MALFORMED)
def test_refused(server, name, scheme):
    data, status = MALFORMED[name]
    since, client = len(server.log), Http1(getattr(server, scheme))
    client.expect()
    client.write(data + FOLLOW_UP)
    check_refused(server, client, status, since)


@pytest.mark.parametrize("name", MALFORMED)
def test_refused_byte_by_byte(server, dripped, name):
    clients, since = dripped
    check_refused(server, clients[name], MALFORMED[name][1], since)


@pytest.mark.parametrize("name", MALFORMED)
def test_refused_behind_a_request(server, name):
    """Whose response comes first, and whole."""
    data, status = MALFORMED[name]
    since, client = len(server.log), Http1(server.http)
    for _ in range(2):
        client.expect()
    client.write(fields(b"content-length: 5") + b"first" + data + FOLLOW_UP)
    check_refused(server, client, status, since, nth=1)
    assert client.so_far(0).text == "POST / - a.test|-|-|first"


@pytest.mark.parametrize("name", CHUNKS)
def test_a_bad_chunk_cuts_the_response_that_has_begun(server, name):
    since, client = len(server.log), Http1(server.http)
    client.expect("POST")
    client.write(chunked(b"").replace(b"/", b"/early", 1))
    response = client.so_far(0)
    client.wait(lambda: response.body == b"begun")
    client.write(CHUNKS[name][0] + FOLLOW_UP)
    client.wait_closed()
    client.close()
    assert (response.body, response.reset, client.rest) == (b"begun", CUT, b"")
    check_logged(server, client, since)
    server.wait_for("aborted: PROTOCOL_ERROR", since=since)


def test_the_server_is_unharmed(server):
    with Http1(server.http) as client:
        assert client.fetch("/").text == f"GET / - {client.url.netloc}|-|-|"


# What is odd, and allowed.

def plain(start):
    return start + b"\r\nhost: a.test\r\n\r\n"


def with_field(text):
    return b"GET / HTTP/1.1\r\nhost: a.test\r\n" + text + b"\r\n\r\n"


def chunks(*some, last=b"0\r\n\r\n", coding=b"transfer-encoding: chunked"):
    return fields(coding) + b"".join(some) + last


ABC = b"POST / - a.test|-|-|abc"
TCHARS = b"!#$%&'*+-.^_`|~09azAZ"

ODD = {
    "an empty line before": (b"\r\n" + plain(b"GET / HTTP/1.1"), b"GET / - a.test|-|-|"),
    "HTTP/1.0 without a host": (b"GET / HTTP/1.0\r\n\r\n", b"GET / - |-|-|"),
    "HTTP/1.0 with a host": (plain(b"GET / HTTP/1.0"), b"GET / - a.test|-|-|"),
    "HTTP/1.0 with a body": (fields(b"content-length: 3", target=b"POST / HTTP/1.0") + b"abc", ABC),
    "method of its own": (plain(b"PURGE / HTTP/1.1"), b"PURGE / - a.test|-|-|"),
    "method in lower case": (plain(b"get / HTTP/1.1"), b"get / - a.test|-|-|"),
    "method of every character": (plain(TCHARS + b" / HTTP/1.1"), TCHARS + b" / - a.test|-|-|"),
    "method PRI": (plain(b"PRI / HTTP/1.1"), b"PRI / - a.test|-|-|"),
    "method PR": (plain(b"PR / HTTP/1.1"), b"PR / - a.test|-|-|"),
    "method PRIOR": (plain(b"PRIOR / HTTP/1.1"), b"PRIOR / - a.test|-|-|"),
    "asterisk": (plain(b"OPTIONS * HTTP/1.1"), b"OPTIONS * - a.test|-|-|"),
    "absolute target": (plain(b"GET http://b.test:81/c?d HTTP/1.1"), b"GET /c d b.test:81|-|-|"),
    "absolute target by https": (plain(b"GET https://b.test/ HTTP/1.1"), b"GET / - b.test|-|-|"),
    "absolute target in capitals": (plain(b"GET HTTP://b.test/ HTTP/1.1"), b"GET / - b.test|-|-|"),
    "absolute target, no path": (plain(b"GET http://b.test HTTP/1.1"), b"GET / - b.test|-|-|"),
    "absolute target, a query": (plain(b"GET http://b.test?c HTTP/1.1"), b"GET / c b.test|-|-|"),
    "absolute target in HTTP/1.0": (b"GET http://b.test/ HTTP/1.0\r\n\r\n", b"GET / - b.test|-|-|"),
    "every character of a path": (plain(b"GET /a-._~!$&'()*+,;=:@%41/b HTTP/1.1"),
                                  b"GET /a-._~!$&'()*+,;=:@%41/b - a.test|-|-|"),
    "empty query": (plain(b"GET /? HTTP/1.1"), b"GET /  a.test|-|-|"),
    "query with ? and /": (plain(b"GET /?a?/b HTTP/1.1"), b"GET / a?/b a.test|-|-|"),
    "two slashes": (plain(b"GET //a.test/b HTTP/1.1"), b"GET //a.test/b - a.test|-|-|"),
    "long target": (plain(b"GET /" + b"x" * 30000 + b" HTTP/1.1"),
                    b"GET /" + b"x" * 30000 + b" - a.test|-|-|"),
    "name in capitals": (with_field(b"X: a"), b"GET / - a.test|a|-|"),
    "no space behind the colon": (with_field(b"x:a"), b"GET / - a.test|a|-|"),
    "white space around a value": (with_field(b"x: \t a \t "), b"GET / - a.test|a|-|"),
    "white space within a value": (with_field(b"x: a \t b"), b"GET / - a.test|a \t b|-|"),
    "empty value": (with_field(b"x:"), b"GET / - a.test||-|"),
    "value of white space": (with_field(b"x: \t "), b"GET / - a.test||-|"),
    "colons in a value": (with_field(b"x: a: b:"), b"GET / - a.test|a: b:|-|"),
    "bytes outside of ASCII": (with_field(b"x: \xe9\x80\xff"), b"GET / - a.test|\xe9\x80\xff|-|"),
    "every character in a name": (with_field(TCHARS + b": a"), b"GET / - a.test|-|-|"),
    "long value": (with_field(b"x: " + b"y" * 60000), b"GET / - a.test|" + b"y" * 60000 + b"|-|"),
    "many fields": (with_field(b"\r\n".join([b"y: a"] * 100)), b"GET / - a.test|-|-|"),
    "twice the same": (with_field(b"x: a\r\nX: b"), b"GET / - a.test|a, b|-|"),
    "underscores": (fields(b"transfer_encoding: chunked", b"content_length: 3"),
                    b"POST / - a.test|-|-|"),
    "host in capitals": (alone(b"HOST: A.test"), b"GET / - A.test|-|-|"),
    "host with a port": (alone(b"host: a.test:8443"), b"GET / - a.test:8443|-|-|"),
    "host with white space around": (alone(b"host:\ta.test "), b"GET / - a.test|-|-|"),
    "host of IPv6": (alone(b"host: [::1]:80"), b"GET / - [::1]:80|-|-|"),
    "host of IPv4": (alone(b"host: 127.0.0.1"), b"GET / - 127.0.0.1|-|-|"),
    "host at the end": (alone(b"x: a", b"host: a.test"), b"GET / - a.test|a|-|"),
    "GET with a body": (with_field(b"content-length: 3") + b"abc", b"GET / - a.test|-|-|abc"),
    "length of nought": (fields(b"content-length: 0"), b"POST / - a.test|-|-|"),
    "length with noughts": (fields(b"content-length: 003") + b"abc", ABC),
    "length with white space": (fields(b"content-length:\t3 ") + b"abc", ABC),
    "body of CRLF": (fields(b"content-length: 4") + b"\r\n\r\n", b"POST / - a.test|-|-|\r\n\r\n"),
    "body like a request": (fields(b"content-length: %d" % len(FOLLOW_UP)) + FOLLOW_UP,
                            b"POST / - a.test|-|-|" + FOLLOW_UP),
    "chunk": (chunks(chunk(b"abc")), ABC),
    "chunks": (chunks(*[chunk(bytes([c])) for c in b"abc"]), ABC),
    "no chunk": (chunks(), b"POST / - a.test|-|-|"),
    "chunked in capitals": (chunks(chunk(b"abc"), coding=b"TRANSFER-ENCODING: CHUNKED"), ABC),
    "chunked behind a tab": (chunks(chunk(b"abc"), coding=b"transfer-encoding:\tchunked\t"), ABC),
    "chunk of CRLF": (chunks(chunk(b"\r\n0\r\n\r\n")), b"POST / - a.test|-|-|\r\n0\r\n\r\n"),
    "hexadecimal in lower case": (chunks(b"1a\r\n" + b"x" * 26 + b"\r\n"),
                                  b"POST / - a.test|-|-|" + b"x" * 26),
    "hexadecimal in capitals": (chunks(b"1A\r\n" + b"x" * 26 + b"\r\n"),
                                b"POST / - a.test|-|-|" + b"x" * 26),
    "noughts before a size": (chunks(b"0003\r\nabc\r\n"), ABC),
    "noughts as the last": (chunks(chunk(b"abc"), last=b"000\r\n\r\n"), ABC),
    "extension": (chunks(chunk(b"abc", b";a")), ABC),
    "extension with a value": (chunks(chunk(b"abc", b";a=b;c=d")), ABC),
    "extension as long as may be": (chunks(chunk(b"abc", b";" + b"a" * 1000)), ABC),
    "extension in quotes": (chunks(chunk(b"abc", b';a="b;\\"c"')), ABC),
    "extension behind white space": (chunks(chunk(b"abc", b" ; a = b")), ABC),
    "extension of the last": (chunks(chunk(b"abc"), last=b"0;a=b\r\n\r\n"), ABC),
    "trailer": (chunks(chunk(b"abc"), last=b"0\r\nX:  a \r\n\r\n"), b"POST / - a.test|-|a|abc"),
    "trailers": (chunks(chunk(b"abc"), last=b"0\r\nx: a\r\ny: b\r\nx: c\r\n\r\n"),
                 b"POST / - a.test|-|a, c|abc"),
    "trailer without a body": (chunks(last=b"0\r\nx: a\r\n\r\n"), b"POST / - a.test|-|a|"),
    "trailers that may not be": (
        chunks(chunk(b"abc"), last=b"0\r\ncontent-length: 9\r\nhost: b.test\r\n"
                                   b"transfer-encoding: gzip\r\nx: a\r\n\r\n"),
        b"POST / - a.test|-|a|abc"),
    "expectation in capitals": (
        fields(b"Expect: 100-CONTINUE", b"content-length: 3") + b"abc", ABC),
}


@pytest.mark.parametrize("name", ODD)
def test_taken(reporter, name):
    """And the next request on the connection as well, where it goes on."""
    data, answer = ODD[name]
    with Http1(reporter.http) as client:
        for _ in range(2):
            client.expect()
        client.write(data + FOLLOW_UP)
        assert client.response(0).body == answer
        if b"HTTP/1.0" not in data:
            assert client.response(1).body == b"GET /follow-up - a.test|-|-|"
        assert client.rest == b""


@pytest.mark.parametrize("seed", range(10))
def test_taken_in_random_pieces(reporter, seed):
    """All that can follow each other, in one stream."""
    some = [case for case in ODD.values() if b"HTTP/1.0" not in case[0]]
    chance = random.Random(seed)
    chance.shuffle(some)
    stream = b"".join(data for data, _ in some)
    with Http1(reporter.http) as client:
        requests = [client.expect() for _ in some]
        while stream:
            size = chance.choice([1, 2, 10, 100, 1000, 10000, 100000])
            client.write(stream[:size])
            stream = stream[size:]
            if size < 1000:
                time.sleep(PAUSE)
        for request, (_, answer) in zip(requests, some):
            assert client.response(request).body == answer
        assert client.rest == b""


def test_taken_byte_by_byte(reporter):
    clients = drip(reporter.http, {name: data for name, (data, _) in ODD.items()})
    try:
        answers = {name: client.response(0).body for name, client in clients.items()}
        assert answers == {name: answer for name, (_, answer) in ODD.items()}
    finally:
        for client in clients.values():
            client.close()
