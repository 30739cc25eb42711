"""One service by every protocol, codec, kind of method and version of HTTP: the same comes of all."""
import pytest

from rpc import ALL, UNARY, begin, call, scripts

SCRIPTS = scripts()


@pytest.fixture(params=["h2", "h2c", "http1", "http1s"])
def client(request, server, connect, http1):
    secure = request.param in ("h2", "http1s")
    url = server.https if secure else server.http
    return connect(url) if request.param.startswith("h2") else http1(url)


@pytest.fixture(params=ALL, ids=repr)
def protocol(request):
    return request.param


def test_unary(client, protocol):
    outcome = call(client, protocol, "Echo", protocol.message(text="moon", count=7))
    assert (outcome.code, outcome.texts) == ("ok", ["moon"])


def test_server_streaming(client, protocol):
    outcome = call(client, protocol, "Count", protocol.message(text="moon", count=3))
    assert (outcome.code, outcome.texts) == ("ok", ["moon"] * 3)


def test_client_streaming(client, protocol):
    outcome = call(client, protocol, "Sum", *(protocol.message(text=text) for text in "abc"))
    assert (outcome.code, outcome.texts) == ("ok", ["abc"])


def test_bidirectional_streaming(client, protocol):
    outcome = call(client, protocol, "Chat", *(protocol.message(text=text) for text in "abc"))
    assert (outcome.code, outcome.texts) == ("ok", list("abc"))


def test_replies_come_while_the_request_does(client, protocol):
    stream = begin(client, protocol, "Chat", end=False)
    for i in range(1, 4):
        have = len(client.so_far(stream).body)
        client.send(stream, protocol.body("Chat", [protocol.message(text="x" * i)]))
        client.wait(lambda have=have: len(client.so_far(stream).body) > have)
    client.send(stream, end=True)
    outcome = protocol.read(client.response(stream), "Chat")
    assert (outcome.code, outcome.texts) == ("ok", ["x", "xx", "xxx"])


def test_no_replies(client, protocol):
    outcome = call(client, protocol, "Count", protocol.message(text="moon"))
    assert (outcome.code, outcome.replies) == ("ok", [])


def test_a_stream_of_no_requests(client, protocol):
    outcome = call(client, protocol, "Sum")
    assert (outcome.code, outcome.texts) == ("ok", [""])


def test_metadata_both_ways(client, protocol):
    headers = [("x-a", "1"), ("x-a", "2"), ("x-b-bin", "AAEC"), ("connect-protocol-version", "1")]
    for method in "Echo", "Count", "Sum", "Chat":
        outcome = call(client, protocol, method, protocol.message(text="x", count=1),
                       headers=headers)
        for fields, prefix in (outcome.headers, ""), (outcome.trailers, "late-"):
            assert [value for name, value in fields if name == prefix + "x-a"] == ["1", "2"]
            assert [value for name, value in fields if name == prefix + "x-b-bin"] == ["AAEC"]


def test_a_status_before_any_reply(client, protocol):
    outcome = call(client, protocol, "Fail", protocol.message(text="n\u00f6 100%\n\"", count=5))
    assert (outcome.code, outcome.message) == ("not_found", "n\u00f6 100%\n\"")


def test_a_status_with_details_and_metadata(client, protocol):
    outcome = call(client, protocol, "Fail", protocol.message(text="x", count=9, data=b"\x01\x02"),
                   headers=[("x-a", "1")])
    assert outcome.code == "failed_precondition"
    assert ("x-a", "1") in outcome.headers and ("late-x-a", "1") in outcome.trailers
    if protocol.name == "connect":
        assert outcome.details == [
            {"type": "test.Data", "value": "CgRtb3Jl", "debug": {"text": "more"}},
            {"type": "no.Such", "value": "AQI"}]
    else:
        assert outcome.details


def test_a_status_behind_a_reply(client, protocol):
    outcome = call(client, protocol, "FailLate", protocol.message(text="one"))
    assert (outcome.code, outcome.message) == ("data_loss", "half of it is gone")
    assert outcome.texts == ["one"]
    assert ("x-late", "yes") in outcome.trailers and outcome.details


def test_an_error_that_is_no_status(client, protocol):
    outcome = call(client, protocol, "Raise", protocol.message(text="secret"))
    assert (outcome.code, outcome.message) == ("unknown", "the handler failed")


@pytest.mark.parametrize("method", ["Missing", "None", "deep/er"])
def test_what_is_not_there_is_unimplemented(client, protocol, method):
    kind = protocol.kind("Missing")
    stream = begin(client, protocol, method, protocol.body("Missing", [b""]),
                   [("content-type", kind)])
    response = client.response(stream)
    outcome = protocol.read(response, "Missing")
    assert outcome.code == "unimplemented"
    assert response.status == (501 if protocol.name == "connect" else 200)


def test_a_deadline(client, protocol):
    headers = [("connect-timeout-ms", "50")] if protocol.name == "connect" else \
        [("grpc-timeout", "50m")]
    outcome = call(client, protocol, "Sleep", protocol.message(count=60), headers=headers)
    assert outcome.code == "deadline_exceeded"


def test_a_call_tells_how_it_came(client, protocol):
    outcome = call(client, protocol, "Tell", protocol.message())
    assert outcome.code == "ok"
    name = protocol.name.removesuffix("-text")
    if protocol.codec == "json":
        assert outcome.replies[0]["names"] == [name, "json", "test.Rpc/Tell", "false", "false"]
    else:
        assert f"\x22{chr(len(name))}{name}\x22\x05proto\x22\x0dtest.Rpc/Tell".encode() \
            in outcome.replies[0]


def test_data_may_be_cut_anywhere(client, protocol):
    for method in "Echo", "Sum", "Chat":
        body = protocol.body(method, [protocol.message(text="moon", count=2)] * (
            1 if method in UNARY else 2))
        for cut in range(1, len(body)):
            stream = begin(client, protocol, method, end=False)
            client.send(stream, body[:cut])
            client.send(stream, body[cut:], end=True)
            outcome = protocol.read(client.response(stream), method)
            assert outcome.code == "ok" and "moon" in outcome.texts[0]


def test_data_may_come_byte_by_byte(client, protocol):
    body = protocol.body("Chat", [protocol.message(text="moon"), protocol.message(text="sun")])
    stream = begin(client, protocol, "Chat", end=False)
    for byte in body:
        client.send(stream, bytes([byte]))
    client.send(stream, end=True)
    assert protocol.read(client.response(stream), "Chat").texts == ["moon", "sun"]


@pytest.mark.parametrize("size, code", [(1000, "ok"), (1001, "resource_exhausted")])
@pytest.mark.parametrize("protocol", ALL, ids=repr)
def test_the_limit_of_a_message(start, connect, protocol, size, code):
    client = connect(start(scripts("{ max_message = 1000 }")).http)
    overhead = len(protocol.message(text="x" * 500)) - 500
    message = protocol.message(text="x" * (size - overhead))
    assert len(message) == size
    for method in "Echo", "Count", "Sum", "Chat":
        assert call(client, protocol, method, message).code == code


def test_a_large_message(client, protocol):
    text = "x" * 200000  # more than any window or queue has room for
    outcome = call(client, protocol, "Echo", protocol.message(text=text))
    assert outcome.texts == [text]
