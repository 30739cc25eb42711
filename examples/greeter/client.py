"""Calls each method of the greeter."""
import sys

import grpc
from helloworld_pb2 import HelloReply, HelloRequest


def method(kind, name):
    return kind(f"/helloworld.Greeter/{name}",
                request_serializer=HelloRequest.SerializeToString,
                response_deserializer=HelloReply.FromString)


def requests(*names):
    for name in names:
        yield HelloRequest(name=name)


with grpc.insecure_channel(sys.argv[1]) as channel:
    say_hello = method(channel.unary_unary, "SayHello")
    print("SayHello:", say_hello(HelloRequest(name="moon")).message)
    try:
        say_hello(HelloRequest())
    except grpc.RpcError as error:
        print("SayHello:", error.code().name, error.details())
    for reply in method(channel.unary_stream, "SayMany")(HelloRequest(name="moon")):
        print("SayMany:", reply.message)
    print("Collect:", method(channel.stream_unary, "Collect")(requests("sun", "moon")).message)
    for reply in method(channel.stream_stream, "Chat")(requests("sun", "moon")):
        print("Chat:", reply.message)
