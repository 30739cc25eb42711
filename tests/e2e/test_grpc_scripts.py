"""gRPC services as scripts: where .proto files are found, what --check shows, what fails to load."""
import re

import pytest

grpc = pytest.importorskip("grpc")

from grpc_service import PROTO, Data, Protos, calls, open_channel, scripts
from server import run, write_scripts

SMALL = """
    local grpc = require "moontrail.grpc"
    local Calls = grpc.service(%s)
    function Calls.Echo(request) return request end
    return Calls"""
PLAIN = SMALL % '"calls.proto", "test.Calls"'


def echo(server):
    with open_channel(server.http) as channel:
        return calls(channel).Echo(Data(text="found")).text


@pytest.mark.parametrize("place", ["calls.proto", "deep/er/calls.proto"])
def test_a_proto_lies_beside_its_script_or_in_the_folder_of_all(start, place):
    assert echo(start({"deep/er/service.lua": PLAIN, place: PROTO})) == "found"


def test_a_proto_has_a_path_from_there(start):
    script = SMALL % '"protos/v1/calls.proto", "test.Calls"'
    assert echo(start({"service.lua": script, "protos/v1/calls.proto": PROTO})) == "found"


def test_a_proto_lies_in_the_proto_path(start, tmp_path):
    write_scripts(tmp_path / "far", {"calls.proto": PROTO})
    server = start({"service.lua": PLAIN}, "--proto-path", tmp_path, "--proto-path",
                   tmp_path / "far")
    assert echo(server) == "found"


def test_a_script_may_change_the_path(start, tmp_path):
    write_scripts(tmp_path / "far", {"calls.proto": PROTO})
    script = PLAIN.replace("local Calls", f'grpc.path = "{tmp_path}/far" local Calls')
    assert echo(start({"service.lua": script})) == "found"


def test_imports_are_found_in_the_same_places(start, tmp_path):
    write_scripts(tmp_path / "far", {"lib/data.proto": PROTO[:PROTO.index("service")]})
    proto = """
        syntax = "proto3";
        package test;
        import "lib/data.proto";
        import "google/protobuf/timestamp.proto";
        message Unused { google.protobuf.Timestamp at = 1; }
        """ + PROTO[PROTO.index("service"):]
    server = start({"calls.proto": proto, "service.lua": PLAIN}, "--proto-path", tmp_path / "far")
    assert echo(server) == "found"


@pytest.mark.parametrize("beside", ["data.proto", "./data.proto", "../lib/data.proto"])
def test_an_import_is_found_beside_the_file_that_has_it(start, beside):
    around = 'syntax = "proto3"; package test; import public "%s";'
    proto = 'syntax = "proto3"; package test; import "lib/around.proto"; import "lib/data.proto"; '
    server = start({
        "lib/data.proto": PROTO[:PROTO.index("service")], "lib/around.proto": around % beside,
        "calls.proto": proto + PROTO[PROTO.index("service"):], "service.lua": PLAIN})
    assert echo(server) == "found"


def test_one_script_file_is_served_too(start, tmp_path):
    folder = write_scripts(tmp_path, {"calls.proto": PROTO, "service.lua": PLAIN})
    server = start(folder / "service.lua")
    assert echo(server) == "found"


def test_services_lie_beside_other_scripts(start, connect):
    server = start({**scripts(), "index.lua": "return function(ctx) ctx:text('hello') end"})
    assert connect(server.https).fetch("/").text == "hello"
    assert connect(server.https).fetch("/calls").status == 404
    assert echo(server) == "found"


def test_check_lists_services_methods_and_types(tmp_path):
    result = run("--check", write_scripts(tmp_path, {"calls.proto": PROTO, "service.lua": PLAIN}))
    assert result.returncode == 0, result.stderr
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines["/test.Calls/Echo"].endswith("  rpc (test.Data) returns (test.Data)")
    assert lines["/test.Calls/Chat"].endswith(
        "  rpc (stream test.Data) returns (stream test.Data), not implemented")
    assert "/grpc.health.v1.Health/Check" in lines
    assert "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" in lines


@pytest.mark.parametrize("script, problem", [
    (PLAIN.replace("Calls.Echo", "Calls.Ehco"), r"service.lua:4: test.Calls has no method Ehco: is it Echo\?"),
    (PLAIN.replace("return Calls", "rawset(Calls, 'Other', print) return Calls"),
     r"service.lua: test.Calls has no method Other; it has Echo, Fail, .*, FailLate"),
    (SMALL % '"empty.proto", "test.Calls"',
     r"service.lua:3: there is no service test.Calls; the file has no services"),
    (SMALL % '"calls.proto", "test.Clals"',
     r"service.lua:3: there is no service test.Clals; there is test.Calls"),
    (SMALL % '"none.proto", "test.Calls"', r"service.lua.*none.proto"),
    (SMALL % '"bad.proto", "test.Calls"', r"service.lua.*bad.proto:4:\d+: "),
    (SMALL % '"importing.proto", "test.Calls"', r"service.lua.*none.proto"),
    (SMALL % '"calls.proto"', r"service.lua:3: grpc.service takes the file"),
    (SMALL % '5, "test.Calls"', r"service.lua:3: grpc.service takes the file"),
    (SMALL % '"calls.proto", "test.Calls", { max_size = 1 }',
     r"service.lua:3: a service has no option max_size"),
    (SMALL % '"calls.proto", "test.Calls", { max_message = "1" }',
     r"service.lua:3: max_message is a number of bytes"),
    (SMALL % '"calls.proto", "test.Calls", { compression = "br" }',
     r'service.lua:3: compression is "gzip", "deflate" or false'),
    (SMALL % '"calls.proto", "test.Calls", { max_message = -1 }',
     r"service.lua:3: max_message is a number of bytes"),
    (SMALL % '"calls.proto", "test.Calls", 5',
     r"service.lua:3: the options of a service are a number, not a table"),
    (PLAIN.replace("local Calls", "grpc.path = {} local Calls"),
     r"service.lua:3: grpc.path is a table, not a string of folders"),
    (PLAIN.replace("return Calls", "Calls.Sum = 5 return Calls"),
     r"service.lua:5: the method Sum of test.Calls is a number, not a function"),
    (PLAIN.replace("Calls.Echo", "Calls:Echo"),
     r"service.lua:4: the method Echo of test.Calls is given no self: define it with a dot"),
], ids=["a misspelt method", "a hidden one", "no services", "no such service", "no such file", "a bad file",
        "a bad import", "no name", "no file", "no such option", "a bad limit",
        "a bad compression", "a negative limit", "bad options", "a bad path", "no function",
        "a colon"])
def test_a_service_that_cannot_load_says_why(tmp_path, script, problem):
    files = {"calls.proto": PROTO, "service.lua": script,
             "bad.proto": '\nsyntax = "proto3";\npackage test;\nmessage { }\n',
             "empty.proto": 'syntax = "proto3"; package test;',
             "importing.proto": '\nsyntax = "proto3";\nimport "none.proto";\n'}
    result = run("--check", write_scripts(tmp_path, files))
    assert result.returncode == 1
    assert re.search(problem, result.stderr), result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("statement, problem", [
    ('grpc.error("NOT_FUOND", "x")', "no status of an error: NOT_FUOND: is it NOT_FOUND?"),
    ('grpc.error("NOTFOUND", "x")', "no status of an error: NOTFOUND: is it NOT_FOUND?"),
    ('grpc.error("Canceled", "x")', "no status of an error: Canceled: is it CANCELLED?"),
    ('grpc.error("TEAPOT", "x")', "no status of an error: TEAPOT: .* one of CANCELLED, UNKNOWN, INV"),
    ('grpc.error(("X"):rep(100000), "x")', "no status of an error: XXX"),
    ('grpc.error("OK", "x")', "no status of an error: OK: a method that returns has it"),
    ('grpc.error(0, "x")', "no status of an error: 0: a method that returns has it"),
    ('grpc.error(-1, "x")', "no status of an error: -1: it is a number above 0"),
    ('grpc.error(nil, "x")', "no status of an error: nil: it is a number above 0"),
    ('grpc.error(5, "x", 5)', "details are a list of tables"),
    ('grpc.error(5, "x", { type = "test.Data", value = {} })', "details are a list of tables"),
    ('grpc.error(5, "x", { 5 })', "a detail is a table with a type"),
    ('grpc.error(5, "x", { { type = "test.Data", value = "x" } })',
     "the value of the detail test.Data is a string, not a table"),
    ('call:header("content-type", "x")', "content-type is the protocol's, and no metadata"),
    ('call:trailer("grpc-status", "x")', "grpc-status is the protocol's, and no metadata"),
    ('call:header("a b", "x")', "metadata has a name of letters"),
    ('call:header("x", "\\n")', "metadata x has bytes that are not printable ASCII"),
    ('call:header("x", print)', "metadata x has a function as its value, not a string"),
    ('grpc.error(5, {})', "the message of a status is a table, not a string"),
    ('grpc.error(5, "x", { { type = "no.Type", value = {} } })',
     "a detail: there is no message no.Type"),
    ('grpc.error(5, "x", { { type = "test.Data", value = { text = 5, no = 6 } } })',
     'a detail: test.Data: there is no field .*no'),
    ("call.trailer('x', 'y')", r"trailer is called with a colon: call:trailer"),
    ("call:send({})", "send is for methods whose replies are a stream"),
    ("call:recv()", "recv is for methods whose requests are a stream"),
])
def test_a_mistake_of_a_handler_is_told_with_its_line(start, statement, problem):
    script = PLAIN.replace("(request) return", "(request, call) %s return" % statement)
    server = start({"calls.proto": PROTO, "service.lua": script})
    with pytest.raises(grpc.RpcError) as raised:
        echo(server)
    assert raised.value.code() == grpc.StatusCode.UNKNOWN
    server.wait_for("grpc call failed.*service.lua:4: " + problem)


@pytest.mark.parametrize("statement, problem", [
    ("return { text = 5 > 4 }", "test.Data.text: expected a string, got boolean"),
    ("return", "/test.Calls/Echo has a nil as its reply, not a table"),
    ("error({})", "the error is a table, not a string"),
    ("error()", "the error is a nil, not a string"),
    ("error(setmetatable({}, { __tostring = function() return 'its text' end }))", "its text"),
])
def test_a_reply_or_error_that_is_none_is_told_with_the_handler(start, statement, problem):
    script = PLAIN.replace("return request", statement)
    server = start({"calls.proto": PROTO, "service.lua": script}, "--dev")
    with pytest.raises(grpc.RpcError, match=problem):
        echo(server)
    line = server.wait_for("grpc call failed.*" + problem).string
    assert re.search(r"handler=\S*service.lua:4\b", line)


@pytest.mark.parametrize("statement, problem", [
    ("return request", "/test.Calls/Count has a stream of replies: call:send.reply., and return"),
    ("call:send(request) call:header('x', 'y')", "service.lua:5: metadata x comes too late"),
    ("call.send(request)", "service.lua:5: send is called with a colon"),
])
def test_a_mistake_with_a_stream_is_told(start, statement, problem):
    script = PLAIN.replace("return Calls",
                           f"function Calls.Count(request, call) {statement} end return Calls")
    server = start({"calls.proto": PROTO, "service.lua": script}, "--dev")
    with open_channel(server.http) as channel, pytest.raises(grpc.RpcError, match=problem):
        list(calls(channel).Count(Data()))
    server.wait_for("grpc call failed.*" + problem)


@pytest.mark.parametrize("statement, problem", [
    ("call.ctx:status(404)", r'ctx:status is for HTTP.*grpc.error..?"NOT_FOUND'),
    ("call.ctx:status(418)", r'ctx:status is for HTTP.*grpc.error..?"UNKNOWN'),
    ("call.ctx:text('x')", "ctx:text is for HTTP.*call:send"),
    ("call.ctx:json {}", "ctx:json is for HTTP.*call:send"),
    ("call.ctx:write('x')", "ctx:write is for HTTP.*call:send"),
    ("call.ctx:finish()", "ctx:finish is for HTTP.*call:send"),
    ("call.ctx:redirect('/')", "ctx:redirect is for HTTP.*call:send"),
])
def test_what_answers_http_is_told_of_in_a_call(start, statement, problem):
    script = PLAIN.replace("return request", statement + " return request").replace(
        "(request)", "(request, call)")
    server = start({"calls.proto": PROTO, "service.lua": script}, "--dev")
    with pytest.raises(grpc.RpcError, match=problem.replace('..?"', '."')):
        echo(server)
    server.wait_for(r"grpc call failed.*service.lua:4: " + problem)


def test_bytes_that_a_handler_cannot_decode_are_its_own_error(start):
    script = PLAIN.replace("return request", '''
        local data = require("moontrail.protobuf").load("calls.proto", {
            debug.getinfo(1, "S").source:match("^@(.*)/") }):message("test.Data")
        return data:decode("\\xff")''')
    server = start({"calls.proto": PROTO, "service.lua": script})
    with pytest.raises(grpc.RpcError) as raised:
        echo(server)
    assert raised.value.code() == grpc.StatusCode.UNKNOWN
    server.wait_for("grpc call failed.*test.Data: truncated or malformed message")


@pytest.mark.parametrize("statement, first", [
    ("error('x')", r"\[C\]: in function 'error'"),
    ("local _ = nil + 1", r"\S*service.lua:4: in "),
    ("('x'):rep({})", r"\[C\]: in function 'string.rep'"),
])
def test_the_traceback_of_a_handler_begins_with_what_raised(start, statement, first):
    script = PLAIN.replace("return request", statement)
    server = start({"calls.proto": PROTO, "service.lua": script})
    with pytest.raises(grpc.RpcError):
        echo(server)
    server.wait_for(r"grpc call failed.*stack traceback:\\n\\t" + first)


def test_the_request_beneath_a_call_can_be_asked(start):
    script = PLAIN.replace("return request", """
        call.ctx:header("x-status", call.ctx:status()) call.ctx:flush()
        return { text = call.ctx.method }""").replace("(request)", "(request, call)")
    assert echo(start({"calls.proto": PROTO, "service.lua": script})) == "POST"


def test_a_handler_that_never_waits_ends_the_call_alone(start):
    script = PLAIN.replace("return request", "while true do end")
    server = start({"calls.proto": PROTO, "service.lua": script}, "--max-cpu", "0.2")
    with pytest.raises(grpc.RpcError) as raised:
        echo(server)
    assert raised.value.code() == grpc.StatusCode.UNKNOWN


def test_a_handler_without_memory_fails_its_own_call(start):
    script = PLAIN.replace("return request", """
        return request.count == 0 and request or { text = ("x"):rep(64 << 20) }""")
    server = start({"calls.proto": PROTO, "service.lua": script}, "--max-vm-memory", "32")
    with open_channel(server.http) as channel:
        stub = calls(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.Echo(Data(count=1))
        assert raised.value.code() == grpc.StatusCode.UNKNOWN
        server.wait_for("grpc call failed.*not enough memory")
        assert stub.Echo(Data(text="goes on")).text == "goes on"


def test_methods_without_a_function_are_told_of_in_one_line(start, tmp_path):
    files = {"calls.proto": PROTO, "service.lua": PLAIN}
    missing = 'methods="Fail, Raise, Wrong, Sleep, Missing, Count, Sum, First, Chat, FailLate"'
    line = "warn grpc methods without a function " + missing + " service=test.Calls"
    checked = run("--check", write_scripts(tmp_path, files))
    assert checked.returncode == 0 and len(re.findall(line, checked.stderr)) == 1
    assert start(files).wait_for(line)


def test_a_service_that_is_whole_loads_without_a_word(start):
    whole = PLAIN.replace("return Calls", """
        for _, name in ipairs { "Fail", "Raise", "Wrong", "Sleep", "Missing", "Count", "Sum",
                                "First", "Chat", "FailLate" } do
            Calls[name] = function() end
        end
        return Calls""")
    assert not start({"calls.proto": PROTO, "service.lua": whole}).find("without a function")


def test_a_misspelt_method_of_a_client_is_told(start, connect):
    server = start({"calls.proto": PROTO, "index.lua": """
        local c = require("moontrail.grpc").client("h2c://127.0.0.1:1", "calls.proto", "test.Calls")
        return function(ctx) ctx:text(tostring(select(2, pcall(function() c:Ecko {} end)))) end"""})
    assert "test.Calls has no method Ecko: is it Echo?" in connect(server.https).fetch("/").text


EMPTY = """
    syntax = "proto3";
    package test;
    import "google/protobuf/empty.proto";
    service Calls {
      rpc Nothing(google.protobuf.Empty) returns (google.protobuf.Empty);
      rpc Many(google.protobuf.Empty) returns (stream google.protobuf.Empty);
    }"""


def test_nothing_is_an_empty_message(start, connect):
    server = start({"empty.proto": EMPTY, "calls.lua": """
        local S = require("moontrail.grpc").service("empty.proto", "test.Calls")
        function S.Nothing() end
        function S.Many(_, call) call:send() call:send {} end
        return S"""})
    caller = start({"empty.proto": EMPTY, "index.lua": """
        local c = require("moontrail.grpc").client("%s", "empty.proto", "test.Calls")
        return function(ctx)
            local count = 0
            for _ in c:Many():messages() do count = count + 1 end
            ctx:text(type(c:Nothing()) .. count)
        end""" % server.http.replace("http:", "h2c:")})
    assert connect(caller.https).fetch("/").text == "table2"


def test_false_is_no_empty_message(start):
    server = start({"empty.proto": EMPTY, "calls.lua": """
        local S = require("moontrail.grpc").service("empty.proto", "test.Calls")
        function S.Nothing() return false end
        return S"""})
    protos = Protos(empty=EMPTY)
    empty = protos.message("google.protobuf.Empty")
    with open_channel(server.http) as channel, pytest.raises(grpc.RpcError):
        protos.stub(channel, "test.Calls").Nothing(empty())
    server.wait_for("/test.Calls/Nothing has a boolean as its reply, not a table")


OWN = {
    "health.proto": """
        syntax = "proto3";
        package grpc.health.v1;
        message M {}
        service Health { rpc Check(M) returns (M); rpc Watch(M) returns (stream M); }""",
    "own.lua": """
        local S = require("moontrail.grpc").service("health.proto", "grpc.health.v1.Health")
        function S.Check(request) return request end
        function S.Watch() end
        return S""",
}


@pytest.mark.parametrize("name", ["a.lua", "z.lua"])
def test_a_health_service_of_ones_own_beside_another(tmp_path, name):
    files = {**OWN, "calls.proto": PROTO, name: PLAIN}
    result = run("--check", write_scripts(tmp_path / "both", files))
    assert result.returncode == 1
    assert re.search(r"set health = false (there|for test.Calls)", result.stderr), result.stderr
    files[name] = PLAIN.replace('"test.Calls"', '"test.Calls", { health = false }')
    result = run("--check", write_scripts(tmp_path / "one", files))
    assert result.returncode == 0, result.stderr
    assert "/grpc.health.v1.Health/Check" in result.stdout
