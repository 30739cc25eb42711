#!/usr/bin/python3
"""Serves the handler beside it as the conformance tests' runner wants it: a ServerCompatRequest on
standard input says how, and a ServerCompatResponse on standard output says where. Ends by SIGTERM.

    connectconformance --mode server --conf config.yaml -- examples/conformance/server.py
"""
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MOONTRAIL = os.environ.get("MOONTRAIL", HERE / "../../build/moontrail")


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def read_message(data):
    """The last value of each field of a message, by number: integers and bytes."""
    fields, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        fields[key >> 3] = value
    return fields


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def read_request():
    """The protocol, the version of HTTP, and what else the runner asks for."""
    size, = struct.unpack(">L", sys.stdin.buffer.read(4))
    return read_message(sys.stdin.buffer.read(size))


def write_response(port, certificate):
    message = field(1, b"127.0.0.1") + b"\x10" + varint(port)
    if certificate:
        message += field(3, certificate)
    sys.stdout.buffer.write(struct.pack(">L", len(message)) + message)
    sys.stdout.buffer.flush()


def options_of(request, folder):
    """What the server is told: where to listen, and its certificate."""
    if not request.get(4):
        return ["--listen", "http://127.0.0.1:0"]
    credentials = read_message(request.get(7, b""))
    options = ["--listen", "https://127.0.0.1:0"]
    for number, option in ((1, "--cert"), (2, "--key")):
        file = Path(folder, option)
        file.write_bytes(credentials[number])
        options += [option, str(file)]
    return options


def main():
    request = read_request()
    environment = dict(os.environ)
    if request.get(6):
        environment["MESSAGE_RECEIVE_LIMIT"] = str(request[6])
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [MOONTRAIL, *options_of(request, folder), str(HERE / "handler.lua")],
            env=environment, stderr=subprocess.PIPE, text=True)
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        for line in server.stderr:
            if match := re.search(r"ready listen=\w+://[^ ]*:(\d+)", line):
                write_response(int(match[1]), read_message(request.get(7, b"")).get(1))
            sys.stderr.write(line)
        sys.exit(server.wait())


if __name__ == "__main__":
    main()
