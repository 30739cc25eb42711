"""Descriptor sets in place of .proto files: what protoc and others have compiled, editions among them."""
import os
import re
import shutil
import subprocess

import pytest

from optional import RPCJS, need

need("protoc", "google.protobuf")

from google.protobuf import descriptor_pb2

from server import FAULT, PROGRAM, ROOT, write_scripts

TREE = ROOT / "tests/protobuf"
LOADED = ("everything", "known", "old")
CHECKS = sorted(path.name for path in TREE.glob("[!_]*.lua")
                if path.name not in ("schema.lua", "refusals.lua"))

# The fields that newer descriptors have: a file's edition, and where options have their features.
EDITION_FIELD, OF_FILE, OF_MESSAGE, OF_FIELD, OF_ONEOF, OF_ENUM = 14, 50, 12, 21, 1, 7
FEATURES = {"presence": 1, "enum": 2, "repeated": 3, "encoding": 5}
EXPLICIT, IMPLICIT, REQUIRED = 1, 2, 3
OPEN, CLOSED = 1, 2
PACKED, EXPANDED = 1, 2
DELIMITED = 2

Field = descriptor_pb2.FieldDescriptorProto


def check(script, *options, **environment):
    done = subprocess.run([PROGRAM, *options, "--check", script], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment})
    assert not FAULT.search(done.stderr), done.stderr
    return done


def compile_set(folder, file, *options):
    target = folder / file.replace(".proto", ".binpb")
    subprocess.run(["protoc", "-I", folder, "-o", target, *options, folder / file], check=True)
    return target


@pytest.fixture(scope="module", params=["alone", "with all that it imports"])
def tree(request, tmp_path_factory):
    """The tree of the codec's tests, whose files are sets."""
    folder = tmp_path_factory.mktemp("sets") / "tree"
    shutil.copytree(TREE, folder)
    options = [] if request.param == "alone" else ["--include_imports"]
    for name in LOADED:
        compile_set(folder, name + ".proto", *options)
    for name in LOADED:
        (folder / (name + ".proto")).unlink()
    if options:
        shutil.rmtree(folder / "shared")
    return folder


@pytest.mark.parametrize("script", CHECKS)
def test_what_a_set_gives_is_what_the_text_gives(tree, script):
    done = check(tree / script, TYPES=".binpb")
    assert done.returncode == 0, done.stderr


SAME = """
    local pb = require "moontrail.protobuf"
    local check = dofile("%(tree)s/_check.lua")
    local text = pb.load("everything.proto", { "%(texts)s" })
    local set = pb.load("everything.binpb", { "%(tree)s" })
    local function method_of(m)
        return { m.name, m.input.name, m.output_name, m.client_streaming, m.server_streaming }
    end
    local names = {}
    for _, name in ipairs(set:services()) do
        names[name] = true
    end
    for _, name in ipairs(text:services()) do
        local a, b = text:service(name), set:service(name)
        assert(names[name] and a.file == b.file and #a.methods == #b.methods)
        for i, method in ipairs(a.methods) do
            check.same(method_of(b.methods[i]), method_of(method))
        end
    end
    for _, file in ipairs { "everything.proto", "shared/colour.proto" } do
        check.same(set:dependencies(file), text:dependencies(file))
    end
    for _, name in ipairs { "everything.Tree", "everything.Tree.name", "everything.RED",
        "everything.Talk.Ask", "google.protobuf.Timestamp" } do
        assert(select(2, set:descriptor_of_symbol(name)) == select(2, text:descriptor_of_symbol(name)))
    end
    assert(set:files()[1] == "%(tree)s/everything.binpb")
    local file = assert(io.open("%(tree)s/everything.binpb", "rb"))
    assert(file:read("a"):find(set:descriptor_of_file("everything.proto"), 1, true))
    file:close()
    return check.done"""


def test_a_set_tells_what_the_text_tells_and_its_bytes_as_they_came(tree, tmp_path):
    script = tmp_path / "same.lua"
    script.write_text(SAME % {"tree": tree, "texts": TREE})
    done = check(script, TYPES=".binpb")
    assert done.returncode == 0, done.stderr


# What is wrong with a set.

def load(tmp_path, content, name="types.binpb", files=(), bounds="nil"):
    """What loading gives: True, or the line that it raises, without the folder."""
    write_scripts(tmp_path, dict(files))
    (tmp_path / name).write_bytes(content)
    script = tmp_path / "_load.lua"
    script.write_text(f"""
        local pb = require "moontrail.protobuf"
        local ok, why = pcall(pb.load, "{name}", {{ "{tmp_path}" }}, {bounds})
        error("<<" .. (ok and "loaded" or why) .. ">>", 0)""")
    told = re.search("<<(.*)>>", check(script).stderr)[1]
    return told.replace(f"{tmp_path}/", "").replace(str(tmp_path), "FOLDER")


def make_set(*files):
    made = descriptor_pb2.FileDescriptorSet()
    for file in files:
        made.file.append(file)
    return made.SerializeToString()


def make_file(name="a.proto", imports=(), **given):
    return descriptor_pb2.FileDescriptorProto(name=name, dependency=list(imports), syntax="proto3",
                                              **given)


@pytest.mark.parametrize("ending", [".binpb", ".pb", ".desc"])
def test_a_set_is_known_by_how_its_name_ends(tmp_path, ending):
    assert load(tmp_path, make_set(make_file()), "types" + ending) == "loaded"


@pytest.mark.parametrize("cut", [1, 2, 7, -1])
def test_a_set_that_is_cut_short(tmp_path, cut):
    whole = make_set(make_file(), make_file("b.proto"))
    assert load(tmp_path, whole[:cut]) == "types.binpb: is no descriptor set, or is cut short"


def test_every_cut_of_a_set_is_refused_or_one_file_shorter(tmp_path):
    whole = make_set(make_file(message_type=[{"name": "A", "field": [
        {"name": "x", "number": 1, "type": 5, "label": 1}]}]), make_file("b.proto"))
    script = tmp_path / "_cuts.lua"
    script.write_text(f"""
        local pb = require "moontrail.protobuf"
        local whole = "{''.join(f'{chr(92)}x{byte:02x}' for byte in whole)}"
        for n = 0, #whole do
            local ok, why = pcall(pb.parse, whole:sub(1, n), "types.pb")
            assert(ok or why:find("^types.pb: is "), why)
        end
        return print""")
    done = check(script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("content, why", [
    (b"", "is a descriptor set without files"),
    (b"syntax = 'proto3';", "is no descriptor set, or is cut short"),
    (make_set(make_file("")), "has a file without a name"),
    (make_set(make_file(package="a"), make_file(package="b")), "has two files of the name a.proto"),
    (b"\x0a\x03\xff\xff\xff", "is no descriptor set, or is cut short"),
])
def test_a_set_that_is_none(tmp_path, content, why):
    assert load(tmp_path, content) == f"types.binpb: {why}"


def test_the_same_file_twice_is_one(tmp_path):
    assert load(tmp_path, make_set(make_file(), make_file())) == "loaded"


def test_files_that_import_each_other(tmp_path):
    told = load(tmp_path, make_set(make_file(imports=["b.proto"]),
                                   make_file("b.proto", imports=["a.proto"])))
    assert told == 'types.binpb: b.proto: import "a.proto": it imports this file in turn'


def test_a_file_that_a_set_lacks_is_looked_for_as_imports_are(tmp_path):
    lacking = make_set(make_file(imports=["b.proto"], message_type=[{"name": "A", "field": [
        {"name": "b", "number": 1, "type": 11, "label": 1, "type_name": ".B"}]}]))
    assert load(tmp_path, lacking) == ('types.binpb: a.proto: import "b.proto": '
                                       "there is no such file in FOLDER")
    there = {"b.proto": 'syntax = "proto3"; message B {}'}
    assert load(tmp_path, lacking, files=there) == "loaded"


@pytest.mark.parametrize("file", ["google/protobuf/any.proto", "google/api/annotations.proto",
                                  "google/rpc/status.proto"])
def test_what_is_always_there_need_not_be_in_a_set(tmp_path, file):
    assert load(tmp_path, make_set(make_file(imports=[file]))) == "loaded"


def test_a_fault_in_a_file_names_what_it_is_in(tmp_path):
    message = {"name": "A", "field": [
        {"name": "b", "number": 1, "type": 11, "label": 1, "type_name": ".Nothing"}]}
    told = load(tmp_path, make_set(make_file(package="p", message_type=[message])))
    assert told == 'types.binpb: a.proto: p.A.b: ".Nothing" is not defined.'


def test_the_files_of_a_set_are_bounded(tmp_path):
    three = make_set(*(make_file(f"{i}.proto") for i in range(3)))
    assert load(tmp_path, three, bounds="{ max_files = 4 }") == "loaded"
    assert load(tmp_path, three, bounds="{ max_files = 3 }") == "types.binpb: more than 3 files"
    told = load(tmp_path, three, bounds="{ max_bytes = 10 }")
    assert told == "types.binpb: more than 10 bytes in all files"


def nest(name, count):
    """A message of that name with so many in it."""
    message = descriptor_pb2.DescriptorProto(name=name)
    for i in range(count):
        message.nested_type.add(name=f"M{i}")
    return message


def reserve(count):
    message = descriptor_pb2.DescriptorProto(name="M")
    for i in range(count):
        message.reserved_range.add(start=2 * i + 1, end=2 * i + 2)
    return message


def import_all(count):
    """Files, each of which imports publicly all that are before it."""
    files = []
    for i in range(count):
        names = [file.name for file in files]
        files.append(make_file(f"f{i}", names, public_dependency=range(i)))
    return files


TOO_MUCH = [
    ([make_file(message_type=[nest("M" * 100_000, 1000)])],
     "a.proto: the full names of all types take more than 67108864 bytes"),
    ([make_file(package="p" * 100_000, message_type=[nest("M", 1000)])],
     "a.proto: the full names of all types take more than 67108864 bytes"),
    ([make_file(message_type=[reserve(20_000)])],
     "a.proto: there are too many reserved ranges or public imports"),
    (import_all(450), "there are too many reserved ranges or public imports"),
    ([make_file("a" * 5000)], "has a file whose name is longer than 4096 bytes"),
]


@pytest.mark.parametrize("files, why", TOO_MUCH, ids=["names", "package", "ranges", "imports", "file"])
def test_a_set_of_which_the_library_makes_too_much_is_refused(tmp_path, files, why):
    assert why in load(tmp_path, make_set(*files))


def test_errors_without_number_are_told_in_part(tmp_path):
    imports = [f"x{i}" for i in range(5000)]
    code = """
        local ok, problem = pcall(require("moontrail.protobuf").parse, io.open(%r, "rb"):read("a"), "t.pb")
        assert(not ok and #problem > 1e4 and #problem < 1e5, #problem)
        return print"""
    path = tmp_path / "types.bytes"
    path.write_bytes(make_set(make_file("f" * 4000, imports)))
    script = tmp_path / "_code.lua"
    script.write_text(code % str(path))
    done = check(script)
    assert done.returncode == 0, done.stderr


def test_options_that_are_newer_than_the_library_are_kept(tmp_path):
    field = Field(name="x", number=1, type=Field.TYPE_STRING, label=1)
    field.options.MergeFromString(b"\x80\x01\x01")  # debug_redact
    file = make_file(message_type=[{"name": "A", "field": [field]}])
    assert load(tmp_path, make_set(file)) == "loaded"


# Editions.

def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def set_features(options, number, **features):
    """Adds features to options, which do not know them."""
    said = b"".join(varint(FEATURES[name] << 3) + varint(value) for name, value in features.items())
    options.MergeFromString(varint(number << 3 | 2) + varint(len(said)) + said)


def edition_file(name="e.proto", edition=1000, features=None, **given):
    file = descriptor_pb2.FileDescriptorProto(name=name, syntax="editions", package="e", **given)
    file.MergeFromString(varint(EDITION_FIELD << 3) + varint(edition))
    if features:
        set_features(file.options, OF_FILE, **features)
    return file


def field(name, number, kind=Field.TYPE_INT32, repeated=False, features=None, **given):
    made = Field(name=name, number=number, type=kind, label=3 if repeated else 1, **given)
    if features:
        set_features(made.options, OF_FIELD, **features)
    return made


def enum(name, *numbers, features=None):
    made = descriptor_pb2.EnumDescriptorProto(name=name)
    for number in numbers:
        made.value.add(name=f"{name}_{number}", number=number)
    if features:
        set_features(made.options, OF_ENUM, **features)
    return made


def run_with(tmp_path, files, code):
    """Runs code that has the schema of the files, and the table of checks."""
    (tmp_path / "types.binpb").write_bytes(make_set(*files))
    script = tmp_path / "_code.lua"
    script.write_text(f"""
        local check = dofile("{TREE}/_check.lua")
        local schema = require("moontrail.protobuf").load("types.binpb", {{ "{tmp_path}" }})
        local A = schema:message("e.A")
        {code}
        return check.done""")
    done = check(script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("edition", [1000, 1001])
def test_presence_by_field_oneof_message_and_file(tmp_path, edition):
    inner = descriptor_pb2.DescriptorProto(name="Inner", field=[
        field("x", 1), field("y", 2, features={"presence": EXPLICIT})])
    set_features(inner.options, OF_MESSAGE, presence=IMPLICIT)
    message = descriptor_pb2.DescriptorProto(
        name="A", nested_type=[inner], oneof_decl=[{"name": "o"}], field=[
            field("explicit", 1), field("implicit", 2, features={"presence": IMPLICIT}),
            field("one", 3, oneof_index=0), field("two", 4, oneof_index=0),
            field("inner", 5, Field.TYPE_MESSAGE, type_name=".e.A.Inner",
                  features={"presence": IMPLICIT})])
    run_with(tmp_path, [edition_file(edition=edition, message_type=[message])], """
        check.same(A:decode(""), { implicit = 0 })
        check.wire(A, { explicit = 0, implicit = 0, one = 0 }, "0800 1800")
        check.same(A:decode(check.bytes("2a00")).inner, { x = 0 })
        check.same(A:to_json({ explicit = 0, implicit = 0, inner = { x = 0, y = 0 } }),
            '{"explicit":0,"inner":{"y":0}}')""")


def test_required_defaults_and_packing(tmp_path):
    message = descriptor_pb2.DescriptorProto(
        name="A", extension_range=[{"start": 100, "end": 200}], field=[
            field("required", 1, features={"presence": REQUIRED}),
            field("size", 2, default_value="7"),
            field("packed", 3, repeated=True),
            field("loose", 4, repeated=True, features={"repeated": EXPANDED}),
            field("level", 5, Field.TYPE_ENUM, type_name=".e.Level", default_value="Level_2")])
    run_with(tmp_path, [edition_file(message_type=[message], enum_type=[enum("Level", 0, 2)])], """
        check.raises("e.A.required: required, but missing", A.encode, A, {})
        check.wire(A, { required = 1, packed = { 1, 2 }, loose = { 1, 2 } }, "0801 1a020102 2001 2002")
        local got = A:decode("\\8\\1")
        assert(got.size == 7 and rawget(got, "size") == nil and got.level == "Level_2")
        check.same(A:decode("\\8\\1\\40\\9").level, 9)
        check.same(A:from_json('{"required":1,"level":9}').level, 9)""")


def test_features_of_a_file_hold_for_all_in_it(tmp_path):
    message = descriptor_pb2.DescriptorProto(name="A", field=[
        field("x", 1), field("list", 2, repeated=True),
        field("level", 3, Field.TYPE_ENUM, type_name=".e.Level")])
    features = {"presence": IMPLICIT, "repeated": EXPANDED}
    run_with(tmp_path, [edition_file(features=features, message_type=[message],
                                     enum_type=[enum("Level", 0, 2)])], """
        check.same(A:decode(""), { x = 0, list = {}, level = "Level_0" })
        check.wire(A, { x = 0, list = { 1, 2 }, level = 5 }, "1001 1002 1805")""")


def test_enums_are_open_unless_they_say_so(tmp_path):
    message = descriptor_pb2.DescriptorProto(name="A", field=[
        field("open", 1, Field.TYPE_ENUM, type_name=".e.Open"),
        field("closed", 2, Field.TYPE_ENUM, type_name=".e.Closed")])
    closed = enum("Closed", 1, 2, features={"enum": CLOSED})
    run_with(tmp_path, [edition_file(message_type=[message], enum_type=[enum("Open", 0), closed])], """
        check.same(A:from_json('{"open":5}'), { open = 5 })
        check.raises("e.A.closed: e.Closed has no value 5 (line 1, byte 11)", A.from_json, A,
            '{"closed":5}')""")


def test_what_a_file_of_an_edition_imports_may_be_of_any_kind(tmp_path):
    base = make_file("b.proto", message_type=[{"name": "B", "field": [
        {"name": "x", "number": 1, "type": 5, "label": 1}]}], enum_type=[enum("Level", 0, 1)])
    message = descriptor_pb2.DescriptorProto(name="A", field=[
        field("b", 1, Field.TYPE_MESSAGE, type_name=".B"),
        field("level", 2, Field.TYPE_ENUM, type_name=".Level", features={"presence": IMPLICIT})])
    files = [base, edition_file(message_type=[message], dependency=["b.proto"])]
    run_with(tmp_path, files, """
        check.same(A:decode("\\10\\0"), { b = { x = 0 }, level = "Level_0" })
        check.same(schema:services(), {})""")


def test_reflection_has_the_bytes_of_an_edition_as_they_came(tmp_path):
    file = edition_file(message_type=[descriptor_pb2.DescriptorProto(name="A", field=[field("x", 1)])])
    digits = file.SerializeToString().hex()
    run_with(tmp_path, [file], f"""
        check.same(schema:descriptor_of_symbol("e.A"), check.bytes("{digits}"))""")


def refused(tmp_path, *files):
    return load(tmp_path, make_set(*files))


def test_delimited_messages_are_refused_by_name(tmp_path):
    own = field("b", 1, Field.TYPE_MESSAGE, type_name=".e.A", features={"encoding": DELIMITED})
    message = descriptor_pb2.DescriptorProto(name="A", field=[own, field("x", 2)])
    why = "types.binpb: e.proto: e.A.b: the feature message_encoding = DELIMITED is not supported"
    assert refused(tmp_path, edition_file(message_type=[message])) == why
    own.options.Clear()
    message.field[0].options.Clear()
    assert refused(tmp_path, edition_file(message_type=[message],
                                          features={"encoding": DELIMITED})) == why


def test_a_file_that_is_delimited_may_have_maps_and_scalars(tmp_path):
    entry = descriptor_pb2.DescriptorProto(
        name="MapEntry", options={"map_entry": True},
        field=[field("key", 1, Field.TYPE_STRING),
               field("value", 2, Field.TYPE_MESSAGE, type_name=".e.A")])
    message = descriptor_pb2.DescriptorProto(name="A", nested_type=[entry], field=[
        field("x", 1), field("map", 2, Field.TYPE_MESSAGE, True, type_name=".e.A.MapEntry")])
    run_with(tmp_path, [edition_file(message_type=[message], features={"encoding": DELIMITED})],
             'check.wire(A, { x = 1, map = { k = { x = 2, map = {} } } }, "0801 1207 0a016b 12020802")')


def test_closed_enums_beside_implicit_presence_are_refused(tmp_path):
    message = descriptor_pb2.DescriptorProto(
        name="A", field=[field("x", 1, features={"presence": IMPLICIT})])
    closed = enum("Closed", 1, features={"enum": CLOSED})
    why = ("types.binpb: e.proto: e.A.x: the feature field_presence = IMPLICIT is not supported "
           "beside enum_type = CLOSED, which {} has")
    assert refused(tmp_path, edition_file(message_type=[message], enum_type=[closed])) == (
        why.format("e.Closed"))
    message.field.append(field("old", 2, Field.TYPE_ENUM, type_name=".Old"))
    old = descriptor_pb2.FileDescriptorProto(name="old.proto", enum_type=[enum("Old", 1)])
    assert refused(tmp_path, old, edition_file(message_type=[message], dependency=["old.proto"])) == (
        why.format("Old"))


@pytest.mark.parametrize("edition", [0, 998, 1002, 99999])
def test_an_edition_that_is_not_known(tmp_path, edition):
    assert refused(tmp_path, edition_file(edition=edition)) == (
        f"types.binpb: e.proto: is of an edition that is not known ({edition}): 2023 and 2024 are")


def test_sets_broken_at_random_are_refused_or_loaded(tmp_path):
    """What a compiler never writes ends no process."""
    entry = descriptor_pb2.DescriptorProto(
        name="MapEntry", options={"map_entry": True},
        field=[field("key", 1, Field.TYPE_STRING), field("value", 2, Field.TYPE_MESSAGE, type_name=".e.A")])
    message = descriptor_pb2.DescriptorProto(
        name="A", nested_type=[entry], oneof_decl=[{"name": "o"}],
        extension_range=[{"start": 100, "end": 200}], field=[
            field("x", 1, features={"presence": IMPLICIT}), field("y", 2, default_value="7"),
            field("one", 3, oneof_index=0), field("list", 4, repeated=True),
            field("level", 5, Field.TYPE_ENUM, type_name=".e.Level"),
            field("map", 6, Field.TYPE_MESSAGE, True, type_name=".e.A.MapEntry")])
    whole = make_set(make_file(), edition_file(message_type=[message], dependency=["a.proto"],
                                               enum_type=[enum("Level", 0, 2)]))
    (tmp_path / "whole.bin").write_bytes(whole)
    script = tmp_path / "_break.lua"
    script.write_text(f"""
        local pb = require "moontrail.protobuf"
        local whole = assert(io.open("{tmp_path}/whole.bin", "rb")):read("a")
        math.randomseed(7)
        local loaded = 0
        for round = 1, 1000 do
            local bytes = {{ whole:byte(1, -1) }}
            for _ = 1, math.random(3) do
                bytes[math.random(#bytes)] = math.random(0, 255)
            end
            local ok, schema = pcall(pb.parse, string.char(table.unpack(bytes)), "types.pb")
            assert(ok or schema:find("^types.pb: "), schema)
            local A = ok and schema:message("e.A")
            if A then
                loaded = loaded + 1
                pcall(function() A:encode(A:decode("")) A:to_json(A:from_json("{{}}")) A:fields() end)
            end
        end
        assert(loaded > 0)
        return print""")
    done = check(script, "--load-timeout", "0")
    assert done.returncode == 0, done.stderr


EDITION = """
edition = "2023";
package e;
import "google/protobuf/timestamp.proto";
option features.field_presence = IMPLICIT;
message A {
  string implicit = 1;
  string explicit = 2 [features.field_presence = EXPLICIT];
  repeated int32 packed = 3;
  repeated int32 loose = 4 [features.repeated_field_encoding = EXPANDED];
  map<string, A> map = 5;
  google.protobuf.Timestamp at = 6;
  oneof choice { int32 one = 7; A two = 8; }
}
"""


def test_what_buf_builds_of_an_edition(tmp_path):
    need("rpc-js")
    source = write_scripts(tmp_path / "source", {"a.proto": EDITION, "buf.yaml": "version: v2\n"})
    subprocess.run([RPCJS / ".bin/buf", "build", source, "-o", tmp_path / "types.binpb"], check=True,
                   env={**os.environ, "BUF_CACHE_DIR": str(tmp_path / "cache")})
    script = tmp_path / "_code.lua"
    script.write_text(f"""
        local check = dofile("{TREE}/_check.lua")
        local schema = require("moontrail.protobuf").load("types.binpb", {{ "{tmp_path}" }})
        local A = schema:message("e.A")
        check.same(A:decode(""), {{ implicit = "", packed = {{}}, loose = {{}}, map = {{}} }})
        check.wire(A, {{ implicit = "", explicit = "", packed = {{ 1, 2 }}, loose = {{ 1, 2 }} }},
            "1200 1a020102 2001 2002")
        assert(A:from_json('{{"at":"1970-01-01T00:00:01Z","two":{{}}}}').at.seconds == 1)
        return check.done""")
    done = check(script)
    assert done.returncode == 0, done.stderr
