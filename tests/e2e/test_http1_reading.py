"""The parser of HTTP/1.x beside a reader that was written from the RFC by itself: both find the same
messages, with the same fields, in whatever a connection brings."""

import random
import subprocess

import pytest

import rfc9112
from server import ROOT

EVENTS = ROOT / "build/tests/h1/events"

RESPONSES, TO_HEAD = 1, 2

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET /a?b=%20c HTTP/1.0\r\nHost:a\r\nAccept:  x , y \r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"PUT /p HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n"
    b"0a;n=v;q=\"x;\" ;e\r\n0123456789\r\n1 ; x\r\n\n\r\n000;last\r\nX-T: 1\r\nx-u:\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nConnection: close, te\r\nTE: trailers\r\n\r\n",
    b"GET http://a/b HTTP/1.9\r\nX: \xe4\xff \t\r\n\r\nGET /second HTTP/1.1\r\n\r\n",
]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200\r\nContent-Length : 0\r\n\r\n",
    b"HTTP/1.0 200 Fine with it\r\n\r\nup to the end",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 304 \r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 500 \xe4\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2;x\r\nde\r\n0\r\nX-T \t: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
]
# What mutations put in.
PARTS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b";", b",", b"0", b"5", b"\0", b"\x7f", b"\x80", b"\x0b", b"a", b"/", b"#",
    b"\r\n ", b"\r\n\t", b"\r\n\r\n", b" :", b"%00", b"+1", b"0x1", b"1_0", b"-", b"\xc2\xa0", b"\x85",
    b"Content-Length: 5\r\n", b"Content-Length: 0005\r\n", b"Content-Length: 5, 5\r\n", b"content-length:\r\n",
    b"Content-Length: 999999999999999999\r\n", b"Content-Length: 1000000000000000000\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: chunked, gzip\r\n",
    b"Transfer-Encoding: x\r\n", b"transfer-encoding: chunked,\r\n", b"Transfer-Encoding: \tchunked \r\n",
    b"Transfer-Encoding:\r\n", b"Transfer-Encoding: chunked;q=1\r\n", b"Connection: close\r\n",
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n",
    b"0\r\n\r\n", b"5\r\nhello\r\n", b"ffffffffffffffff\r\n", b"000000000000005\r\n", b"0000000000000005\r\n",
    b"5;\r\n", b"5 \r\n", b"5;x=\"\n\"\r\n", b"5\t;a\r\n", b"x: " + b"y" * 1990 + b"\r\n", b"x:y\r\n" * 12,
    b"Connection: " + b"z" * 1000 + b"\r\n", b"5;" + b"e" * 1000 + b"\r\nhello\r\n", b"099", b" 99", b"100", b"204",
]


def mutated(rng, message):
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        at = rng.choice((rng.randrange(len(message) + 1), line_start(rng, message)))
        kind = rng.randrange(5)
        cut = at + rng.choice((1, 1, 2, 4, 16))
        if kind == 0:
            message = message[:at] + message[cut:]
        elif kind == 1:
            message = message[:at] + bytes([rng.randrange(256)]) + message[at + 1:]
        elif kind == 2:
            message = message[:at] + message[at:cut] * 2 + message[cut:]
        else:
            message = message[:at] + rng.choice(PARTS) + message[at:]
    return message


def at_a_bound(rng, responses):
    """A message that keeps one of the limits, or just does not."""
    start = b"HTTP/1.1 200 OK\r\n" if responses else b"GET / HTTP/1.1\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    near = rng.randrange(-2, 3)
    connection = b"Connection: " + b"z" * 500 + b"\r\n" + b"Connection: "
    return rng.choice((
        start + b"x:" + b"y" * (rfc9112.MAX_BYTES - 64 - len(start) + near) + b"\r\n\r\n",
        start + b"x:y\r\n" * (rfc9112.MAX_FIELDS + near) + b"\r\n",
        start + chunked + b"0\r\n" + b"x:y\r\n" * (rfc9112.MAX_FIELDS - 1 + near) + b"\r\n",
        start + connection + b"z" * (rfc9112.CONNECTION_MAX - 500 + near) + b"\r\n\r\n",
        start + chunked + b"0;" + b"e" * (rfc9112.CHUNK_LINE_MAX - 2 + near) + b"\r\n\r\n",
        start + chunked + (b"1;" + b"e" * 1021 + b"\r\nx\r\n") * 16 + b"0;" + b"e" * (31 + near) + b"\r\n\r\n",
        b"\r\n" * (rfc9112.EMPTY_LINES_MAX + near) + start + b"\r\n",
        start.replace(b"200", b"%03d" % (100 + near)) + b"\r\n",
        start + b"Content-Length: " + b"0" * (17 + near) + b"1\r\n\r\nx",
        start + chunked + b"0" * (14 + near) + b"1\r\nx\r\n0\r\n\r\n",
    ))


def line_start(rng, message):
    starts = [0] + [i + 1 for i, byte in enumerate(message) if byte == 10]
    return rng.choice(starts)


def cases(seed, count):
    rng = random.Random(seed)
    for i in range(count):
        flags = (0, 0, RESPONSES, RESPONSES, RESPONSES | TO_HEAD)[i % 5]
        messages = ANSWERS if flags else REQUESTS
        if i % 8 == 0:
            yield flags, at_a_bound(rng, bool(flags))
            continue
        yield flags, b"".join(mutated(rng, rng.choice(messages)) for _ in range(rng.choice((1, 1, 2))))


def found(all_cases):
    """The events of each case, and whether it was clean, as the parser has them."""
    stdin = b"".join(len(data).to_bytes(4, "big") + bytes([flags]) + data for flags, data in all_cases)
    out = subprocess.run([EVENTS], input=stdin, stdout=subprocess.PIPE, check=True).stdout.decode()
    events = []
    for line in out.splitlines():
        if line == "clean" or line.startswith("refused"):
            yield events, line
            events = []
        elif line.startswith("content"):
            events.append("content " + line[len("content"):].replace(" ", ""))
        elif line:
            events.append(line)


@pytest.mark.parametrize("seed", range(4))
def test_the_parser_reads_what_the_rfc_says(seed):
    all_cases = list(cases(seed, 6000))
    clean = messages = total = 0
    for (flags, data), (events, verdict) in zip(all_cases, found(all_cases), strict=True):
        theirs, whole = rfc9112.read(data, bool(flags & RESPONSES), bool(flags & TO_HEAD))
        assert (events, verdict == "clean") == (theirs, whole), (flags, data, verdict)
        clean += whole
        messages += theirs.count("end")
        total += 1
    # The comparison is worth something while either verdict is usual.
    assert total == len(all_cases) and total / 5 < clean < total * 4 / 5 and messages > total / 2
