"""Name servers that do whatever a test tells them, and servers under test that ask them."""
import random
import socket
import struct
import threading

HEADER, TYPE_A = 12, 1
NAME_ERROR, SERVER_FAILURE, REFUSED = 3, 2, 5

# Puts a file in the place of the system's own, in a namespace of mounts that ends with the server.
INSTEAD = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


def through(resolv_conf):
    """What a server is started through, to be told of its name servers by a file."""
    return ["unshare", "-rm", "sh", "-c", INSTEAD, str(resolv_conf)]


def told_of(folder, address):
    """A file that names the name server of an address, which is at port 53: such files know no other."""
    file = folder / "resolv.conf"
    file.write_text(f"nameserver {address}\n")
    return file


def any_address():
    """An address of this machine that nobody else uses."""
    return f"127.53.{random.randrange(256)}.{random.randrange(1, 255)}"


class NameServer:
    """Knows that each name is at 127.0.0.1, and says so while it has no code to answer instead; with
    None for a code it is mute."""

    def __init__(self, code=0):
        self.code, self.asked = code, threading.Semaphore(0)
        self.address = any_address()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            question, peer = self._socket.recvfrom(512)
            if not question:
                self._socket.close()
                return
            code = self.code
            self.asked.release()
            if code is not None:
                self._socket.sendto(self._answer(question, code), peer)

    @staticmethod
    def _answer(packet, code):
        end = packet.index(b"\0", HEADER) + 5
        is_4 = struct.unpack("!H", packet[end - 4:end - 2])[0] == TYPE_A
        address = struct.pack("!HHHIH4s", 0xc000 | HEADER, TYPE_A, 1, 60, 4, b"\x7f\0\0\1")
        known = is_4 and code == 0
        head = packet[:2] + struct.pack("!HHHHH", 0x8400 | code, 1, known, 0, 0)
        return head + packet[HEADER:end] + (address if known else b"")

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (self.address, 53))
