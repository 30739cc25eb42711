"""Cases of gRPC's interoperability tests, under the names that their description gives them."""
import sys
import threading

import grpc
import messages_pb2 as messages
from empty_pb2 import Empty

SIZES = [31415, 9, 2653, 58979]
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


def method(kind, name, reply, service="TestService"):
    return kind(f"/grpc.testing.{service}/{name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=reply.FromString)


def payload(size):
    return messages.Payload(body=bytes(size))


def wait_for(event):
    """Requests that never come, until the event does."""
    event.wait()
    yield from ()


def status_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


class Cases:
    def __init__(self, channel):
        self.channel = channel
        self.unary = method(channel.unary_unary, "UnaryCall", messages.SimpleResponse)
        self.duplex = method(channel.stream_stream, "FullDuplexCall",
                             messages.StreamingOutputCallResponse)

    def empty_unary(self):
        assert method(self.channel.unary_unary, "EmptyCall", Empty)(Empty()) == Empty()

    def large_unary(self):
        reply = self.unary(messages.SimpleRequest(response_size=314159, payload=payload(271828)))
        assert reply.payload.body == bytes(314159)

    def client_streaming(self):
        call = method(self.channel.stream_unary, "StreamingInputCall",
                      messages.StreamingInputCallResponse)
        reply = call(messages.StreamingInputCallRequest(payload=payload(size))
                     for size in (27182, 8, 1828, 45904))
        assert reply.aggregated_payload_size == 74922

    def server_streaming(self):
        call = method(self.channel.unary_stream, "StreamingOutputCall",
                      messages.StreamingOutputCallResponse)
        request = messages.StreamingOutputCallRequest()
        for size in SIZES:
            request.response_parameters.add(size=size)
        assert [len(reply.payload.body) for reply in call(request)] == SIZES

    def ping_pong(self):
        requests = [messages.StreamingOutputCallRequest(
            response_parameters=[messages.ResponseParameters(size=size)]) for size in SIZES]
        assert [len(reply.payload.body) for reply in self.duplex(iter(requests))] == SIZES

    def empty_stream(self):
        assert list(self.duplex(iter(()))) == []

    def custom_metadata(self):
        sent = (("x-grpc-test-echo-initial", "test_initial_metadata_value"),
                ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"))
        _, call = self.unary.with_call(messages.SimpleRequest(), metadata=sent)
        assert sent[0] in call.initial_metadata()
        assert sent[1] in call.trailing_metadata()

    def status_code_and_message(self):
        request = messages.SimpleRequest()
        request.response_status.code, request.response_status.message = 2, "test status message"
        assert status_of(lambda: self.unary(request)) == ("UNKNOWN", "test status message")

    def special_status_message(self):
        request = messages.SimpleRequest()
        request.response_status.code, request.response_status.message = 2, SPECIAL
        assert status_of(lambda: self.unary(request)) == ("UNKNOWN", SPECIAL)

    def unimplemented_method(self):
        call = method(self.channel.unary_unary, "UnimplementedCall", Empty)
        assert status_of(lambda: call(Empty()))[0] == "UNIMPLEMENTED"

    def unimplemented_service(self):
        call = method(self.channel.unary_unary, "UnimplementedCall", Empty, "UnimplementedService")
        assert status_of(lambda: call(Empty()))[0] == "UNIMPLEMENTED"

    def client_compressed_unary(self):
        request = messages.SimpleRequest(response_size=314159, payload=payload(271828))
        request.expect_compressed.value = True
        assert status_of(lambda: self.unary(request))[0] == "INVALID_ARGUMENT"
        reply = self.unary(request, compression=grpc.Compression.Gzip)
        assert len(reply.payload.body) == 314159

    def server_compressed_unary(self):
        request = messages.SimpleRequest(response_size=314159)
        request.response_compressed.value = True
        assert self.unary(request).payload.body == bytes(314159)

    def timeout_on_sleeping_server(self):
        request = messages.StreamingOutputCallRequest(
            response_parameters=[messages.ResponseParameters(interval_us=10000000)])
        replies = self.duplex(iter([request]), timeout=0.05)
        assert status_of(lambda: list(replies))[0] == "DEADLINE_EXCEEDED"

    def cancel_after_begin(self):
        cancelled = threading.Event()
        call = method(self.channel.stream_unary, "StreamingInputCall",
                      messages.StreamingInputCallResponse).future(wait_for(cancelled))
        call.cancel()
        cancelled.set()
        assert call.cancelled()

    def cancel_after_first_response(self):
        request = messages.StreamingOutputCallRequest(response_parameters=[
            messages.ResponseParameters(size=31415),
            messages.ResponseParameters(size=31415, interval_us=10000000)])
        replies = self.duplex(iter([request]))
        next(replies)
        replies.cancel()
        assert status_of(lambda: next(replies))[0] == "CANCELLED"


with grpc.insecure_channel(sys.argv[1]) as open_channel:
    cases = Cases(open_channel)
    for name in [name for name in vars(Cases) if not name.startswith("_")]:
        getattr(cases, name)()
        print(name)
