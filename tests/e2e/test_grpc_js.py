"""gRPC calls by @grpc/grpc-js, which shares nothing with the C library's client."""
import json
import os
import re
import ssl
import subprocess
from urllib.parse import urlsplit

import pytest

from optional import GRPCJS, need
from server import ROOT, Server

need("node", "grpc-js")

FOLDER = ROOT / "tests/e2e/grpcjs"
CASES = re.findall(r"^  (?:async )?(\w+)(?:\(\) \{|:)", (FOLDER / "client.js").read_text().split(
    "const cases = {")[1], re.M)


@pytest.fixture(scope="module", params=["https", "http"])
def results(request, tmp_path_factory):
    """What became of each case."""
    server = Server(ROOT / "examples/interop")
    parts = urlsplit(getattr(server, request.param))
    command = ["node", FOLDER / "client.js", ROOT / "examples/interop", parts.netloc]
    if request.param == "https":
        root = tmp_path_factory.mktemp("root") / "root.pem"
        root.write_text(ssl.get_server_certificate((parts.hostname, parts.port)))
        command.append(root)
    done = subprocess.run(command, env={**os.environ, "NODE_PATH": str(GRPCJS)}, timeout=60,
                          capture_output=True, text=True)
    server.stop()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES)
def test_case(results, case):
    assert results[case] == "ok"


def test_no_case_is_left_out(results):
    assert set(results) == set(CASES) and len(CASES) >= 19
