"""gRPC calls by the C library's client: the four kinds, metadata, statuses, limits, compression."""
import threading

import pytest

grpc = pytest.importorskip("grpc")

from grpc_service import Data, Protos, calls, open_channel, scripts

STATUS = Protos(status="""
    syntax = "proto3";
    package google.rpc;
    import "google/protobuf/any.proto";
    message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
    """).message("google.rpc.Status")

SCRIPTS = scripts()


SERVER_OPTIONS = ("--max-cpu", "5")  # sanitizers and 4 MiB take a busy machine long


@pytest.fixture(params=["https", "http"])
def channel(request, server):
    with open_channel(getattr(server, request.param)) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return calls(channel)


def failure(call):
    """The error that a call raises."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


def test_unary(stub):
    request = Data(text="héllo", count=-1, data=b"\0\xff")
    assert stub.Echo(request) == request
    assert stub.Echo(Data()) == Data()


def test_server_streaming(stub):
    assert [reply.count for reply in stub.Count(Data(count=100))] == list(range(1, 101))
    assert list(stub.Count(Data())) == []


def test_client_streaming(stub):
    assert stub.Sum(Data(text=text) for text in "abc") == Data(count=3, text="abc")
    assert stub.Sum(iter(())) == Data()


def test_client_streaming_that_is_answered_early(stub):
    endless = (Data(text=str(i), data=bytes(1000)) for i in range(1_000_000_000))
    assert stub.First(endless).text == "0"


def test_bidirectional(stub):
    answered = threading.Event()
    answered.set()

    def requests():
        for i in range(20):
            assert answered.wait(20)
            answered.clear()
            yield Data(count=i)

    for i, reply in enumerate(stub.Chat(requests())):
        assert reply.count == i
        answered.set()
    assert i == 19


def test_a_message_of_many_frames(stub):
    request = Data(data=bytes(range(256)) * 8000)
    assert stub.Echo(request) == request
    assert list(stub.Chat(iter([request] * 3))) == [request] * 3


def test_metadata(stub):
    sent = (("x-plain", "a b~!"), ("x-some-bin", b"\0\x01\xff"), ("x-one-bin", b"a"),
            ("x-many", "1"), ("x-many", "2"), ("x-empty", ""), ("x-empty-bin", b""))
    _, call = stub.Echo.with_call(Data(), metadata=sent)
    assert set(sent) <= set(call.initial_metadata())
    trailing = [(key.replace("trailing-", ""), value) for key, value in call.trailing_metadata()]
    assert set(sent) <= set(trailing)
    assert [value for key, value in trailing if key == "x-many"] == ["1", "2"]


@pytest.mark.parametrize("code", list(grpc.StatusCode)[1:], ids=lambda code: code.name)
def test_status(stub, code):
    text = "\t\ntext\r\n100% \u263a \U0001f608"
    error = failure(lambda: stub.Fail(Data(count=code.value[0], text=text)))
    assert (error.code(), error.details()) == (code, text)


def test_status_with_metadata(stub):
    error = failure(lambda: stub.Fail(Data(count=5), metadata=(("x-a", "1"), ("x-b-bin", b"2"))))
    assert ("x-a", "1") in error.initial_metadata()
    assert ("trailing-x-b-bin", b"2") in error.trailing_metadata()
    assert error.code() == grpc.StatusCode.NOT_FOUND


def test_status_with_details(stub):
    request = Data(count=3, text="no", data=b"\xff" * 200)
    error = failure(lambda: stub.Fail(request))
    trailing = dict(error.trailing_metadata())
    status = STATUS.FromString(trailing["grpc-status-details-bin"])
    assert (status.code, status.message) == (3, "no")
    assert status.details[0].type_url == "type.googleapis.com/test.Data"
    assert Data.FromString(status.details[0].value) == request
    assert (status.details[1].type_url, status.details[1].value) == ("x/any", request.data)


def test_status_after_a_reply(stub):
    call = stub.FailLate(iter([Data(text="x")]))
    assert next(call).text == "x"
    error = failure(lambda: next(call))
    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "half of it is gone")
    assert ("x-late", "yes") in error.trailing_metadata()


def test_an_error_is_unknown_to_the_client_and_told_in_the_log(stub, server):
    error = failure(lambda: stub.Raise(Data(text="secret one")))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, "the handler failed")
    line = server.wait_for("grpc call failed.*secret one").string
    assert "/test.Calls/Raise" in line and "calls.lua:" in line and "traceback" in line


def test_with_dev_the_client_is_told_too(start):
    server = start(scripts(), "--dev")
    with open_channel(server.http) as channel:
        error = failure(lambda: calls(channel).Raise(Data(text="open one")))
    assert error.code() == grpc.StatusCode.UNKNOWN
    assert "calls.lua:" in error.details() and "open one" in error.details()


@pytest.mark.parametrize("request_, problem", [
    (Data(text="nonsense", count=1), "test.Data.*nonsense"),
    (Data(text="text", count=1), "test.Data.text"),
    (Data(), "/test.Calls/Wrong has a nil as its reply"),
])
def test_a_wrong_reply_names_message_and_field(stub, server, request_, problem):
    assert failure(lambda: stub.Wrong(request_)).code() == grpc.StatusCode.UNKNOWN
    server.wait_for("grpc call failed.*" + problem)


def test_a_method_that_the_script_leaves_out(stub):
    assert failure(lambda: stub.Missing(Data())).code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_method_or_service_that_nobody_knows(channel):
    for path in ("/test.Calls/None", "/test.None/Echo"):
        error = failure(lambda: channel.unary_unary(path)(b""))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        assert error.details() == "there is no method " + path


def test_a_message_that_is_none(channel):
    error = failure(lambda: channel.unary_unary("/test.Calls/Echo")(b"\x0a\xff"))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "test.Data" in error.details()


def test_a_message_up_to_4_mib_is_taken(stub):
    size = (4 << 20) - 5
    assert stub.Sum(iter([Data(data=bytes(size))])).count == 1
    for method, request in (stub.Sum, iter([Data(data=bytes(size + 1))])), \
            (stub.Echo, Data(data=bytes(size + 1))):
        assert failure(lambda: method(request)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_service_may_have_another_limit(start):
    server = start(scripts("{ max_message = 10 }"))
    with open_channel(server.http) as channel:
        stub = calls(channel)
        assert stub.Echo(Data(text="12345678")).text == "12345678"
        error = failure(lambda: stub.Echo(Data(text="123456789")))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        error = failure(lambda: stub.Echo(Data(text="x" * 100),
                                          compression=grpc.Compression.Gzip))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests(stub, compression):
    request = Data(text="x" * 10000)
    reply, call = stub.Echo.with_call(request, compression=compression)
    assert reply == request
    assert ("x-compressed", "true") in call.trailing_metadata()
    assert stub.Sum(iter([request] * 3), compression=compression).count == 3


def test_an_inflated_message_has_the_same_limit(stub):
    request = Data(data=bytes(5 << 20))
    error = failure(lambda: stub.Echo(request, compression=grpc.Compression.Gzip))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_compressed_replies(start, name):
    server = start(scripts(f'{{ compression = "{name}" }}'))
    with open_channel(server.http) as channel:
        stub = calls(channel)
        request = Data(text="y" * 100000)
        reply, call = stub.Echo.with_call(request)
        assert reply == request
        replies = stub.Count(Data(count=5, data=bytes(1000)))
        assert [len(reply.data) for reply in replies] == [1000] * 5


def test_a_hundred_streams_at_once(stub):
    count = 100
    together = threading.Barrier(count)
    problems = []

    def chat(number):
        sent = [Data(count=number * 1000 + i) for i in range(20)]

        def requests():
            yield sent[0]
            together.wait(60)  # each has been begun
            yield from sent[1:]

        try:
            assert list(stub.Chat(requests())) == sent
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=chat, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
