"""Places that a store can lie in: what --store says."""
from contextlib import contextmanager

from optional import need
from redis_servers import Redis

PLACES = ["memory:", "file:", "redis:"]


@contextmanager
def place_of(kind, tmp_path_factory):
    """A store that is empty; a server that it lies on runs meanwhile."""
    if kind == "memory:":
        yield kind
    elif kind == "file:":
        yield f"file:{tmp_path_factory.mktemp('store') / 'store.mdb'}"
    else:
        need("redis-server")
        server = Redis(tmp_path_factory.mktemp("redis"))
        try:
            yield f"{server.url}/1?prefix=tests"
        finally:
            server.kill()
