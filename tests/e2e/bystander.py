"""Who must not suffer from what others do."""
import threading
import time


class Bystander(threading.Thread):
    """Asks for /hello again and again on a connection of its own; knows its worst wait."""

    def __init__(self, connection):
        super().__init__(daemon=True)
        self.connection, self.worst, self.count = connection, 0, 0
        self._over = threading.Event()

    def run(self):
        while not self._over.is_set():
            begin = time.monotonic()
            assert self.connection.fetch("/hello").text == "hello"
            self.worst = max(self.worst, time.monotonic() - begin)
            self.count += 1
            time.sleep(0.002)

    def stop(self):
        self._over.set()
        self.join()


class Compared:
    """A bystander, and a second one at an idle server at the same time: what that one waits for is the
    machine's doing, and allowed for."""

    def __init__(self, connection, idle):
        self._pair = [Bystander(connection), Bystander(idle)]

    def __enter__(self):
        for one in self._pair:
            one.start()
        return self

    def __exit__(self, *_):
        for one in self._pair:
            one.stop()

    @property
    def count(self):
        return self._pair[0].count

    @property
    def worst(self):
        """Seconds, less what a busy machine accounts for."""
        ours, idle = (one.worst for one in self._pair)
        return max(0, ours - 3 * idle)
