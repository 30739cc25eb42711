"""Calls by @connectrpc/connect, of Connect, gRPC-Web and gRPC, and by Google's grpc-web."""
import json
import ssl
import subprocess
from collections import Counter
from urllib.parse import urlsplit

import pytest

from optional import RPCJS, need
from rpc import PROTO, scripts
from server import ROOT, Server, write_scripts

need("node", "protoc", "rpc-js")

CLIENT = ROOT / "tests/e2e/rpcjs/client.mjs"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What became of each case."""
    folder = tmp_path_factory.mktemp("rpcjs")
    write_scripts(folder, {"rpc.proto": PROTO})
    subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={folder}/set", "rpc.proto"],
                   check=True)
    server = Server(write_scripts(tmp_path_factory.mktemp("scripts"), scripts(
        '{ compression = "gzip" }')))
    parts = urlsplit(server.https)
    (folder / "root.pem").write_text(ssl.get_server_certificate((parts.hostname, parts.port)))
    done = subprocess.run(["node", CLIENT, RPCJS, folder / "set", server.http, server.https,
                           folder / "root.pem"], timeout=300, capture_output=True, text=True)
    server.stop()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_call_goes_well(results):
    assert {name: result for name, result in results.items() if result != "ok"} == {}


def test_no_case_is_left_out(results):
    transports = Counter(name.split(": ")[0] for name in results)
    assert len(transports) == 42 and len(results) == 40 * 13 + 2 * 3
