"""Talks to a gRPC service through the edge: each message is answered before the next one is sent.
Usage: client.py HOST:PORT"""
import queue
import sys

import grpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    said = queue.Queue()
    call = channel.stream_stream("/example.Echo/Chat")(iter(said.get, None), timeout=20)
    for word in (b"one", b"two", b"three"):
        said.put(word)
        print("said", word.decode(), "and heard", next(call).decode())
    said.put(None)
    for message in call:
        print("heard", message.decode(), "that nobody said")
    print(call.code().name, *(value for key, value in call.trailing_metadata() if key == "x-behind"))
