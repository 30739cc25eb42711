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
