"""What each protocol refuses, and how it says so; and what is right, though few send it."""
import base64
import gzip
import json
import random
import zlib
from urllib.parse import quote, urlencode

import pytest

from rpc import (ALL, PREFIX, Connect, Grpc, Web, WebText, begin, call, frames, framed, proto,
                 scripts)

SCRIPTS = scripts()

CONNECT, CONNECT_JSON = Connect("connect", "proto"), Connect("connect", "json")
GRPC, GRPC_JSON = Grpc("grpc", "proto"), Grpc("grpc", "json")
WEB, TEXT = Web("grpc-web", "proto"), WebText("grpc-web-text", "proto")
MESSAGE = proto(text="moon", count=2)


@pytest.fixture(params=["http1", "h2"])
def client(request, server, connect, http1):
    return (connect if request.param == "h2" else http1)(server.http)


@pytest.fixture
def h2(server, connect):
    return connect(server.http)


def send(client, protocol, method, body, *headers):
    """The outcome of a call whose body is as it goes out."""
    return protocol.read(client.response(begin(client, protocol, method, body, headers)), method)


# Messages.

@pytest.mark.parametrize("protocol", ALL, ids=repr)
@pytest.mark.parametrize("method", ["Echo", "Count", "Sum", "Chat"])
def test_a_message_that_cannot_be_decoded(client, protocol, method):
    outcome = send(client, protocol, method, protocol.body(method, [b"\xff\xff"]))
    is_theirs = protocol.codec == "json" or protocol.name == "connect"
    assert outcome.code == ("invalid_argument" if is_theirs else "internal")
    assert outcome.message.startswith("a message cannot be read: ")


@pytest.mark.parametrize("text, place", [
    ("", "line 1, byte 1"), ("{", "line 1"), ("{'text':'a'}", "line 1, byte 2"),
    ('{"text":"a",}', "line 1, byte 13"), ('{"text":"a"} x', "line 1, byte 14"),
    ('{"text":"a","text":"b"}', "test.Data.text"), ('{"txt":"a"}', 'no field "txt"'),
    ('{"bigCount":"1","big_count":"2"}', "test.Data.big_count"), ('{"text":1}', "test.Data.text"),
    ('{\n "count":1.5}', "line 2"), ('{"count":"x"}', "test.Data.count"), ("[]", "test.Data"),
    ('{"data":"*"}', "test.Data.data"), ("null", "test.Data"), ('{"text":"\\ud800"}', "line 1")])
@pytest.mark.parametrize("protocol", [p for p in ALL if p.codec == "json"], ids=repr)
def test_json_is_strict_and_told_with_its_place(h2, protocol, text, place):
    outcome = send(h2, protocol, "Echo", protocol.body("Echo", [text.encode()]))
    assert outcome.code == "invalid_argument" and place in outcome.message


@pytest.mark.parametrize("options, sent, got", [
    ("{ defaults = true }", '{"text":"a"}',
     {"text": "a", "count": 0, "data": "", "names": [], "bigCount": "0"}),
    ('{ names = "proto" }', '{"bigCount":"5"}', {"big_count": "5"}),
    ('{ unknown = "ignore" }', '{"text":"a","newer":[{}]}', {"text": "a"}),
    ("nil", '{"big_count":5}', {"bigCount": "5"})])
def test_options_of_json(start, connect, options, sent, got):
    client = connect(start(scripts(f"{{ json = {options} }}")).http)
    for protocol in CONNECT_JSON, GRPC_JSON:
        outcome = send(client, protocol, "Echo", protocol.body("Echo", [sent.encode()]))
        assert outcome.replies == [got]


@pytest.mark.parametrize("protocol", [GRPC, WEB, TEXT, CONNECT], ids=repr)
@pytest.mark.parametrize("body, code", [
    (b"\0\0\0", "malformed"), (framed(MESSAGE)[:-1], "malformed"),
    (framed(MESSAGE, flag=2), "malformed"), (framed(MESSAGE, flag=0x80), "malformed"),
    (framed(MESSAGE, flag=1), "internal"), (framed(b"", length=1 << 31), "resource_exhausted")],
    ids=["cut head", "cut message", "flag 2", "flag 128", "compressed", "size"])
def test_envelopes_that_are_none(client, protocol, body, code):
    if code == "malformed":
        code = "invalid_argument" if protocol is CONNECT else "internal"
    if protocol is TEXT:
        body = base64.b64encode(body)
    for method in "Count", "Sum", "Chat":
        assert send(client, protocol, method, body).code == code


@pytest.mark.parametrize("protocol", [GRPC, WEB, TEXT, CONNECT], ids=repr)
@pytest.mark.parametrize("count", [0, 2])
def test_none_and_two_messages_where_one_belongs(client, protocol, count):
    for method in ("Count",) if protocol is CONNECT else ("Count", "Echo"):
        outcome = send(client, protocol, method, protocol.body(method, [MESSAGE] * count))
        assert outcome.code == "unimplemented"


def test_an_empty_body_is_an_empty_message_of_connect(client):
    outcome = send(client, CONNECT, "Echo", b"")
    assert (outcome.code, outcome.replies) == ("ok", [b""])


# gRPC-Web in text.

def pieces(data, *sizes):
    """Base64 of pieces of these sizes, each padded by itself, and of the rest."""
    out = b""
    for size in sizes:
        out += base64.b64encode(data[:size])
        data = data[size:]
    return out + base64.b64encode(data)


@pytest.mark.parametrize("sizes", [(), (1,), (2,), (1, 1), (5,), (4, 1, 2), (1, 1, 1, 1, 1, 1)])
def test_padding_may_stand_anywhere(client, sizes):
    body = pieces(framed(MESSAGE), *sizes)
    assert send(client, TEXT, "Echo", body).texts == ["moon"]
    for cut in range(1, len(body)):
        stream = begin(client, TEXT, "Echo", end=False)
        client.send(stream, body[:cut])
        client.send(stream, body[cut:], end=True)
        assert TEXT.read(client.response(stream), "Echo").texts == ["moon"]


def test_the_last_padding_may_be_missing(client):
    for text in "moon", "moo", "mo":
        body = base64.b64encode(framed(proto(text=text))).rstrip(b"=")
        assert send(client, TEXT, "Sum", body).texts == [text]


@pytest.mark.parametrize("body", [b"*", b"A", b"AAAAA", b"AA=A", b"=AAA", b"AAAA\n", b"====",
                                  base64.b64encode(framed(MESSAGE)) + b"A"])
def test_a_text_that_is_no_base64(client, body):
    for method in "Echo", "Sum":
        assert send(client, TEXT, method, body).code == "internal"


def test_each_frame_of_a_reply_is_padded_by_itself(client):
    stream = begin(client, TEXT, "Count", TEXT.body("Count", [proto(text="ab", count=2)]))
    response = client.response(stream)
    whole = b"".join(base64.b64encode(framed(proto(text="ab", count=i))) for i in (1, 2))
    assert response.body.startswith(whole) and whole.count(b"=") >= 2
    last = base64.b64decode(response.body[len(whole):])
    assert frames(last) == [(0x80, b"grpc-status: 0\r\n")]


# The heads of Connect's requests.

@pytest.mark.parametrize("method", ["Echo", "Count", "Sum", "Chat"])
@pytest.mark.parametrize("name, value, code", [
    ("connect-protocol-version", "1", "ok"), ("connect-protocol-version", "2", "invalid_argument"),
    ("connect-protocol-version", "", "invalid_argument"),
    ("connect-timeout-ms", "20000", "ok"), ("connect-timeout-ms", "9999999999", "ok"),
    ("connect-timeout-ms", "0", "deadline_exceeded"),
    ("connect-timeout-ms", "10000000000", "invalid_argument"),
    ("connect-timeout-ms", "-1", "invalid_argument"),
    ("connect-timeout-ms", "1s", "invalid_argument"),
    ("connect-timeout-ms", "1.5", "invalid_argument"),
    ("connect-timeout-ms", "", "invalid_argument")])
def test_versions_and_timeouts_of_connect(client, method, name, value, code):
    outcome = call(client, CONNECT, method, proto(text="x"), headers=[(name, value)])
    assert outcome.code == code


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON",
                                  "application/json;charset=UTF-8 ;a=b"])
def test_a_content_type_may_have_parameters(client, kind):
    response = client.fetch(PREFIX + "Echo", "POST", headers=[("content-type", kind)],
                            body=b'{"text":"x"}')
    assert (response.status, response.text) == (200, '{"text":"x"}')
    assert response.header("content-type") == "application/json"


@pytest.mark.parametrize("method, kind", [
    ("Echo", "application/connect+proto"), ("Count", "application/json"),
    ("Chat", "application/proto"), ("Echo", "text/plain"), ("Echo", "application/grpc-web+x"),
    ("Echo", "application/grpc-web-text+x"), ("Sum", "application/connect+x"), ("Echo", None)])
def test_what_a_method_is_not_served_by(client, method, kind):
    response = client.fetch(PREFIX + method, "POST",
                            headers=[("content-type", kind)] * (kind is not None), body=b"x")
    own = "connect+" if method != "Echo" else ""
    served = [f"application/{name}" for name in (
        "grpc", "grpc+json", "grpc+proto", "grpc-web", "grpc-web+json", "grpc-web+proto",
        "grpc-web-text", "grpc-web-text+json", "grpc-web-text+proto", f"{own}json",
        f"{own}proto")]
    assert (response.status, response.header("accept-post")) == (415, ", ".join(served))
    assert response.text == f"served here: {', '.join(served)}\n"


@pytest.mark.parametrize("http", ["GET", "PUT", "DELETE", "HEAD", "X-OTHER"])
def test_other_methods_of_http(client, http):
    response = client.fetch(PREFIX + "Echo", http)
    assert (response.status, response.header("allow")) == (405, "POST")
    if http != "GET":
        response = client.fetch(PREFIX + "Look", http)
        assert (response.status, response.header("allow")) == (405, "GET, POST")


def test_grpc_over_http1_is_refused(server, http1):
    client = http1(server.http)
    for protocol in GRPC, GRPC_JSON:
        response = client.fetch(PREFIX + "Echo", "POST", body=framed(b""),
                                headers=[("content-type", protocol.kind("Echo"))])
        assert response.status == 505


# Connect by GET.

def get(client, path="Look", **query):
    return client.fetch(f"{PREFIX}{path}?{urlencode(query, quote_via=quote)}")


def urlsafe(data, padded=False):
    text = base64.urlsafe_b64encode(data).decode()
    return text if padded else text.rstrip("=")


@pytest.mark.parametrize("query", [
    {"message": '{"text":"m\u00f6on?"}', "encoding": "json"},
    {"message": '{"text":"m\u00f6on?"}', "encoding": "json", "connect": "v1"},
    {"message": urlsafe('{"text":"m\u00f6on?"}'.encode()), "encoding": "json", "base64": "1"},
    {"message": urlsafe(proto(text="m\u00f6on?")), "encoding": "proto", "base64": "1"},
    {"message": urlsafe(proto(text="m\u00f6on?"), True), "encoding": "proto", "base64": "1"},
    {"message": urlsafe(gzip.compress(proto(text="m\u00f6on?"))), "encoding": "proto",
     "base64": "1", "compression": "gzip"},
    {"message": urlsafe(proto(text="m\u00f6on?")), "encoding": "proto", "base64": "1",
     "compression": "identity"}])
def test_get(client, query):
    response = get(client, **query)
    protocol = Connect("connect", query["encoding"])
    assert protocol.read(response, "Look").texts == ["m\u00f6on?"]


@pytest.mark.parametrize("query, code", [
    ({"encoding": "json"}, "invalid_argument"),
    ({"message": "{}"}, "invalid_argument"),
    ({}, "invalid_argument"),
    ({"message": "{", "encoding": "json"}, "invalid_argument"),
    ({"message": "*", "encoding": "json", "base64": "1"}, "invalid_argument"),
    ({"message": "{}", "encoding": "json", "connect": "v2"}, "invalid_argument"),
    ({"message": "{}", "encoding": "json", "compression": "br"}, "unimplemented"),
    ({"message": "{}", "encoding": "json", "compression": "gzip"}, "invalid_argument"),
    ({"message": "", "encoding": "json"}, "invalid_argument")])
def test_get_that_is_refused(client, query, code):
    outcome = CONNECT_JSON.read(get(client, **query), "Look")
    assert (outcome.code, outcome.status) == (code, 501 if code == "unimplemented" else 400)


def test_get_of_a_name_twice(client):
    response = client.fetch(PREFIX + "Look?encoding=json&message=%7B%7D&message=%7B%7D")
    assert CONNECT_JSON.read(response, "Look").code == "invalid_argument"


def test_get_in_a_codec_that_there_is_not(client):
    response = get(client, message="x", encoding="xml")
    assert response.status == 415 and response.header("accept-post")


def test_get_with_a_timeout_and_metadata(client):
    response = client.fetch(PREFIX + "Look?encoding=json&message=%7B%7D", headers=[
        ("connect-timeout-ms", "20000"), ("x-a", "1")])
    assert response.status == 200 and response.header("trailer-late-x-a") == "1"


# Compression.

PACK = {"gzip": gzip.compress, "deflate": zlib.compress}
FIELDS = {"connect": "connect-content-encoding", "grpc": "grpc-encoding"}


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("protocol", [GRPC, WEB, TEXT, CONNECT], ids=repr)
def test_compressed_requests(client, protocol, encoding):
    packed = PACK[encoding](MESSAGE)
    name = FIELDS["connect" if protocol is CONNECT else "grpc"]
    body = framed(packed, flag=1) + framed(MESSAGE)
    if protocol is TEXT:
        body = base64.b64encode(body)
    assert send(client, protocol, "Sum", body, (name, encoding)).texts == ["moonmoon"]
    assert send(client, protocol, "Sum", body, (name, "br")).code == "unimplemented"
    assert send(client, protocol, "Sum", body).code == "internal"


def test_compressed_requests_of_connect(client):
    for encoding, pack in PACK.items():
        named = ("content-encoding", encoding)
        assert send(client, CONNECT, "Echo", pack(MESSAGE), named).texts == ["moon"]
        assert send(client, CONNECT, "Echo", MESSAGE, named).code == "invalid_argument"
        assert send(client, CONNECT, "Echo", pack(MESSAGE)[:-1], named).code == "invalid_argument"
    assert send(client, CONNECT, "Echo", MESSAGE, ("content-encoding", "identity")).code == "ok"
    response = client.response(begin(client, CONNECT, "Echo", MESSAGE,
                                     [("content-encoding", "br")]))
    assert CONNECT.read(response, "Echo").code == "unimplemented"
    assert response.header("accept-encoding") == "identity, deflate, gzip"


@pytest.mark.parametrize("protocol", [CONNECT, WEB], ids=repr)
@pytest.mark.parametrize("encoding", PACK)
def test_a_message_that_grows_past_the_limit(start, connect, protocol, encoding):
    client = connect(start(scripts("{ max_message = 1000 }")).http)
    for size, code in (1000, "ok"), (1001, "resource_exhausted"):
        packed = PACK[encoding](proto(data=bytes(size - 3)))
        named = ("content-encoding" if protocol is CONNECT else "grpc-encoding", encoding)
        body = packed if protocol is CONNECT else framed(packed, flag=1)
        assert send(client, protocol, "Echo", body, named).code == code


@pytest.mark.parametrize("accepts, packed", [
    ("gzip", True), ("br, gzip;q=0.5", True), ("br,gzip", True), ("br", False),
    ("gzip;q=0", False), ("gzip;q=0.0", False), (None, False)])
def test_compressed_replies_of_connect(start, connect, accepts, packed):
    client = connect(start(scripts('{ compression = "gzip" }')).http)
    headers = [("accept-encoding", accepts)] * (accepts is not None)
    response = client.response(begin(client, CONNECT, "Echo", MESSAGE, headers))
    assert (response.header("content-encoding") == "gzip") == packed
    assert (gzip.decompress(response.body) if packed else response.body) == MESSAGE
    response = client.response(begin(client, CONNECT, "Fail", proto(count=5), headers))
    assert response.header("content-encoding") is None and json.loads(response.body)
    headers = [("connect-accept-encoding", accepts)] * (accepts is not None)
    response = client.response(begin(client, CONNECT, "Count", framed(MESSAGE), headers))
    assert [flag for flag, _ in frames(response.body)] == [packed, packed, 2]
    assert (response.header("connect-content-encoding") == "gzip") == packed


# Whatever comes.

def mutations(good, count):
    """Bodies that were right once, the same in each run."""
    chance = random.Random(11)
    for _ in range(count):
        body = bytearray(good[:chance.randrange(len(good) + 1)])
        for _ in range(chance.randrange(4) if body else 0):
            body[chance.randrange(len(body))] = chance.randrange(256)
        yield bytes(body)


@pytest.mark.parametrize("protocol", ALL, ids=repr)
def test_any_body_ends_in_a_status(h2, protocol):
    for method in "Echo", "Count", "Sum", "Chat":
        messages = [protocol.message(text="moon", count=2, data=bytes(50)), protocol.message()]
        good = protocol.body(method, messages[:1 if method in ("Echo", "Count") else 2])
        for body in mutations(good, 60):
            timeout = ("connect-timeout-ms", "20000") if protocol.name == "connect" else \
                ("grpc-timeout", "20S")
            outcome = send(h2, protocol, method, body, timeout)
            assert outcome.code in ("ok", "internal", "invalid_argument", "unimplemented",
                                    "resource_exhausted"), body


# Ends.

def test_past_its_deadline_a_stream_of_connect_ends_with_its_status(client):
    stream = begin(client, CONNECT, "Chat", framed(MESSAGE), [("connect-timeout-ms", "100")], False)
    client.wait(lambda: client.so_far(stream).ended)
    outcome = CONNECT.read(client.so_far(stream), "Chat")
    assert (outcome.code, outcome.texts) == ("deadline_exceeded", ["moon"])


@pytest.mark.parametrize("protocol", [WEB, TEXT, CONNECT], ids=repr)
def test_past_its_deadline_a_waiting_stream_ends(client, protocol):
    name, value = ("connect-timeout-ms", "100") if protocol is CONNECT else \
        ("grpc-timeout", "100m")
    stream = begin(client, protocol, "Sum", b"", [(name, value)], False)
    client.wait(lambda: client.so_far(stream).ended)
    assert protocol.read(client.so_far(stream), "Sum").code == "deadline_exceeded"


CUT = """
    local Rpc = require("moontrail.grpc").service("rpc.proto", "test.Rpc")
    function Rpc.Count(_, call)
        call.ctx:deadline(0.1)
        print("cut", pcall(call.send, call, { text = ("x"):rep(300000) }))
        call.ctx:deadline(nil)
    end
    return Rpc"""


@pytest.mark.parametrize("protocol", [WEB, TEXT, CONNECT], ids=repr)
def test_nothing_goes_behind_a_message_that_was_cut_short(start, connect, protocol):
    server = start({**SCRIPTS, "rpc.lua": CUT})
    client = connect(server.http)
    client.reading = False
    stream = begin(client, protocol, "Count", protocol.body("Count", [b""]))
    server.wait_for("cut.*timeout")
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.reset_code(stream) == 8 and not client.so_far(stream).ended


@pytest.mark.parametrize("protocol", [WEB, TEXT, CONNECT], ids=repr)
def test_a_stream_that_nobody_moves_ends_by_body_timeout(start, connect, http1, protocol):
    server = start(SCRIPTS, "--body-timeout", "1")
    for open_one in connect, http1:
        client = open_one(server.http)
        stream = begin(client, protocol, "Chat", protocol.body("Chat", [MESSAGE]), end=False)
        client.wait(lambda: client.so_far(stream).over)  # pylint: disable=cell-var-from-loop
        assert client.so_far(stream).reset is not None


def test_an_early_end_over_http1_comes_whole(server, http1):
    client = http1(server.http)
    stream = begin(client, CONNECT, "FailLate", framed(MESSAGE), end=False)
    client.wait(lambda: client.so_far(stream).ended)
    outcome = CONNECT.read(client.so_far(stream), "FailLate")
    assert (outcome.code, outcome.texts) == ("data_loss", ["moon"])
