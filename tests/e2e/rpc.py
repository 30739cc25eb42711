"""Calls of one service by every protocol, as bytes: what goes out and comes in is put together and
taken apart here, over HTTP/1.1 and HTTP/2 alike."""
import base64
import json
import struct
from dataclasses import dataclass, field

PROTO = """
    syntax = "proto3";
    package test;
    message Data {
      string text = 1; int32 count = 2; bytes data = 3; repeated string names = 4;
      int64 big_count = 5;
    }
    service Rpc {
      rpc Echo(Data) returns (Data);
      rpc Look(Data) returns (Data) { option idempotency_level = NO_SIDE_EFFECTS; }
      rpc Fail(Data) returns (Data);
      rpc Raise(Data) returns (Data);
      rpc Sleep(Data) returns (Data);
      rpc Missing(Data) returns (Data);
      rpc Tell(Data) returns (Data);
      rpc Count(Data) returns (stream Data);
      rpc Sum(stream Data) returns (Data);
      rpc Chat(stream Data) returns (stream Data);
      rpc FailLate(stream Data) returns (stream Data);
    }"""

SERVICE = """
    local grpc = require "moontrail.grpc"
    local mt = require "moontrail"
    local Rpc = grpc.service("rpc.proto", "test.Rpc", %s)

    local function echo_metadata(call)
        for name, value in pairs(call.metadata) do
            if name:find("^x%%-") then
                call:header(name, value)
                call:trailer("late-" .. name, value)
            end
        end
    end

    function Rpc.Echo(request, call)
        echo_metadata(call)
        return request
    end

    Rpc.Look = Rpc.Echo

    function Rpc.Fail(request, call)
        assert(call.ctx.remote)
        echo_metadata(call)
        local details
        if #request.data > 0 then
            details = { { type = "test.Data", value = { text = "more" } },
                        { type_url = "type.googleapis.com/no.Such", value = request.data } }
        end
        grpc.error(request.count, request.text, details)
    end

    function Rpc.Raise(request) error(request.text) end

    function Rpc.Sleep(request, call)
        mt.sleep(request.count)
        return request
    end

    function Rpc.Tell(_, call)
        return { names = { call.protocol, call.codec, call.method, tostring(call.compressed),
                           tostring(call:deadline() ~= nil) } }
    end

    function Rpc.Count(request, call)
        echo_metadata(call)
        for i = 1, request.count do call:send({ count = i, text = request.text }) end
    end

    function Rpc.Sum(call)
        echo_metadata(call)
        local count, text = 0, {}
        for request in call:messages() do
            count = count + 1
            text[#text + 1] = request.text
        end
        return { count = count, text = table.concat(text) }
    end

    function Rpc.Chat(call)
        echo_metadata(call)
        for request in call:messages() do call:send(request) end
    end

    function Rpc.FailLate(call)
        call:send(call:recv())
        call:trailer("x-late", "yes")
        grpc.error("DATA_LOSS", "half of it is gone", { { type = "test.Data", value = {} } })
    end

    return Rpc
    """

PREFIX = "/test.Rpc/"
UNARY = {"Echo", "Look", "Fail", "Raise", "Sleep", "Missing", "Tell"}

CODES = ["ok", "canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found",
         "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
         "aborted", "out_of_range", "unimplemented", "internal", "unavailable", "data_loss",
         "unauthenticated"]


def scripts(options="nil"):
    return {"rpc.proto": PROTO, "rpc.lua": SERVICE % options}


@dataclass
class Outcome:
    """What became of a call: the code of its status, what the message says, the replies."""
    code: str
    message: str = ""
    replies: list = field(default_factory=list)  # bytes, or what their JSON is
    details: object = None
    headers: list = None
    trailers: list = None
    status: int = 200  # of HTTP

    @property
    def texts(self):
        """The field text of each reply."""
        return [text_of(reply) for reply in self.replies]


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def proto(text="", count=0, data=b""):
    """A Data as bytes."""
    out = b""
    if text:
        out += b"\x0a" + varint(len(text.encode())) + text.encode()
    if count:
        out += b"\x10" + varint(count)
    if data:
        out += b"\x1a" + varint(len(data)) + data
    return out


def as_json(text="", count=0, data=b""):
    value = {"text": text, "count": count, "data": base64.b64encode(data).decode()}
    return json.dumps({key: one for key, one in value.items() if one}).encode()


def text_of(reply):
    """The text of a Data that has no other strings before it."""
    if isinstance(reply, dict):
        return reply.get("text", "")
    if not reply.startswith(b"\x0a"):
        return ""
    length, at = 0, 1
    while True:
        length |= (reply[at] & 0x7F) << 7 * (at - 1)
        at += 1
        if reply[at - 1] < 0x80:
            return reply[at:at + length].decode()


def framed(payload, flag=0, length=None):
    return struct.pack(">BL", flag, len(payload) if length is None else length) + payload


def frames(body):
    """The frames of a body, each its flag and payload; all of them are whole."""
    found = []
    while body:
        flag, length = struct.unpack(">BL", body[:5])
        assert len(body) >= 5 + length
        found.append((flag, body[5:5 + length]))
        body = body[5 + length:]
    return found


def decode_texts(body):
    """Padded pieces of base64 that were joined, each decoded by itself."""
    out = b""
    while body:
        end = body.find(b"=") + 1 or len(body)
        end += -end % 4
        out += base64.b64decode(body[:end], validate=True)
        body = body[end:]
    return out


def decode_escapes(text):
    raw = text.encode()
    out, at = b"", 0
    while at < len(raw):
        if raw[at:at + 1] == b"%":
            out += bytes([int(raw[at + 1:at + 3], 16)])
            at += 3
        else:
            out += raw[at:at + 1]
            at += 1
    return out.decode()


class Protocol:
    """One protocol with one codec. kind(method) is its content-type, body(messages) what a request
    sends, and read(response) gives the outcome."""

    def __init__(self, name, codec):
        self.name, self.codec = name, codec

    def __repr__(self):
        return f"{self.name}+{self.codec}"

    def message(self, **fields):
        return (as_json if self.codec == "json" else proto)(**fields)

    def _reply(self, payload):
        return json.loads(payload) if self.codec == "json" else payload

    def kind(self, method):
        raise NotImplementedError

    def body(self, method, messages):
        return b"".join(map(framed, messages))

    def _of_fields(self, response, fields, replies, late):
        fields = dict(fields)
        return Outcome(CODES[int(fields["grpc-status"])],
                       decode_escapes(fields.get("grpc-message", "")),
                       [self._reply(reply) for reply in replies],
                       fields.get("grpc-status-details-bin"), response.headers, late)


class Grpc(Protocol):
    def kind(self, method):
        return f"application/grpc+{self.codec}"

    def read(self, response, _method):
        late = response.trailers if response.trailers is not None else response.headers
        found = frames(response.body)
        assert all(flag == 0 for flag, _ in found)
        return self._of_fields(response, late, [payload for _, payload in found], late)


class Web(Protocol):
    def kind(self, method):
        return f"application/grpc-web+{self.codec}"

    def _frames(self, body):
        return frames(body)

    def read(self, response, _method):
        assert response.status == 200 and not response.trailers
        found = self._frames(response.body)
        if response.header("grpc-status"):
            assert not found
            return self._of_fields(response, response.headers, [], response.headers)
        *messages, (flag, block) = found
        assert flag == 0x80 and all(flag == 0 for flag, _ in messages)
        assert block.endswith(b"\r\n")
        late = [tuple(line.split(": ", 1)) for line in block.decode().split("\r\n")[:-1]]
        return self._of_fields(response, late, [payload for _, payload in messages], late)


class WebText(Web):
    def kind(self, method):
        return f"application/grpc-web-text+{self.codec}"

    def body(self, method, messages):
        return base64.b64encode(super().body(method, messages))

    def _frames(self, body):
        return frames(decode_texts(body))


class Connect(Protocol):
    def kind(self, method):
        return f"application/{'' if method in UNARY else 'connect+'}{self.codec}"

    def body(self, method, messages):
        return b"".join(messages) if method in UNARY else super().body(method, messages)

    def read(self, response, method):
        assert not response.trailers
        return self._read_unary(response) if method in UNARY else self._read_stream(response)

    def _read_unary(self, response):
        late = [(name[8:], value) for name, value in response.headers
                if name.startswith("trailer-")]
        if response.status == 200:
            assert response.header("content-type") == f"application/{self.codec}"
            return Outcome("ok", "", [self._reply(response.body)], None, response.headers, late)
        assert response.header("content-type") == "application/json"
        error = json.loads(response.body)
        assert error.keys() <= {"code", "message", "details"}
        return Outcome(error["code"], error.get("message", ""), [], error.get("details"),
                       response.headers, late, response.status)

    def _read_stream(self, response):
        assert response.status == 200
        assert response.header("content-type") == f"application/connect+{self.codec}"
        *messages, (flag, end) = frames(response.body)
        assert flag == 2 and all(flag == 0 for flag, _ in messages)
        end = json.loads(end)
        assert end.keys() <= {"error", "metadata"}
        late = [(name, value) for name, values in end.get("metadata", {}).items()
                for value in values]
        error = end.get("error", {"code": "ok"})
        return Outcome(error["code"], error.get("message", ""),
                       [self._reply(payload) for _, payload in messages], error.get("details"),
                       response.headers, late)


ALL = [kind(name, codec) for name, kind in (("grpc", Grpc), ("grpc-web", Web),
                                            ("grpc-web-text", WebText), ("connect", Connect))
       for codec in ("proto", "json")]


def begin(client, protocol, method, body=b"", headers=(), end=True):
    """Begins a call, whose body is as it goes out."""
    names = {name for name, _ in headers}
    fields = [("content-type", protocol.kind(method))] * ("content-type" not in names)
    if protocol.name == "grpc":
        fields.append(("te", "trailers"))
    return client.request(PREFIX + method, "POST", headers=[*fields, *headers], body=body, end=end)


def call(client, protocol, method, *messages, headers=()):
    """Makes a call of messages, and gives its outcome."""
    body = protocol.body(method, messages)
    return protocol.read(client.response(begin(client, protocol, method, body, headers)), method)
