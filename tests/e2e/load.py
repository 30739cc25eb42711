"""Clients that ask again and again, in a process of their own, and count what goes wrong."""
import multiprocessing
import re
from collections import Counter

from client import Client, Closed

STREAMS = 5  # requests at once on a connection
REFUSED = 7  # REFUSED_STREAM: not processed


class Visitor:
    """One connection after another: told to go away, it finishes and comes back."""

    def __init__(self, url, path, expected, counts):
        self._url, self._path, self._expected, self._counts = url, path, expected, counts
        self._client = Client(url)

    def visit(self):
        if self._connect():
            self._ask(self._client)

    def _connect(self):
        """Whether there is a connection; one that cannot be made is a failure."""
        try:
            self._client = self._client or Client(self._url)
        except OSError:
            self._counts["failed"] += 1
        return self._client

    def _ask(self, client):
        streams = []
        try:
            for _ in range(STREAMS):
                streams.append(client.request(self._path))
            client.wait(lambda: all(self._is_over(stream) for stream in streams))
        except (Closed, OSError):
            pass
        for stream in streams:
            self._counts[self._verdict(stream)] += 1
        if client.goaways or not streams or not client.so_far(streams[-1]).over:
            self.close()
            self._client = None

    def _is_refused(self, stream):
        """Whether the server has said that it did not process the request."""
        return (any(stream > goaway.last_stream for goaway in self._client.goaways)
                or self._client.so_far(stream).reset == REFUSED)

    def _is_over(self, stream):
        return self._client.so_far(stream).over or self._is_refused(stream)

    def _verdict(self, stream):
        response = self._client.so_far(stream)
        if self._is_refused(stream):
            return "refused"
        if (response.ended and response.status == 200
                and re.fullmatch(self._expected, response.text)):
            return "answered"
        return "failed"

    def close(self):
        if self._client:
            self._client.close()


def ask(url, path, expected, connections, pipe):
    counts, problem = Counter(), None
    try:
        visitors = [Visitor(url, path, expected, counts) for _ in range(connections)]
        pipe.send("ready")
        while not pipe.poll():
            for visitor in visitors:
                visitor.visit()
        for visitor in visitors:
            visitor.close()
    except Exception as error:
        problem = repr(error)
    pipe.send((counts, problem))


class Load:
    """Asks from its start to stop(). expected is a pattern for the whole text of an answer."""

    def __init__(self, url, path="/hello", expected="hello", connections=4):
        fork = multiprocessing.get_context("fork")
        self._pipe, theirs = fork.Pipe()
        self._process = fork.Process(
            target=ask, args=(url, path, expected, connections, theirs), daemon=True)
        self._process.start()
        theirs.close()
        assert self._pipe.recv() == "ready"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def stop(self):
        """How many requests were answered, refused without having been processed, and failed."""
        self._pipe.send("stop")
        counts, problem = self._pipe.recv()
        self._process.join()
        assert problem is None, problem
        return counts
