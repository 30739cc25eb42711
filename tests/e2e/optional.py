"""What some tests need beside the packages that all do. Where it cannot be had they are left out, and
told; in CI nothing may be missing."""
import importlib.util
import os
import shutil
from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parents[2] / "build"
GRPCJS = BUILD / "grpcjs/node_modules"
JOSEJS = BUILD / "josejs/node_modules"
REFLECTJS = BUILD / "reflectjs/node_modules"
RPCJS = BUILD / "rpcjs/node_modules"
# Where Debian has the newest version's programs.
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql/bin"))


def has_module(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def has_program(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") is not None


FOUND = {
    **{name: has_program(name) for name in ("chromium", "etcd", "mdb_load", "memcached", "nginx", "node",
                                         "protoc", "redis-server")},
    **{name: has_module(name) for name in ("grpc", "google.protobuf")},
    **{name: Path("/usr/share/lua/5.1", name).exists()
       for name in ("nginx/memcached.lua", "nginx/redis.lua")},
    "grpc-js": GRPCJS.exists(),
    "jose-js": JOSEJS.exists(),
    "reflect-js": REFLECTJS.exists(),
    "rpc-js": RPCJS.exists(),
    "postgres": (POSTGRES / "postgres").exists(),
}
MISSING = sorted(name for name, found in FOUND.items() if not found)


def need(*names):
    """Leaves out the test that calls it, or the whole module, unless all of these are there."""
    missing = [name for name in names if not FOUND[name]]
    if missing:
        pytest.skip(f"without {', '.join(missing)}", allow_module_level=True)


def refuse_gaps_in_ci():
    if MISSING and os.environ.get("CI"):
        pytest.exit(f"missing: {', '.join(MISSING)}", returncode=1)
