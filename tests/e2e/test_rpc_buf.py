"""Calls by buf curl: three protocols, four kinds of method, over HTTP/1.1, h2c and TLS."""
import json
import os
import ssl
import subprocess
from urllib.parse import urlsplit

import pytest

from optional import RPCJS, need
from rpc import PROTO, scripts
from server import write_scripts

need("node", "protoc", "rpc-js")

SCRIPTS = scripts()

ABC = '{"text":"a"}{"text":"b"}{"text":"c"}'
CASES = {
    "Echo": ('{"text":"m\u00f6on","bigCount":"12345678901"}',
             [{"text": "m\u00f6on", "bigCount": "12345678901"}]),
    "Count": ('{"text":"x","count":2}', [{"text": "x", "count": 1}, {"text": "x", "count": 2}]),
    "Sum": (ABC, [{"text": "abc", "count": 3}]),
    "Chat": (ABC, [{"text": "a"}, {"text": "b"}, {"text": "c"}]),
}


@pytest.fixture(scope="module")
def curl(server, tmp_path_factory):
    """Calls by buf curl, and gives what it prints and its exit status."""
    folder = write_scripts(tmp_path_factory.mktemp("buf"), {"rpc.proto": PROTO})
    subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={folder}/set.binpb",
                    "rpc.proto"], check=True)
    parts = urlsplit(server.https)
    (folder / "root.pem").write_text(ssl.get_server_certificate((parts.hostname, parts.port)))
    ways = {"http1": (server.http,), "h2c": (server.http, "--http2-prior-knowledge"),
            "tls": (server.https, "--cacert", folder / "root.pem", "--servername", "localhost")}

    def call(protocol, way, method, data, *options, schema=("--schema", folder / "set.binpb")):
        url, *more = ways[way]
        command = [RPCJS / ".bin/buf", "curl", *schema, "--protocol", protocol, *more, *options,
                   "-d", data, f"{url}/test.Rpc/{method}"]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOME": str(folder)})

    return call


def values(text):
    """The JSON values in a text, one behind the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


@pytest.mark.parametrize("method", CASES)
@pytest.mark.parametrize("protocol, way", [
    ("connect", "http1"), ("connect", "h2c"), ("connect", "tls"), ("grpcweb", "http1"),
    ("grpcweb", "h2c"), ("grpcweb", "tls"), ("grpc", "h2c"), ("grpc", "tls")])
def test_call(curl, protocol, way, method):
    data, wanted = CASES[method]
    done = curl(protocol, way, method, data)
    assert (done.returncode, values(done.stdout)) == (0, wanted), done.stderr


@pytest.mark.parametrize("protocol, way", [("connect", "http1"), ("grpcweb", "http1"),
                                           ("grpc", "h2c"), ("connect", "tls")])
def test_failure(curl, protocol, way):
    done = curl(protocol, way, "Fail", '{"text":"no such","count":5,"data":"AQ=="}')
    error, = values(done.stderr)
    assert done.returncode and (error["code"], error["message"]) == ("not_found", "no such")
    assert [detail["type"] for detail in error["details"]] == ["test.Data", "no.Such"]


@pytest.mark.parametrize("protocol", ["grpc-v1", "grpc-v1alpha"])
def test_types_by_reflection(curl, protocol):
    done = curl("grpc", "h2c", "Echo", '{"text":"x"}', schema=(
        "--reflect", "--reflect-protocol", protocol))
    assert values(done.stdout) == [{"text": "x"}], done.stderr
