"""Reflection as a client sees it that takes each answer for all that there is."""
import pytest

pytest.importorskip("grpc")
from google.protobuf import descriptor_pool

from grpc_extras import Reflection, described
from grpc_service import open_channel

HEAD = 'syntax = "proto3"; package %s; '
METHOD = "service %s { rpc Do(M) returns (M); }"

# a imports b and c, which import d: a diamond; b publicly, and d the well-known types.
FILES = {
    "a.proto": HEAD % "a" + """
        import "b.proto"; import "sub/c.proto";
        message M { b.N n = 1; c.N m = 2; d.N d = 3; } """ + METHOD % "S",
    "b.proto": HEAD % "b" + 'import public "d.proto"; message N { d.N d = 1; }',
    "sub/c.proto": HEAD % "c" + 'import "d.proto"; message N { d.N d = 1; }',
    "d.proto": HEAD % "d" + """
        import "google/protobuf/timestamp.proto";
        message N { google.protobuf.Timestamp at = 1; }""",
    "a.lua": """
        local S = require("moontrail.grpc").service("a.proto", "a.S")
        function S.Do(request) return request end
        return S""",
}
ALL = ["a.proto", "b.proto", "sub/c.proto", "d.proto", "google/protobuf/timestamp.proto"]

EXTENDED = {
    "e.proto": """
        syntax = "proto2"; package e;
        import "base.proto";
        extend Base { optional d.N more = 150; }
        message M {} """.replace('import "base', 'import "d.proto"; import "base') + METHOD % "S",
    "base.proto": 'syntax = "proto2"; package e; message Base { extensions 100 to 200; }',
    "e.lua": FILES["a.lua"].replace("a.", "e."),
}

SCRIPTS = {**FILES, **EXTENDED}


@pytest.fixture
def channel(server):
    with open_channel(server.http) as channel:
        yield channel


@pytest.fixture(params=["v1", "v1alpha"])
def reflection(request, channel):
    return Reflection(channel, request.param)


def names(response):
    return [file.name for file in described(response)]


def resolve(files):
    """A pool that has these files alone: an import that is not among them is an error."""
    pool, left = descriptor_pool.DescriptorPool(), {file.name: file for file in files}
    assert len(left) == len(files)

    def add(name):
        file = left.pop(name, None)
        for imported in file.dependency if file else ():
            add(imported)
        if file:
            pool.Add(file)

    for file in files:
        add(file.name)
    return pool


@pytest.mark.parametrize("asked", [
    {"symbol": "a.S"}, {"symbol": "a.S.Do"}, {"symbol": "a.M"}, {"symbol": "a.M.n"},
    {"file": "a.proto"}])
def test_an_answer_has_all_that_a_file_imports(reflection, asked):
    files = reflection.files(**asked)
    assert [file.name for file in files] == ALL
    message = resolve(files).FindServiceByName("a.S").methods[0].input_type
    assert message.fields_by_name["n"].message_type.fields_by_name["d"].message_type.full_name \
        == "d.N"


@pytest.mark.parametrize("asked, expected", [
    ({"symbol": "d.N"}, ALL[3:]),
    ({"file": "sub/c.proto"}, ALL[2:]),
    ({"file": "google/protobuf/timestamp.proto"}, ALL[4:]),
    ({"extension": ("e.Base", 150)}, ["e.proto", "d.proto", "base.proto", ALL[4]])])
def test_an_answer_has_no_more_than_that(reflection, asked, expected):
    response = reflection.ask(**asked)
    assert names(response) == expected
    resolve(described(response))


def test_what_was_sent_on_the_stream_is_not_sent_again(reflection):
    answers = reflection.ask_all(
        {"file": "sub/c.proto"}, {"symbol": "a.S"}, {"symbol": "a.S"}, {"file": "d.proto"},
        {"extension": ("e.Base", 150)})
    assert [names(answer) for answer in answers] == [
        ["sub/c.proto", "d.proto", ALL[4]], ["a.proto", "b.proto"], ["a.proto"], ["d.proto"],
        ["e.proto", "base.proto"]]
    assert names(reflection.ask(symbol="a.S")) == ALL  # another stream


def test_the_services_that_come_along_resolve_too(reflection):
    for service in reflection.ask(list="*").services.service:
        assert resolve(reflection.files(symbol=service.name)).FindServiceByName(service.name)


def test_a_service_is_described_by_the_files_that_it_came_from(start):
    scripts = {}
    for name in "users", "orders", "items":
        scripts[f"{name}/{name}.proto"] = HEAD % name + 'import "types.proto"; ' + \
            "service Svc { rpc Get(Item) returns (Item); }"
        scripts[f"{name}/types.proto"] = HEAD % name + f"message Item {{ string {name}_name = 1; }}"
        scripts[f"{name}/svc.lua"] = f"""
            local S = require("moontrail.grpc").service("{name}.proto", "{name}.Svc")
            function S.Get(request) return request end
            return S"""
    server = start(scripts)
    with open_channel(server.http) as channel:
        for name in "users", "orders", "items":
            for asked in f"{name}.Svc", f"{name}.Svc.Get":
                pool = resolve(Reflection(channel, "v1").files(symbol=asked))
                item = pool.FindServiceByName(f"{name}.Svc").methods[0].input_type
                assert [field.name for field in item.fields] == [f"{name}_name"]
        answers = Reflection(channel, "v1").ask_all(
            *({"symbol": f"{name}.Svc"} for name in ("users", "orders", "items")))
        assert len({file for answer in answers for file in answer.files.file}) == 6


SERVE = """
    local S = require("moontrail.grpc").service("%s", "%s")
    function S.Get(request) return request end
    return S"""
GET = "service Svc { rpc Get(M) returns (M); }"


def clashing_services():
    """Five folders: files of equal names, some of equal contents that import different ones."""
    scripts = {}
    for name in "users", "orders":
        scripts[f"{name}/svc.proto"] = HEAD % name + 'import "mid.proto"; import "same.proto"; ' \
            "message M { mid.N mid = 1; same.N same = 2; } " + GET
        scripts[f"{name}/mid.proto"] = HEAD % "mid" + 'import "low.proto"; message N { low.N low = 1; }'
        scripts[f"{name}/low.proto"] = HEAD % "low" + f"message N {{ string {name}_name = 1; }}"
        scripts[f"{name}/same.proto"] = HEAD % "same" + "message N { string text = 1; }"
        scripts[f"{name}/svc.lua"] = SERVE % ("svc.proto", f"{name}.Svc")
    for name in "v1", "v2", "v3":
        scripts[f"{name}/svc.proto"] = HEAD.replace("package %s; ", "") + \
            f"message {name}M {{ string text = 1; }} " + \
            f"service {name} {{ rpc Get({name}M) returns ({name}M); }}"
        scripts[f"{name}/svc.lua"] = SERVE % ("svc.proto", name)
    return scripts, ["users.Svc", "orders.Svc", "v1", "v2", "v3"]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_name_stands_for_one_content(start, version, backwards):
    scripts, services = clashing_services()
    server = start(scripts)
    with open_channel(server.http) as channel:
        reflection, contents = Reflection(channel, version), {}
        for service in services[::-1] if backwards else services:
            files = reflection.files(symbol=service)
            assert resolve(files).FindServiceByName(service)
            for file in files:
                content = file.SerializeToString()
                assert contents.setdefault(file.name, content) == content, file.name
                assert reflection.file(file=file.name) == file
                assert names(reflection.ask(file=file.name))[0] == file.name
        assert len(contents) == 2 + 2 + 2 + 1 + 3  # svc, mid, low, same; those without a package
        low = [name for name in contents if name.endswith("low.proto")]
        assert sorted(low) == ["low.proto", "low/low.proto"]
        for service in reflection.ask(list="*").services.service:
            assert resolve(reflection.files(symbol=service.name)).FindServiceByName(service.name)


def test_an_open_stream_tells_of_all_services_in_one_pool(start):
    scripts, services = clashing_services()
    server = start(scripts)
    with open_channel(server.http) as channel:
        answers = Reflection(channel, "v1").ask_all(*({"symbol": name} for name in services))
        files = [file for answer in answers for file in described(answer)]
        assert len({file.name for file in files}) == len(files) == 10


def test_a_deep_lattice_of_imports_is_walked_once(start):
    """Each file imports both of the rank below: 2^40 paths lead to the last rank."""
    ranks, scripts = 40, {"lattice/s.lua": """
        local S = require("moontrail.grpc").service("l0a.proto", "l0a.S")
        function S.Do(request) return request end
        return S"""}
    for rank in range(ranks):
        for side in "ab":
            name = f"l{rank}{side}"
            below = "".join(f'import "l{rank + 1}{other}.proto"; ' for other in "ab")
            scripts[f"lattice/{name}.proto"] = HEAD % name + \
                (below if rank < ranks - 1 else "") + "message M {} " + METHOD % "S"
    server = start(scripts)
    with open_channel(server.http) as channel:
        assert len(Reflection(channel, "v1").files(symbol="l0a.S")) == 2 * ranks - 1
