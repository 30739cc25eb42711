"""Fixtures: servers, connections to them, certificates."""
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from client import Client
from http1 import Http1
from optional import MISSING, refuse_gaps_in_ci
from postgres import Postgres
from reloading import Watched
from server import ROOT, Server, write_scripts
from upstreams import Upstream


def pytest_sessionstart():
    refuse_gaps_in_ci()


def pytest_report_header():
    return f"left out, as what they need is missing: {', '.join(MISSING)}" if MISSING else ""


def is_grpc_over_http1(item):
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return (getattr(params.get("protocol"), "name", None) == "grpc"
            and str(params.get("client")).startswith("http1"))


def pytest_collection_modifyitems(config, items):
    """gRPC itself is HTTP/2's: with HTTP/1.1 it makes no test."""
    config.hook.pytest_deselected(items=[item for item in items if is_grpc_over_http1(item)])
    items[:] = [item for item in items if not is_grpc_over_http1(item)]


@pytest.fixture(scope="session")
def demo():
    """Serves scripts/, with every line of its log."""
    server = Server(ROOT / "scripts")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    """Serves the SCRIPTS of the test's module, with its SERVER_OPTIONS if it has some."""
    folder = write_scripts(tmp_path_factory.mktemp("scripts"), request.module.SCRIPTS)
    server = Server(folder, *getattr(request.module, "SERVER_OPTIONS", ()))
    yield server
    server.stop()


@pytest.fixture
def start(tmp_path):
    """Starts servers of a test's own, from scripts as a table or a path."""
    with ExitStack() as stack:
        def start_one(scripts, *options, **more):
            if isinstance(scripts, dict):
                scripts = write_scripts(tmp_path / "scripts", scripts)
            server = Server(scripts, *options, **more)
            stack.callback(server.stop)
            return server

        yield start_one


@pytest.fixture
def connect():
    """Opens connections, closed at the test's end."""
    with ExitStack() as stack:
        yield lambda url, **more: stack.enter_context(Client(url, **more))


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """A PostgreSQL server."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = Postgres(certificate, key)
    yield server
    server.stop()


@pytest.fixture
def upstream():
    """Starts upstreams of a test's own."""
    started = []

    def start_one(serve, kind=Upstream, **more):
        started.append(kind(serve, **more))
        return started[-1]

    yield start_one
    for one in started:
        one.stop()


@pytest.fixture
def http1():
    """Opens connections of HTTP/1.x, closed at the test's end."""
    with ExitStack() as stack:
        yield lambda url, **more: stack.enter_context(Http1(url, **more))


@pytest.fixture
def client(server, connect):
    """A connection over TLS to the module's server."""
    return connect(server.https)


@pytest.fixture
def serve(start, connect):
    """Starts servers whose scripts are to change."""
    return lambda scripts, *options, **more: Watched(start(scripts, *options, **more), connect)


@pytest.fixture
def watch(serve):
    """Starts servers that watch their scripts."""
    return lambda scripts, *options, **more: serve(scripts, "--watch", *options, **more)


@pytest.fixture
def open_folder():
    """A folder that any user can read."""
    folder = tempfile.mkdtemp(prefix="moontrail-")
    os.chmod(folder, 0o755)
    yield Path(folder)
    shutil.rmtree(folder)


@dataclass
class Certificate:
    cert: Path
    key: Path

    @property
    def options(self):
        return ("--cert", self.cert, "--key", self.key)


def make_certificate(folder, name, alternative):
    """A self-signed certificate for a name, or for an address."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}",
         "-out", made.cert, "-keyout", made.key], check=True, capture_output=True)
    return made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Two self-signed certificates, by the name that each is for."""
    folder = tmp_path_factory.mktemp("certificates")
    return {name: make_certificate(folder, name, f"DNS:{name}")
            for name in ("one.test", "two.test")}


@pytest.fixture(scope="session")
def local_certificate(tmp_path_factory):
    """A self-signed certificate for the address that tests listen on."""
    return make_certificate(tmp_path_factory.mktemp("certificate"), "local", "IP:127.0.0.1")
