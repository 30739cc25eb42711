"""A reader of HTTP/1.x, written from the grammar of RFC 9112 and RFC 9110 alone, slow and plain.

It has all of a connection at once, and refuses what docs/http1.md says is refused where the RFC
leaves a choice. The limits are those of tests/h1/events.c.
"""

import re

MAX_BYTES = 2048
MAX_FIELDS = 16
LINE_COST = 32
CONNECTION_MAX = 1024
CHUNK_LINE_MAX = 1024
EXTENSIONS_MAX = 16384
EMPTY_LINES_MAX = 2

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
TEXT = rb"[\t \x21-\x7e\x80-\xff]*"  # HTAB, SP, VCHAR, obs-text
# What a target may be made of: visible ASCII but "#", since clients do not encode all that they should.
TARGET = rb"[!-\"$-~]+"
VERSION = rb"HTTP/1\.([0-9])"

REQUEST_LINE = re.compile(rb"(%s) (%s) %s" % (TOKEN, TARGET, VERSION))
# The space behind the status may be missing where there is no reason.
STATUS_LINE = re.compile(rb"%s ([1-9][0-9]{2})(?: (%s))?" % (VERSION, TEXT))
FIELD_LINE = re.compile(rb"(%s):[\t ]*(%s?)[\t ]*" % (TOKEN, TEXT))
RESPONSE_FIELD_LINE = re.compile(rb"(%s)[\t ]*:[\t ]*(%s?)[\t ]*" % (TOKEN, TEXT))
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})((?:[\t ]*;%s)?)" % TEXT)
LENGTH = re.compile(rb"[0-9]{1,18}")


class Refused(Exception):
    """What came is not a message, or not the whole of one."""


class Reader:
    def __init__(self, data, responses, to_head):
        self.left, self.responses, self.to_head = data, responses, to_head
        self.events = []

    def run(self):
        """The events of all messages, and whether the connection ended behind the last of them."""
        try:
            while self.left:
                self.message()
            return self.events, True
        except Refused:
            return self.events, False

    # Pieces.

    def take(self, n):
        if len(self.left) < n:
            self.tell_content(self.left)
            raise Refused
        taken, self.left = self.left[:n], self.left[n:]
        return taken

    def line(self, most):
        """A line without its CRLF, in which CR and LF stand nowhere else."""
        end = self.left.find(b"\n")
        if end < 1 or self.left[end - 1:end] != b"\r" or end - 1 > most:
            raise Refused
        line, self.left = self.left[:end - 1], self.left[end + 1:]
        if b"\r" in line:
            raise Refused
        return line

    def counted_line(self):
        line = self.line(MAX_BYTES)
        if line:
            self.bytes += len(line) + LINE_COST
            if self.bytes > MAX_BYTES:
                raise Refused
        return line

    def tell_content(self, data):
        if self.in_content:
            self.events[-1] += data.hex()

    # Messages.

    def message(self):
        self.bytes = self.count = 0
        self.in_content = False
        line = self.counted_line()
        for _ in range(EMPTY_LINES_MAX):
            if line == b"" and not self.responses:
                line = self.counted_line()
        self.status_line(line) if self.responses else self.request_line(line)
        fields = self.fields("field")
        self.events.append("content ")
        self.in_content = True
        self.content(*self.framing(fields))
        self.events.append("end")

    def request_line(self, line):
        match = REQUEST_LINE.fullmatch(line)
        if not match:
            raise Refused
        method, target, minor = match.groups()
        self.minor, self.status = min(int(minor), 1), None
        self.events.append(f"start 1.{self.minor} {method.hex()} {target.hex()}")

    def status_line(self, line):
        match = STATUS_LINE.fullmatch(line)
        if not match:
            raise Refused
        minor, status, reason = match.groups()
        self.minor, self.status = min(int(minor), 1), int(status)
        self.events.append(f"start 1.{self.minor} {self.status} {(reason or b'').hex()}")

    def fields(self, what):
        fields = []
        while line := self.counted_line():
            self.count += 1
            match = (RESPONSE_FIELD_LINE if self.responses else FIELD_LINE).fullmatch(line)
            if not match or self.count > MAX_FIELDS:
                raise Refused
            name, value = match[1], match[2].strip(b"\t ")
            fields.append((name.lower(), value))
            if what == "field":
                self.check_field(fields)
            self.events.append(f"{what} {name.hex()} {value.hex()}")
        return fields

    @staticmethod
    def values(fields, name):
        return [value for n, value in fields if n == name]

    def codings(self, fields):
        return [coding.strip(b"\t ").lower() for value in self.values(fields, b"transfer-encoding")
                for coding in value.split(b",")]

    def check_field(self, fields):
        """What is wrong with a field is told before those behind it are read."""
        lengths = self.values(fields, b"content-length")
        codings = self.codings(fields)
        if sum(map(len, self.values(fields, b"connection"))) > CONNECTION_MAX:
            raise Refused
        if len(lengths) > 1 or not all(map(LENGTH.fullmatch, lengths)):
            raise Refused
        if not all(re.fullmatch(TOKEN, coding) for coding in codings) or codings.count(b"chunked") > 1:
            raise Refused

    def framing(self, fields):
        """RFC 9112 6.3: whether there are chunks, and how long the content is; None: to the end."""
        lengths = self.values(fields, b"content-length")
        codings = self.codings(fields)
        if codings and (lengths or self.minor == 0 or codings != [b"chunked"]):
            self.events.pop()  # the head is refused as a whole
            raise Refused
        if self.responses and (self.to_head or self.status < 200 or self.status in (204, 304)):
            return False, 0
        if codings:
            return True, 0
        if lengths:
            return False, int(lengths[0])
        return False, None if self.responses else 0

    def content(self, chunked, length):
        if chunked:
            self.chunks()
        elif length is None:
            self.tell_content(self.take(len(self.left)))
        else:
            self.tell_content(self.take(length))

    def chunks(self):
        extensions = 0
        while True:
            match = CHUNK_LINE.fullmatch(self.chunk_line())
            if not match:
                raise Refused
            extensions += len(match[2])
            if extensions > EXTENSIONS_MAX:
                raise Refused
            if int(match[1], 16) == 0:
                break
            self.tell_content(self.take(int(match[1], 16)))
            self.in_content = False
            if self.take(2) != b"\r\n":
                raise Refused
            self.in_content = True
        self.fields("trailer")

    def chunk_line(self):
        self.in_content = False
        line = self.line(CHUNK_LINE_MAX)
        self.in_content = True
        return line


def read(data, responses=False, to_head=False):
    return Reader(data, responses, to_head).run()
