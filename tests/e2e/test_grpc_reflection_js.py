"""Reflection by clients of npm, which build all types of a service from the files that they are given."""
import json
import os
import subprocess
from urllib.parse import urlsplit

import pytest

from optional import REFLECTJS, need
from server import ROOT, Server, write_scripts
import test_grpc_reflection as plain

need("node", "reflect-js")

FOLDER = ROOT / "tests/e2e/reflectjs"
LEAVES = 60
HEAD = 'syntax = "proto3"; package {}; '
SERVICE = """
    local S = require("moontrail.grpc").service("{}", "{}")
    function S.Do(request) return request end
    return S"""


def many_imports():
    """A file that imports many, of which each imports the next three."""
    files = {}
    for n in range(LEAVES):
        near = range(n + 1, min(n + 4, LEAVES))
        files[f"leaf{n}.proto"] = HEAD.format(f"leaf{n}") + "".join(
            f'import "leaf{m}.proto"; ' for m in near) + "message M { " + "".join(
            f"leaf{m}.M m{m} = {m + 1}; " for m in near) + "}"
    files["wide.proto"] = HEAD.format("wide") + "".join(
        f'import "leaf{n}.proto"; ' for n in range(LEAVES)) + "message M { " + "".join(
        f"leaf{n}.M m{n} = {n + 1}; " for n in range(LEAVES)) + "} service S { rpc Do(M) returns (M); }"
    files["wide.lua"] = SERVICE.format("wide.proto", "wide.S")
    return files


def equal_names():
    """Two folders whose files have the same names, and other contents."""
    files = {}
    for folder in "north", "south":
        files[f"{folder}/types.proto"] = (
            HEAD.format(f"{folder}.types") + f"message T {{ string of_{folder} = 1; }}")
        files[f"{folder}/service.proto"] = (
            HEAD.format(folder) + 'import "types.proto"; '
            "message M { types.T t = 1; } service S { rpc Do(M) returns (M); }")
        files[f"{folder}/service.lua"] = SERVICE.format("service.proto", f"{folder}.S")
    return files


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each client has found."""
    scripts = write_scripts(
        tmp_path_factory.mktemp("scripts"), {**plain.SCRIPTS, **many_imports(), **equal_names()})
    server = Server(scripts)
    done = subprocess.run(
        ["node", FOLDER / "client.js", urlsplit(server.http).netloc], timeout=60,
        env={**os.environ, "NODE_PATH": str(REFLECTJS)}, capture_output=True, text=True)
    server.stop()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("client", ["grpc-reflection-js", "v1", "v1alpha"])
@pytest.mark.parametrize("service", ["a.S", "e.S", "wide.S", "north.S", "south.S"])
def test_a_client_resolves_a_service_with_all_of_its_types(found, client, service):
    assert found[client][service] == ["Do"]


def test_each_client_finds_each_service(found):
    for services in found.values():
        assert {"a.S", "e.S", "wide.S", "north.S", "south.S"} <= set(services)
        assert not [name for name, methods in services.items() if isinstance(methods, str)], services
