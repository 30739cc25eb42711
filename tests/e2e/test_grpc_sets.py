"""gRPC services whose types come from descriptor sets."""
import json

import pytest

from optional import need

need("grpc", "google.protobuf", "protoc")

from google.protobuf import descriptor_pb2

from grpc_extras import Reflection
from grpc_service import PROTOS, Data, open_channel
from server import PATIENCE, write_scripts
from test_protobuf_sets import IMPLICIT, edition_file, field, make_set

SERVICE = """
    local grpc = require "moontrail.grpc"
    local Calls = grpc.service("calls.binpb", "test.Calls")
    function Calls.Echo(request)
        request.text = request.text .. "!"
        return request
    end
    return Calls"""


def described():
    """The set of the service, and of another file beside it."""
    file = descriptor_pb2.FileDescriptorProto()
    PROTOS.pool.FindFileContainingSymbol("test.Calls").CopyToProto(file)
    return file


@pytest.fixture
def files():
    return {"calls.lua": SERVICE, "calls.binpb": make_set(described())}


def test_a_service_of_a_set_is_called_as_any_other(start, files):
    server = start(files)
    with open_channel(server.https) as channel:
        reply = PROTOS.stub(channel, "test.Calls").Echo(Data(text="a", count=5), timeout=PATIENCE)
        assert (reply.text, reply.count) == ("a!", 5)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_answers_with_the_bytes_as_they_came(start, files, version):
    # As another compiler might write them: with a field that nobody here knows.
    file = described()
    file.MergeFromString(b"\xfa\x7f\x03new")
    files["calls.binpb"] = make_set(file)
    server = start(files)
    with open_channel(server.https) as channel:
        answer = Reflection(channel, version).ask(symbol="test.Calls")
        assert answer.files.file[0] == file.SerializeToString()


def test_reflection_of_an_edition(start):
    message = descriptor_pb2.DescriptorProto(
        name="A", field=[field("x", 1, features={"presence": IMPLICIT})])
    file = edition_file(message_type=[message], service=[{"name": "S", "method": [
        {"name": "M", "input_type": ".e.A", "output_type": ".e.A"}]}])
    server = start({"e.desc": make_set(file), "e.lua": """
        local S = require("moontrail.grpc").service("e.desc", "e.S")
        function S.M(request) return { x = request.x + 1 } end
        return S"""})
    with open_channel(server.https) as channel:
        answer = Reflection(channel, "v1").ask(symbol="e.S.M")
        assert answer.files.file[0] == file.SerializeToString()


def test_a_set_that_changes_is_served_anew(start, tmp_path, files, connect):
    folder = write_scripts(tmp_path / "scripts", files)
    server = start(folder, "--dev", "--log-level", "info")
    changed = described()
    changed.message_type[0].field[0].json_name = "renamed"
    since = len(server.log)
    (folder / "fresh~").write_bytes(make_set(changed))
    (folder / "fresh~").rename(folder / "calls.binpb")
    server.wait_for("scripts loaded", since=since)
    client = connect(server.https)
    response = client.fetch("/test.Calls/Echo", "POST", body=b'{"renamed": "a"}',
                            headers=[("content-type", "application/json")])
    assert json.loads(response.text) == {"renamed": "a!"}
    since = len(server.log)
    (folder / "fresh~").write_bytes(b"\x0a\xff")
    (folder / "fresh~").rename(folder / "calls.binpb")
    assert server.wait_for("scripts not loaded.*is no descriptor set", since=since)


def test_a_client_of_a_set(start, files, connect):
    server = start({**files, "ask.lua": """
        local grpc = require "moontrail.grpc"
        return function(ctx)
            local calls = grpc.client("h2c://" .. ctx.authority, "calls.binpb", "test.Calls")
            ctx:text(calls:Echo({ text = "b" }).text)
        end"""})
    assert connect(server.http).fetch("/ask").text == "b!"


def test_an_edition_that_is_told_of_by_another_name_is_one_still(start):
    """Two scripts have a file of one name, and the second is told of under its package's."""
    def make(package):
        file = edition_file("types.proto", service=[{"name": "S", "method": [
            {"name": "M", "input_type": f".{package}.A", "output_type": f".{package}.A"}]}],
            message_type=[{"name": "A"}])
        file.package = package
        return file
    script = """return require("moontrail.grpc").service("%s.binpb", "%s.S")"""
    server = start({f"{name}.{end}": text for name in "ab" for end, text in (
        ("binpb", make_set(make(name))), ("lua", script % (name, name)))})
    with open_channel(server.https) as channel:
        answer, = Reflection(channel, "v1").ask(symbol="b.S").files.file
        assert answer == make("b").SerializeToString().replace(b"types.proto", b"b/types.proto").replace(
            b"\x0a\x0b", b"\x0a\x0d")
