"""gRPC frame by frame: what goes over the wire, and what becomes of requests that break its rules."""
import gzip
import random
import struct
import zlib

import pytest

from grpc_service import Data, Protos, scripts
from server import ROOT

SCRIPTS = scripts()

PREFIX = "/test.Calls/"
HEADERS = [("content-type", "application/grpc"), ("te", "trailers")]
REQUEST = Data(text="moon", count=7)

UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = \
    "2", "3", "4", "8", "12", "13"


@pytest.fixture(params=["https", "http"])
def client(request, server, connect):
    return connect(getattr(server, request.param))


def framed(payload, flag=0, length=None):
    if not isinstance(payload, bytes):
        payload = payload.SerializeToString()
    return struct.pack(">BL", flag, len(payload) if length is None else length) + payload


def messages(body):
    """The messages of a body, with the flag of each."""
    found = []
    while body:
        flag, length = struct.unpack(">BL", body[:5])
        found.append((flag, body[5:5 + length]))
        assert len(body) >= 5 + length
        body = body[5 + length:]
    return found


def begin(client, method, body=b"", end=True, headers=()):
    names = [name for name, _ in headers]
    headers = [pair for pair in HEADERS if pair[0] not in names] + list(headers)
    return client.request(PREFIX + method, "POST", headers, body, end)


def call(client, method, body=b"", headers=()):
    stream = begin(client, method, body, headers=headers)
    response = client.response(stream)
    assert response.status == 200
    return response, client.frames(stream)


def assert_trailers_only(response, frames, status):
    assert frames == ["HEADERS END_STREAM"]
    assert (response.status, response.header("grpc-status")) == (200, status)
    assert response.header("content-type") == "application/grpc"
    assert response.trailers is None


def assert_status(response, status):
    """A status at the end of a call, whether headers came before it or not."""
    fields = response.trailers if response.trailers is not None else response.headers
    assert dict(fields)["grpc-status"] == status


def test_unary_is_headers_data_trailers(client):
    response, frames = call(client, "Echo", framed(REQUEST))
    assert frames == ["HEADERS", "DATA", "HEADERS END_STREAM"]
    assert response.header("content-type") == "application/grpc"
    assert messages(response.body) == [(0, REQUEST.SerializeToString())]
    assert response.trailers[0] == ("grpc-status", "0")


def test_an_immediate_error_is_trailers_only(client):
    response, frames = call(client, "Fail", framed(Data(count=5, text="n\u00f6 100%\n")))
    assert_trailers_only(response, frames, "5")
    assert response.header("grpc-message") == "n%C3%B6 100%25%0A"


def test_an_error_behind_metadata_has_two_frames(client):
    response, frames = call(client, "Fail", framed(Data(count=5)), headers=[("x-a", "1")])
    assert frames == ["HEADERS", "HEADERS END_STREAM"]
    assert response.header("grpc-status") is None and response.header("x-a") == "1"
    assert ("grpc-status", "5") in response.trailers


@pytest.mark.parametrize("method, frames", [
    ("Missing", ["HEADERS END_STREAM"]), ("None", ["HEADERS END_STREAM"])])
def test_what_is_not_there_is_unimplemented(client, method, frames):
    assert_trailers_only(*call(client, method, framed(REQUEST)), UNIMPLEMENTED)


@pytest.mark.parametrize("body", [b"", b"\0\0", framed(b"", length=1 << 30)])
def test_what_is_left_out_is_unimplemented_whatever_comes(client, body):
    stream = begin(client, "Missing", body, end=False)
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.frames(stream) == ["HEADERS END_STREAM", "RST_STREAM"]
    assert client.so_far(stream).header("grpc-status") == UNIMPLEMENTED


def test_a_stream_of_no_replies_ends_with_trailers(client):
    response, frames = call(client, "Count", framed(Data()))
    assert frames == ["HEADERS", "HEADERS END_STREAM"]
    assert response.trailers == [("grpc-status", "0")]


def test_a_service_that_is_not_there_is_unimplemented(client):
    stream = client.request("/no.Such/Service", "POST", HEADERS, framed(REQUEST))
    assert_trailers_only(client.response(stream), client.frames(stream), UNIMPLEMENTED)


def test_an_end_before_the_clients_is_followed_by_no_error(client):
    stream = begin(client, "First", framed(REQUEST), end=False)
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.frames(stream) == ["HEADERS", "DATA", "HEADERS END_STREAM", "RST_STREAM"]
    assert client.reset_code(stream) == 0


def test_an_early_error_is_followed_by_no_error(client):
    stream = begin(client, "Chat", framed(b"x", flag=2), end=False)
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.frames(stream) == ["HEADERS END_STREAM", "RST_STREAM"]
    assert client.reset_code(stream) == 0
    assert client.so_far(stream).header("grpc-status") == INTERNAL


@pytest.mark.parametrize("method", ["Echo", "Sum", "Chat"])
def test_data_may_be_cut_anywhere(client, method):
    body = framed(REQUEST) if method == "Echo" else framed(REQUEST) + framed(b"") + framed(REQUEST)
    whole = None
    for cut in range(len(body) + 1):
        stream = begin(client, method, end=False)
        client.send(stream, body[:cut])
        client.ping()
        client.send(stream, body[cut:], end=True)
        response = client.response(stream)
        whole = whole or response.body
        assert response.body == whole
        assert_status(response, "0")
        assert "RST_STREAM" not in client.frames(stream)


def test_data_may_come_byte_by_byte(client):
    stream = begin(client, "Echo", end=False)
    for byte in framed(REQUEST):
        client.send(stream, bytes([byte]))
        client.ping()
    client.send(stream, end=True)
    assert messages(client.response(stream).body) == [(0, REQUEST.SerializeToString())]


def test_te_may_be_missing(client):
    stream = client.request(PREFIX + "Echo", "POST", HEADERS[:1], framed(REQUEST))
    assert_status(client.response(stream), "0")


@pytest.mark.parametrize("kind", [
    "application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8",
    "Application/GRPC", "application/grpc+proto;charset=utf-8", "application/grpc ; a=b"])
def test_content_types_of_grpc(client, kind):
    response, _ = call(client, "Echo", framed(REQUEST), [("content-type", kind)])
    assert_status(response, "0")


@pytest.mark.parametrize("kind", [
    "application/grpc-webx", "application/grpc-web+foo", "application/grpcx", "application/jsonx",
    "application/connect+proto", "application/grpc+foo", "application/grpc+", "application/grpc+proto2",
    "application/grpc+foo;charset=utf-8", "text/plain", ";application/grpc", ""])
def test_other_content_types_are_unsupported(client, kind):
    stream = begin(client, "Echo", framed(REQUEST), headers=[("content-type", kind)])
    assert client.response(stream).status == 415


def test_no_content_type_is_unsupported(client):
    assert client.fetch(PREFIX + "Echo", "POST", body=framed(REQUEST)).status == 415


def test_another_method_is_not_allowed(client):
    response = client.fetch(PREFIX + "Echo")
    assert (response.status, response.header("allow")) == (405, "POST")


@pytest.mark.parametrize("timeout", [
    "", "1", "S", "1s", "1 S", "-1S", "+1S", "1.5S", "123456789S", "1SS", "0x1S", "1S ,2S"])
def test_a_bad_timeout(client, timeout):
    response, frames = call(client, "Echo", framed(REQUEST), [("grpc-timeout", timeout)])
    assert_trailers_only(response, frames, INTERNAL)


@pytest.mark.parametrize("timeout", ["99999999H", "1M", "00000020S", "20000m", "20000000u",
                                     "99999999n"])
def test_a_good_timeout(client, timeout):
    response, _ = call(client, "Echo", framed(REQUEST), [("grpc-timeout", timeout)])
    assert_status(response, "0")


def test_a_timeout_that_is_over(client):
    response, frames = call(client, "Echo", framed(REQUEST), [("grpc-timeout", "0n")])
    assert_trailers_only(response, frames, DEADLINE_EXCEEDED)


def test_past_the_deadline_come_the_status_and_a_reset(client):
    stream = begin(client, "Chat", end=False, headers=[("grpc-timeout", "50m")])
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.frames(stream) == ["HEADERS END_STREAM", "RST_STREAM"]
    assert client.so_far(stream).header("grpc-status") == DEADLINE_EXCEEDED


def test_past_the_deadline_a_client_that_reads_nothing_is_reset(client):
    client.reading = False
    stream = begin(client, "Count", framed(Data(count=100000, data=bytes(10000))),
                   headers=[("grpc-timeout", "200m")])
    client.wait_for_frame(stream, "RST_STREAM")
    assert "HEADERS END_STREAM" not in client.frames(stream)


def test_a_bad_escape_in_the_path_is_no_method(client):
    response, frames = call(client, "Ec%zzo", framed(REQUEST))
    assert_trailers_only(response, frames, UNIMPLEMENTED)


@pytest.mark.parametrize("body, status", [
    (b"", UNIMPLEMENTED),
    (b"\0\0\0", INTERNAL),
    (framed(b"abc", length=4), INTERNAL),
    (framed(REQUEST) + b"\0", UNIMPLEMENTED),
    (framed(REQUEST) * 2, UNIMPLEMENTED),
    (framed(REQUEST) + framed(b""), UNIMPLEMENTED),
    (framed(REQUEST, flag=2), INTERNAL),
    (framed(REQUEST, flag=255), INTERNAL),
    (framed(REQUEST, flag=1), INTERNAL),
    (framed(b"\xff\xff"), INTERNAL),
    (framed(b"\x0a\x02\xc3\x28"), INTERNAL),
    (framed(b"", length=(4 << 20) + 1), RESOURCE_EXHAUSTED),
    (framed(b"", length=0xFFFFFFFF), RESOURCE_EXHAUSTED),
], ids=["nothing", "cut head", "cut message", "more than one", "two",
        "an empty one more", "flag 2", "flag 255",
        "compressed without encoding", "no message", "no utf-8", "over the limit", "far over it"])
def test_a_body_that_is_no_message(client, body, status):
    for method in "Echo", "Count":
        response, frames = call(client, method, body)
        assert_trailers_only(response, frames, status)


def test_a_length_over_the_limit_is_refused_before_its_bytes_come(client):
    stream = begin(client, "Sum", framed(b"", length=1 << 30), end=False)
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.so_far(stream).header("grpc-status") == RESOURCE_EXHAUSTED


@pytest.mark.parametrize("encoding, pack", [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_messages(client, encoding, pack):
    packed = pack(REQUEST.SerializeToString())
    response, _ = call(client, "Echo", framed(packed, flag=1), [("grpc-encoding", encoding)])
    assert messages(response.body) == [(0, REQUEST.SerializeToString())]
    response, _ = call(client, "Echo", framed(REQUEST), [("grpc-encoding", encoding)])
    assert messages(response.body) == [(0, REQUEST.SerializeToString())]


@pytest.mark.parametrize("encoding, body, status", [
    ("br", framed(REQUEST), UNIMPLEMENTED),
    ("", framed(REQUEST), UNIMPLEMENTED),
    ("identity", framed(REQUEST, flag=1), INTERNAL),
    ("gzip", framed(REQUEST, flag=1), INTERNAL),
    ("gzip", framed(gzip.compress(b"")[:-1], flag=1), INTERNAL),
    ("gzip", framed(b"", flag=1), INTERNAL),
    ("deflate", framed(gzip.compress(b""), flag=1), INTERNAL),
    ("gzip", framed(gzip.compress(bytes(5 << 20)), flag=1), RESOURCE_EXHAUSTED),
], ids=["unknown", "empty", "identity", "no gzip", "cut", "nothing", "of another kind", "bomb"])
def test_compression_that_fails(client, encoding, body, status):
    response, frames = call(client, "Echo", body, [("grpc-encoding", encoding)])
    assert_trailers_only(response, frames, status)
    accepted = response.header("grpc-accept-encoding")
    assert accepted == ("identity, deflate, gzip" if status == UNIMPLEMENTED else None)


@pytest.mark.parametrize("name, unpack", [
    ("gzip", gzip.decompress), ("deflate", zlib.decompress)])
def test_replies_are_compressed_with_what_the_client_accepts(start, connect, name, unpack):
    server = start(scripts(f'{{ compression = "{name}" }}'))
    client = connect(server.https)
    response, _ = call(client, "Echo", framed(REQUEST),
                       [("grpc-accept-encoding", "identity,deflate, gzip")])
    (flag, payload), = messages(response.body)
    assert (flag, unpack(payload)) == (1, REQUEST.SerializeToString())
    assert response.header("grpc-encoding") == name
    for accepted in ("identity", "br"):
        response, _ = call(client, "Echo", framed(REQUEST), [("grpc-accept-encoding", accepted)])
        assert messages(response.body) == [(0, REQUEST.SerializeToString())]
        assert response.header("grpc-encoding") is None
    response, _ = call(client, "Echo", framed(REQUEST))
    assert messages(response.body)[0][0] == 0


@pytest.fixture
def interop(start, connect):
    """Sends a request to a method of the interoperability tests' service."""
    client = connect(start(ROOT / "examples/interop").https)

    def send(method, request, flag=0, *headers):
        payload = request.SerializeToString()
        body = framed(gzip.compress(payload) if flag else payload, flag)
        stream = client.request(f"/grpc.testing.TestService/{method}", "POST",
                                [*HEADERS, ("grpc-accept-encoding", "gzip"), *headers], body)
        return client.response(stream)

    return send


PROTOS = Protos("grpc/testing/messages.proto", folder=ROOT / "examples/interop")
SimpleRequest = PROTOS.message("grpc.testing.SimpleRequest")
StreamingRequest = PROTOS.message("grpc.testing.StreamingOutputCallRequest")


@pytest.mark.parametrize("wanted", [True, False])
def test_a_handler_compresses_one_reply_or_not(interop, wanted):
    request = SimpleRequest(response_size=1000, response_compressed={"value": wanted})
    response = interop("UnaryCall", request)
    assert_status(response, "0")
    assert [flag for flag, _ in messages(response.body)] == [wanted]


def test_a_handler_compresses_some_replies_of_a_stream(interop):
    request = StreamingRequest()
    for wanted in (True, False, True):
        request.response_parameters.add(size=1000, compressed={"value": wanted})
    response = interop("StreamingOutputCall", request)
    assert [flag for flag, _ in messages(response.body)] == [1, 0, 1]
    assert response.header("grpc-encoding") == "gzip"


@pytest.mark.parametrize("expected, flag, status", [
    (True, 1, "0"), (False, 0, "0"), (True, 0, INVALID_ARGUMENT), (False, 1, INVALID_ARGUMENT)])
def test_a_handler_knows_whether_a_request_was_compressed(interop, expected, flag, status):
    request = SimpleRequest(expect_compressed={"value": expected})
    response = interop("UnaryCall", request, flag, ("grpc-encoding", "gzip"))
    assert_status(response, status)


@pytest.mark.parametrize("sent, given", [
    ("AAEC", "AAEC"), ("AAE=", "AAE"), ("AAE", "AAE"), ("AA==", "AA"), ("AA", "AA"), ("", ""),
    ("-_-_", "+/+/"), ("AAEC,AAE", "AAEC, AAE")])
def test_binary_metadata_is_padded_or_not(client, sent, given):
    response, _ = call(client, "Echo", framed(REQUEST), [("x-a-bin", sent)])
    assert (response.header("x-a-bin") or "") == given
    values = [value for name, value in response.trailers if name == "trailing-x-a-bin"]
    assert ", ".join(values) == given


@pytest.mark.parametrize("sent", ["A", "AAECA", "A=", "AAE==", "=AAE", "A*EC", "AA=A"])
def test_binary_metadata_that_is_none_is_left_out(client, sent):
    response, _ = call(client, "Echo", framed(REQUEST), [("x-a-bin", sent)])
    assert response.header("x-a-bin") is None
    assert_status(response, "0")


def mutations(count):
    """Bodies that were right once, the same in each run."""
    chance = random.Random(7)
    good = framed(REQUEST) + framed(gzip.compress(bytes(500)), flag=1) + framed(b"")
    for _ in range(count):
        body = bytearray(good[:chance.randrange(len(good) + 1)])
        for _ in range(chance.randrange(4) if body else 0):
            body[chance.randrange(len(body))] = chance.randrange(256)
        yield bytes(body)


@pytest.mark.parametrize("method", ["Echo", "Sum", "Chat", "Count"])
def test_any_body_ends_in_a_status(client, method):
    for body in mutations(100):
        response, _ = call(client, method, body, [("grpc-encoding", "gzip"),
                                                  ("grpc-timeout", "20S")])
        assert response.ended
        status = dict(response.trailers or response.headers)["grpc-status"]
        assert status in ("0", INTERNAL, RESOURCE_EXHAUSTED, UNIMPLEMENTED), body
