"""Services called by the routes of their google.api.http annotations: plain HTTP with JSON, over both
versions."""
import base64
import json
import socket
import subprocess
from urllib.parse import urlsplit

import pytest

from client import Client
from http1 import Http1
from server import PATIENCE, ROOT, run, write_scripts

PROTO = """
    syntax = "proto3";
    package library;
    import "google/api/annotations.proto";
    import "google/api/httpbody.proto";
    import "google/protobuf/empty.proto";
    import "google/protobuf/field_mask.proto";
    import "google/protobuf/struct.proto";
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";

    enum Kind { SMALL = 0; LARGE = 1; }
    message Shelf { string name = 1; string theme = 2; int32 size = 3; }
    message All {
      string name = 1; bool full = 2; repeated string tags = 3; Kind kind = 4;
      google.protobuf.Timestamp at = 5; google.protobuf.FieldMask mask = 6;
      google.protobuf.BoolValue maybe = 7; Shelf shelf = 8; repeated int32 numbers = 9;
      oneof choice { string a = 10; int32 b = 11; Shelf c = 17; }
      bytes data = 12; int64 big_number = 13; map<string, string> labels = 14; double ratio = 15;
      All inner = 16; google.protobuf.Value value = 18; repeated Kind kinds = 19;
      google.protobuf.Int64Value wrapped = 20; repeated Shelf shelves = 21; string theme = 22;
    }
    message Wrap { string id = 1; All all = 2; repeated string names = 3; google.api.HttpBody raw = 4;
                   map<string, int32> counts = 5; int32 number = 6; }

    service Library {
      rpc Get(All) returns (All) {
        option (google.api.http) = {
          get: "/v1/{name=shelves/*}"
          additional_bindings { get: "/v1/deep/{name=shelves/*/books/*}" }
          additional_bindings { get: "/v1/any/{name=**}" }
          additional_bindings { get: "/v1/inner/{inner.shelf.name}/{inner.kind}" }
          additional_bindings { get: "/v1/typed/{big_number}/{maybe}/{at}" }
        };
      }
      rpc Put(All) returns (All) { option (google.api.http) = { put: "/v1/{name=shelves/*}" body: "*" }; }
      rpc Patch(All) returns (All) {
        option (google.api.http) = { patch: "/v1/shelves/{shelf.name}" body: "shelf" response_body: "shelf" };
      }
      rpc Delete(All) returns (google.protobuf.Empty) { option (google.api.http) = { delete: "/v1/{name=shelves/*}" }; }
      rpc Lock(All) returns (All) { option (google.api.http) = { post: "/v1/{name=shelves/*}:lock" body: "*" }; }
      rpc Clear(All) returns (All) { option (google.api.http) = { post: "/v1/shelves:clear" }; }
      rpc Names(Wrap) returns (Wrap) {
        option (google.api.http) = { post: "/v1/names/{id}" body: "names" response_body: "names" };
      }
      rpc Counts(Wrap) returns (Wrap) {
        option (google.api.http) = { post: "/v1/counts" body: "counts" response_body: "counts" };
      }
      rpc Number(Wrap) returns (Wrap) {
        option (google.api.http) = { post: "/v1/number" body: "number" response_body: "number" };
      }
      rpc Upload(Wrap) returns (Wrap) {
        option (google.api.http) = { post: "/v1/files/{id}" body: "raw" response_body: "raw" };
      }
      rpc Raw(google.api.HttpBody) returns (google.api.HttpBody) { option (google.api.http) = { post: "/v1/raw" body: "*" }; }
      rpc Fail(All) returns (All) { option (google.api.http) = { get: "/v1/fail/{name}" }; }
      rpc Many(All) returns (stream All) { option (google.api.http) = { get: "/v1/many" }; }
      rpc Pieces(All) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/v1/pieces" }; }
      rpc Up(stream All) returns (All) { option (google.api.http) = { post: "/v1/up" body: "*" }; }
      rpc Odd(All) returns (All) {
        option (google.api.http) = { custom { kind: "LINK" path: "/v1/odd" }
                                     additional_bindings { custom { kind: "*" path: "/v1/every" } } };
      }
      rpc None(All) returns (All) { option (google.api.http) = { get: "/v1/none" }; }
      rpc Head(All) returns (All) { option (google.api.http) = { get: "/v1/head" }; }
    }"""

SERVICE = """
    local grpc = require "moontrail.grpc"
    local Library = grpc.service("library.proto", "library.Library", %s)
    local function echo(request) return request end
    for _, name in ipairs { "Get", "Put", "Patch", "Lock", "Names", "Counts", "Number", "Upload" } do
        Library[name] = echo
    end
    function Library.Delete() end
    function Library.Clear(_, call)
        return { name = table.concat({ call.protocol, call.codec, call.method }, " ") }
    end
    function Library.Raw(request)
        return { content_type = request.content_type, data = request.data:upper() }
    end
    function Library.Fail(request, call)
        assert(call.ctx.remote) -- whose functions of HTTP raise from then on
        if request.name == "bug" then
            error("never shown")
        end
        local code = tonumber(request.name) or request.name
        grpc.error(code, 'no "shelf"\\n', {
            { type = "google.rpc.ErrorInfo", value = { reason = "GONE" } },
            { type = "library.Shelf", value = { size = 7 } },
            { type = "google.protobuf.Timestamp", value = { seconds = 1 } },
            { type_url = "type.googleapis.com/no.Such", value = "\\1\\2" },
        })
    end
    function Library.Many(request, call)
        call:trailer("x-end", "behind")
        for i = 1, request.numbers[1] or 0 do
            call:send { name = "s" .. i }
        end
        if request.theme == "park" then
            local closed <close> = setmetatable({}, { __close = function() print "park is over" end })
            require("moontrail").sleep(3600)
        end
        if request.name ~= "" then
            grpc.error(request.name, "in the middle")
        end
    end
    function Library.Pieces(request, call)
        for i = 1, 3 do
            call:send { content_type = "text/x-pieces", data = "p" .. i }
        end
        if request.name ~= "" then
            grpc.error(request.name, "in the middle")
        end
    end
    function Library.Odd(_, call) return { name = call.ctx.method } end
    function Library.Head(request, call)
        call:header("x-one", call.metadata["x-one"] or "none")
        call:trailer("x-two", "2")
        return {}
    end
    return Library"""

SCRIPTS = {"library.proto": PROTO, "library.lua": SERVICE % "{}",
           "v1/shelves/index.lua": "return function(ctx) ctx:text('a script') end"}

WIRES = {"h2": lambda server: Client(server.https), "h2c": lambda server: Client(server.http),
         "http1": lambda server: Http1(server.http)}


@pytest.fixture(scope="module", params=WIRES)
def wire(request, server):
    with WIRES[request.param](server) as client:
        yield client


def call(client, path, method="GET", body=b"", headers=()):
    """The status, and the JSON of the body."""
    if isinstance(body, (dict, list, str)):
        body = json.dumps(body).encode() if not isinstance(body, str) else body.encode()
    response = client.fetch(path, method, headers=list(headers), **({"body": body} if body else {}))
    return response.status, json.loads(response.text)


def refused(text):
    return 400, {"code": 3, "message": text, "details": []}


# Paths.

@pytest.mark.parametrize("path, reply", [
    ("/v1/shelves/7", {"name": "shelves/7"}),
    ("/v1/shelves/a%20b%C3%A9", {"name": "shelves/a bé"}),
    ("/v1/shelves/a%2Fb", {"name": "shelves/a%2Fb"}),
    ("/v1/shelves/a:open", {"name": "shelves/a:open"}),
    ("/v1/shelves/a%3Alock", {"name": "shelves/a:lock"}),
    ("/v1/deep/shelves/1/books/2", {"name": "shelves/1/books/2"}),
    ("/v1/any/a/b%2fc/d", {"name": "a/b%2fc/d"}),
    ("/v1/any", {}),
    ("/v1/inner/a%2Fb/LARGE", {"inner": {"shelf": {"name": "a/b"}, "kind": "LARGE"}}),
    ("/v1/inner/x/1", {"inner": {"shelf": {"name": "x"}, "kind": "LARGE"}}),
    ("/v1/typed/9007199254740993/true/2020-01-01T00:00:00Z",
     {"bigNumber": "9007199254740993", "maybe": True, "at": "2020-01-01T00:00:00Z"}),
])
def test_variables_of_a_path(wire, path, reply):
    assert call(wire, path) == (200, reply)


@pytest.mark.parametrize("path, why", [
    ("/v1/inner/x/HUGE", 'inner.kind: library.All.kind: library.Kind has no value "HUGE"'),
    ("/v1/typed/x/true/2020-01-01T00:00:00Z",
     "big_number: library.All.big_number: expected an integer, got a string"),
    ("/v1/shelves/%ff", "name is not UTF-8"),
])
def test_a_variable_that_cannot_be_read(wire, path, why):
    assert call(wire, path) == refused(why)


def test_a_literal_beats_a_variable_whosever_it_is(wire):
    assert wire.fetch("/v1/shelves").text == "a script"
    assert call(wire, "/v1/shelves:clear", "POST")[0] == 200
    assert wire.fetch("/v1/nothing/here").status == 404
    assert wire.fetch("/v1/shelves/").status == 404
    assert wire.fetch("/v1/shelves/../x").status == 400


def test_verbs(wire):
    assert call(wire, "/v1/shelves/7:lock", "POST", "{}") == (200, {"name": "shelves/7"})
    assert call(wire, "/v1/shelves/7:8:lock", "POST", "{}") == (200, {"name": "shelves/7:8"})
    response = wire.fetch("/v1/shelves/7:lock")
    assert (response.status, response.header("allow")) == (405, "POST, OPTIONS")


def test_what_a_call_is(wire):
    assert call(wire, "/v1/shelves:clear", "POST") == (
        200, {"name": "http json library.Library/Clear"})


# Queries.

@pytest.mark.parametrize("query, reply", [
    ("full=true&tags=x&tags=y+z", {"full": True, "tags": ["x", "y z"]}),
    ("kind=LARGE&kinds=0&kinds=LARGE", {"kind": "LARGE", "kinds": ["SMALL", "LARGE"]}),
    ("kind=9", {"kind": 9}),
    ("bigNumber=5&ratio=1.5&data=AQI", {"bigNumber": "5", "ratio": 1.5, "data": "AQI="}),
    ("big_number=5&numbers=1", {"bigNumber": "5", "numbers": [1]}),
    ("ratio=NaN", {"ratio": "NaN"}),
    ("at=2020-01-01T00:00:00Z&mask=a,bC&maybe=false&wrapped=7",
     {"at": "2020-01-01T00:00:00Z", "mask": "a,bC", "maybe": False, "wrapped": "7"}),
    ("value=x", {"value": "x"}),
    ("shelf.theme=t&shelf.size=4", {"shelf": {"theme": "t", "size": 4}}),
    ("inner.inner.tags=a&inner.inner.tags=b&inner.full=true",
     {"inner": {"full": True, "inner": {"tags": ["a", "b"]}}}),
    ("b=0", {"b": 0}),
    ("c.size=1&c.theme=x", {"c": {"size": 1, "theme": "x"}}),
    ("theme=", {}),
    ("tags=", {"tags": [""]}),
    ("", {}),
])
def test_fields_in_a_query(wire, query, reply):
    assert call(wire, "/v1/shelves/7?" + query) == (200, {"name": "shelves/7", **reply})


@pytest.mark.parametrize("query, why", [
    ("full=yes", "the query's full: library.All.full: expected a boolean, got a string"),
    ("full", "the query's full: library.All.full: expected a boolean, got a string"),
    ("full=true&full=true", "the query's full is given twice"),
    ("numbers=1&numbers=x",
     "the query's numbers: library.All.numbers[2]: expected an integer, got a string"),
    ("nothing=1", "the query's nothing: library.All has no field nothing"),
    ("shelf.nothing=1", "the query's shelf.nothing: library.Shelf has no field nothing"),
    ("labels=x", "the query's labels: labels is a map"),
    ("labels.x=y", "the query's labels.x: labels has no fields of its own"),
    ("tags.x=y", "the query's tags.x: tags has no fields of its own"),
    ("shelves.name=y", "the query's shelves.name: shelves has no fields of its own"),
    ("shelf=x", "the query's shelf: shelf is the message library.Shelf"),
    ("name=x", "the query's name: it is in the path"),
    ("a=x&b=1", "both a and b of the oneof choice are set"),
    ("theme=%ff", "the query's theme is not UTF-8"),
    ("kind=NONE", 'the query\'s kind: library.All.kind: library.Kind has no value "NONE"'),
    ("data=!", "the query's data: library.All.data: not base64"),
    ("inner." * 100 + "full=true", "the query's " + "inner." * 100
     + "full: inner has more than 100 levels"),
])
def test_a_query_that_does_not_fit(wire, query, why):
    status, got = call(wire, "/v1/shelves/7?" + query)
    message = got["message"]
    if query.startswith("a=x"):
        message = message.replace("both b and a", "both a and b")
    assert (status, message) == (400, why)


def test_both_names_of_a_field_are_one_field(wire):
    status, got = call(wire, "/v1/shelves/7?big_number=1&bigNumber=1")
    assert status == 400 and got["message"].endswith("is given twice")


def test_too_many_arguments(wire):
    status, got = call(wire, "/v1/shelves/7?" + "&".join("tags=x" for _ in range(1001)))
    assert (status, got["code"]) == (400, 3)


# Bodies.

def test_a_body_that_is_all_but_the_path(wire):
    body = {"theme": "dark", "name": "not this", "shelf": {"size": 1}}
    assert call(wire, "/v1/shelves/7", "PUT", body) == (200, {**body, "name": "shelves/7"})
    assert call(wire, "/v1/shelves/7", "PUT") == (200, {"name": "shelves/7"})
    assert call(wire, "/v1/shelves/7?theme=x", "PUT", {}) == refused(
        "the query's theme: the body is all of the request")


def test_a_body_whose_content_type_is_that_of_curl(wire):
    form = [("content-type", "application/x-www-form-urlencoded")]
    assert call(wire, "/v1/shelves/7", "PUT", {"theme": "x"}, form)[0] == 200


def test_a_body_that_is_a_field(wire):
    body = {"theme": "dark", "size": 3}
    assert call(wire, "/v1/shelves/7", "PATCH", body) == (200, {**body, "name": "7"})
    assert call(wire, "/v1/shelves/7?full=true", "PATCH", body)[0] == 200
    assert call(wire, "/v1/shelves/7?shelf.size=1", "PATCH", body) == refused(
        "the query's shelf.size: it is in the body")


def test_bodies_that_are_no_messages(wire):
    assert call(wire, "/v1/names/1", "POST", ["a", "b"]) == (200, ["a", "b"])
    assert call(wire, "/v1/names/1", "POST") == (200, [])
    assert call(wire, "/v1/counts", "POST", {"a": 1}) == (200, {"a": 1})
    assert call(wire, "/v1/number", "POST", "7") == (200, 7)
    assert call(wire, "/v1/number", "POST", "null") == (200, 0)


@pytest.mark.parametrize("path, method, body, why", [
    ("/v1/shelves/7", "PUT", "{'a':1,}",
     "library.All: not JSON: expected a name, got \"'\" (line 1, byte 2)"),
    ("/v1/shelves/7", "PUT", '{"none":1}', 'library.All: there is no field "none" (line 1, byte 2)'),
    ("/v1/shelves/7", "PUT", '{"full":true,"full":true}',
     "library.All.full: given twice (line 1, byte 14)"),
    ("/v1/shelves/7", "PATCH", '{"size":"x"}',
     "library.All.shelf.size: expected an integer, got a string (line 1, byte 9)"),
    ("/v1/names/1", "POST", '["a",1]',
     "library.Wrap.names[2]: expected a string, got a number (line 1, byte 6)"),
    ("/v1/names/1", "POST", '["a"],"id":"2"',
     "library.Wrap.names: not JSON: more text behind the value (line 1, byte 6)"),
])
def test_a_body_that_does_not_fit_is_told_with_its_place(wire, path, method, body, why):
    status, got = call(wire, path, method, body)
    assert (status, got["code"]) == (400, 3)
    if "'" not in body:
        assert got["message"] == "a message cannot be read: " + why


def test_an_empty_reply_is_an_empty_object(wire):
    assert call(wire, "/v1/shelves/7", "DELETE") == (200, {})


def test_bodies_as_they_are(wire):
    text = [("content-type", "text/x; a=b")]
    response = wire.fetch("/v1/raw", "POST", headers=text, body=b"hello \xff")
    assert (response.status, response.header("content-type")) == (200, "text/x; a=b")
    assert response.body == b"HELLO \xff"
    response = wire.fetch("/v1/files/7", "POST", headers=text, body=b"\0\1")
    assert (response.header("content-type"), response.body) == ("text/x; a=b", b"\0\1")
    response = wire.fetch("/v1/raw", "POST")
    assert (response.status, response.header("content-type"), response.body) == (
        200, "application/octet-stream", b"")


def test_a_body_that_is_too_large_and_one_that_is_compressed(start, connect):
    import gzip
    server = start({**SCRIPTS, "library.lua": SERVICE % "{ max_message = 100, compression = 'gzip' }"})
    client = connect(server.https)
    status, got = call(client, "/v1/names/1", "POST", ["x" * 200])
    assert (status, got["code"]) == (429, 8)
    packed = gzip.compress(b'["' + b"x" * 90 + b'"]')
    response = client.fetch("/v1/names/1", "POST", body=packed, headers=[
        ("content-encoding", "gzip"), ("accept-encoding", "gzip")])
    assert response.header("content-encoding") == "gzip"
    assert json.loads(gzip.decompress(response.body)) == ["x" * 90]
    bomb = gzip.compress(b'["' + b"x" * 100000 + b'"]')
    assert call(client, "/v1/names/1", "POST", bomb, [("content-encoding", "gzip")])[0] == 429
    assert call(client, "/v1/names/1", "POST", b"[]", [("content-encoding", "br")]) == refused(
        "the encoding br is not supported")


# Methods.

def test_methods_of_one_place(wire):
    response = wire.fetch("/v1/shelves/7", "POST")
    assert response.status == 405
    assert response.header("allow") == "DELETE, GET, PATCH, PUT, HEAD, OPTIONS"
    response = wire.fetch("/v1/shelves/7", "OPTIONS")
    assert (response.status, response.header("allow")) == (
        204, "DELETE, GET, PATCH, PUT, HEAD, OPTIONS")
    response = wire.fetch("/v1/head", "HEAD")
    assert (response.status, response.body) == (200, b"")


def test_custom_methods(wire):
    assert call(wire, "/v1/odd", "LINK") == (200, {"name": "LINK"})
    assert wire.fetch("/v1/odd").status == 405
    assert call(wire, "/v1/every", "PURGE") == (200, {"name": "PURGE"})
    assert call(wire, "/v1/every", "GET") == (200, {"name": "GET"})


def test_metadata(wire):
    response = wire.fetch("/v1/head", headers=[("x-one", "1")])
    assert response.header("x-one") == "1" and response.header("trailer-x-two") == "2"


# Errors.

DETAILS = [
    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "GONE"},
    {"@type": "type.googleapis.com/library.Shelf", "size": 7},
    {"@type": "type.googleapis.com/google.protobuf.Timestamp", "value": "1970-01-01T00:00:01Z"},
    {"@type": "type.googleapis.com/no.Such", "value": base64.b64encode(b"\1\2").decode()},
]


@pytest.mark.parametrize("name, code, status", [
    ("CANCELLED", 1, 499), ("UNKNOWN", 2, 500), ("INVALID_ARGUMENT", 3, 400),
    ("DEADLINE_EXCEEDED", 4, 504), ("NOT_FOUND", 5, 404), ("ALREADY_EXISTS", 6, 409),
    ("PERMISSION_DENIED", 7, 403), ("RESOURCE_EXHAUSTED", 8, 429), ("FAILED_PRECONDITION", 9, 400),
    ("ABORTED", 10, 409), ("OUT_OF_RANGE", 11, 400), ("UNIMPLEMENTED", 12, 501),
    ("INTERNAL", 13, 500), ("UNAVAILABLE", 14, 503), ("DATA_LOSS", 15, 500),
    ("UNAUTHENTICATED", 16, 401), ("77", 77, 500),
])
def test_an_error_is_a_status_in_json(wire, name, code, status):
    assert call(wire, "/v1/fail/" + name) == (
        status, {"code": code, "message": 'no "shelf"\n', "details": DETAILS})


def test_a_bug_is_told_of_in_the_log_alone(wire, server):
    assert call(wire, "/v1/fail/bug") == (
        500, {"code": 2, "message": "the handler failed", "details": []})
    assert server.wait_for(r"grpc call failed.*never shown")


def test_a_method_that_is_left_out(wire):
    assert call(wire, "/v1/none") == (
        501, {"code": 12, "message": "the method is not implemented", "details": []})


# Streams.

LINES = b'{"name":"s1"}\n{"name":"s2"}\n'


def test_a_stream_is_lines(wire):
    response = wire.fetch("/v1/many?numbers=2")
    assert (response.status, response.header("content-type")) == (200, "application/x-ndjson")
    assert response.body == LINES
    response = wire.fetch("/v1/many")
    assert (response.status, response.body) == (200, b"")


def test_a_stream_that_fails_ends_in_a_line_that_says_so(wire):
    response = wire.fetch("/v1/many?numbers=2&name=ABORTED")
    assert response.status == 200
    assert response.body == LINES + (
        b'{"error":{"code":10,"message":"in the middle","details":[]}}\n')


def test_a_stream_that_fails_at_once_has_a_status(wire):
    assert call(wire, "/v1/many?name=ABORTED") == (
        409, {"code": 10, "message": "in the middle", "details": []})
    assert call(wire, "/v1/many?numbers=x")[0] == 400


@pytest.mark.parametrize("accept, kind", [
    ("text/event-stream", "text/event-stream"),
    ("application/json, text/event-stream;q=0.5", "text/event-stream"),
    ("text/event-stream;q=0", "application/x-ndjson"),
    ("*/*", "application/x-ndjson"),
])
def test_events_are_for_who_accepts_them(wire, accept, kind):
    response = wire.fetch("/v1/many?numbers=1", headers=[("accept", accept)])
    assert response.header("content-type") == kind
    assert response.header("vary") == "Accept"


def test_a_stream_of_events(wire):
    accept = [("accept", "text/event-stream")]
    response = wire.fetch("/v1/many?numbers=2&name=ABORTED", headers=accept)
    assert response.body == (
        b'data: {"name":"s1"}\n\ndata: {"name":"s2"}\n\n'
        b'event: error\ndata: {"code":10,"message":"in the middle","details":[]}\n\n')
    response = wire.fetch("/v1/many?name=ABORTED", headers=accept)
    assert (response.status, response.header("content-type")) == (409, "application/json")


def test_a_stream_of_bodies_as_they_are(wire):
    response = wire.fetch("/v1/pieces")
    assert (response.header("content-type"), response.body) == ("text/x-pieces", b"p1p2p3")


def test_metadata_behind_a_stream_is_a_trailer(server):
    with Client(server.https) as client:
        response = client.fetch("/v1/many?numbers=1", headers=[("te", "trailers")])
        assert ("x-end", "behind") in [tuple(pair) for pair in response.trailers]


def test_a_reply_goes_out_when_it_is_sent_and_a_client_that_goes_ends_the_call(server):
    parts = urlsplit(server.http)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as wire:
        wire.sendall(b"GET /v1/many?numbers=2&theme=park HTTP/1.1\r\nhost: x\r\n\r\n")
        got = b""
        while b'{"name":"s2"}\n' not in got:
            got += wire.recv(4096)
    assert server.wait_for("park is over")


def test_a_stream_of_requests_has_no_route(wire):
    assert wire.fetch("/v1/up", "POST", body=b"{}").status == 404


# What JSON may differ in, and services without routes.

def test_options_of_json_hold_for_all_of_it(start, connect):
    options = "{ json = { names = 'proto', enums = 'number', unknown = 'ignore' } }"
    client = connect(start({**SCRIPTS, "library.lua": SERVICE % options}).https)
    assert call(client, "/v1/shelves/7?kind=LARGE&big_number=1&no.such=1&name=x") == (
        200, {"name": "shelves/7", "kind": 1, "big_number": "1"})
    assert call(client, "/v1/shelves/7?x=1", "PUT", {"none": 1}) == (200, {"name": "shelves/7"})


def test_a_service_that_wants_no_routes(start, connect):
    client = connect(start({**SCRIPTS, "library.lua": SERVICE % "{ transcode = false }"}).https)
    assert client.fetch("/v1/shelves/7").status == 404


def test_interceptors_stand_before_it(start, connect):
    options = """{ intercept = function(call, next)
        call.request.theme = call.protocol
        local reply = next()
        reply.tags = { call.method }
        return reply
    end }"""
    client = connect(start({**SCRIPTS, "library.lua": SERVICE % options}).https)
    assert call(client, "/v1/shelves/7") == (
        200, {"name": "shelves/7", "theme": "http", "tags": ["library.Library/Get"]})


PAGE = [("origin", "https://page.example")]


def test_pages_of_other_origins(start, connect):
    options = "{ origins = { 'https://page.example' } }"
    client = connect(start({**SCRIPTS, "library.lua": SERVICE % options}).https)
    response = client.fetch("/v1/shelves/7", headers=PAGE)
    assert response.header("access-control-allow-origin") == "https://page.example"
    response = client.fetch("/v1/shelves/7", "OPTIONS", headers=[
        *PAGE, ("access-control-request-method", "PATCH")])
    assert response.status == 204
    assert response.header("access-control-allow-methods") == (
        "DELETE, GET, PATCH, PUT, HEAD, OPTIONS")
    response = client.fetch("/v1/shelves/7", "POST", headers=PAGE)
    assert (response.status, response.header("allow")) == (
        405, "DELETE, GET, PATCH, PUT, HEAD, OPTIONS")
    assert response.header("access-control-allow-origin") == "https://page.example"
    response = client.fetch("/v1/shelves/7", headers=[("origin", "https://other.example")])
    assert response.status == 200 and response.header("access-control-allow-origin") is None
    assert response.header("vary") == "Origin"
    assert call(client, "/v1/every", "PURGE") == (200, {"name": "PURGE"})


# Loading.

def make_proto(package, *methods, imports=""):
    lines = "\n".join(f"rpc M{i}({request}) returns ({reply}) {{ option (google.api.http) = "
                      f"{{ {rule} }}; }}" for i, (request, reply, rule) in enumerate(methods))
    return f"""
        syntax = "proto3";
        package {package};
        import "google/api/annotations.proto";
        message Shelf {{ string name = 1; }}
        message A {{ string id = 1; Shelf shelf = 2; repeated string list = 3; map<string, string> map = 4; }}
        service S {{ {lines} }}"""


def make_service(package):
    return f'return require "moontrail.grpc".service("{package}.proto", "{package}.S")'


def check(tmp_path, scripts):
    return run("--check", write_scripts(tmp_path, scripts))


def check_rule(tmp_path, rule):
    return check(tmp_path, {"a.proto": make_proto("a", ("A", "A", rule)), "a.lua": make_service("a")})


@pytest.mark.parametrize("rule, why", [
    ('get: "v1"', "a.S/M0: the template v1 does not begin with a slash"),
    ('get: "/v1/{id"', "a.S/M0: the template /v1/{id has a stray {"),
    ('get: "/v1/{none}"', "a.S/M0: the template /v1/{none}: a.A has no field none"),
    ('get: "/v1/{shelf}"', "a.S/M0: the template /v1/{shelf}: shelf is the message a.Shelf"),
    ('get: "/v1/{shelf.none}"', "a.S/M0: the template /v1/{shelf.none}: a.Shelf has no field none"),
    ('get: "/v1/{list}"', "a.S/M0: the template /v1/{list}: list is repeated"),
    ('get: "/v1/{map}"', "a.S/M0: the template /v1/{map}: map is a map"),
    ('get: "/v1/{id=**}/x"', "a.S/M0: the template /v1/{id=**}/x goes on behind **"),
    ('post: "/v1" body: "none"', "a.S/M0: its body is none: a.A has no such field"),
    ('get: "/v1" response_body: "none"', "a.S/M0: its response_body is none: a.A has no such field"),
    ('get: "/v1" response_body: "*"', "a.S/M0: its response_body is *: a.A has no such field"),
    ('get: "/v1" body: "*"', "a.S/M0: a GET has no body"),
    ('body: "*"', "a.S/M0: a google.api.http has no path"),
    ('custom { kind: "A B" path: "/v1" }', 'a.S/M0: the custom method "A B" is none'),
    ('get: "/v1" additional_bindings { get: "/v2" additional_bindings { get: "/v3" } }',
     "a.S/M0: an additional binding has additional bindings"),
    ('get: "/v1/{id}" additional_bindings { get: "/v1/{shelf.name}" }',
     "a.S/M0 has GET /v1/{shelf.name} twice"),
])
def test_an_annotation_that_cannot_be(tmp_path, rule, why):
    done = check_rule(tmp_path, rule)
    assert done.returncode == 1 and why in done.stderr, done.stderr


def test_the_same_method_and_template_names_both(tmp_path):
    scripts = {"a.proto": make_proto("a", ("A", "A", 'get: "/v1/{id}"')), "a.lua": make_service("a"),
               "b.proto": make_proto("b", ("A", "A", 'get: "/v1/{shelf.name=*}"')),
               "b.lua": make_service("b")}
    done = check(tmp_path, scripts)
    assert done.returncode == 1
    assert "a.S/M0 and b.S/M0 both have GET /v1/{id}, or GET /v1/{shelf.name=*}" in done.stderr


def test_a_template_that_takes_the_paths_of_a_script_names_both(tmp_path):
    scripts = {"a.proto": make_proto("a", ("A", "A", 'get: "/v1/{id}"')), "a.lua": make_service("a"),
               "v1/[id].lua": "return function() end"}
    done = check(tmp_path, scripts)
    assert done.returncode == 1
    assert "a.lua" in done.stderr and "v1/[id].lua" in done.stderr, done.stderr


def test_what_takes_only_some_of_the_paths_of_a_script_is_none(start, connect):
    scripts = {"a.proto": make_proto("a", ("A", "A", 'get: "/v1/{id}:lock"')), "a.lua": """
                   local S = require "moontrail.grpc".service("a.proto", "a.S")
                   function S.M0(request) return request end
                   return S""",
               "v1/[id].lua": "return function(ctx) ctx:text(ctx.params.id) end",
               "v1/one.lua": "return function(ctx) ctx:text('one') end"}
    client = connect(start(scripts).https)
    assert call(client, "/v1/7:lock") == (200, {"id": "7"})
    assert [client.fetch(path).text for path in ("/v1/7", "/v1/7:open", "/v1/one")] == [
        "7", "7:open", "one"]


def test_services_of_several_scripts_share_a_place(start, connect):
    echo = """
        local S = require "moontrail.grpc".service("%s.proto", "%s.S")
        function S.M0(request) return { id = "%s " .. request.id } end
        return S"""
    scripts = {"a.proto": make_proto("a", ("A", "A", 'get: "/v1/{id}"')),
               "b.proto": make_proto("b", ("A", "A", 'delete: "/v1/{id=*}"')),
               **{f"{name}.lua": echo % (name, name, name) for name in "ab"}}
    client = connect(start(scripts).https)
    assert call(client, "/v1/7") == (200, {"id": "a 7"})
    assert call(client, "/v1/7", "DELETE") == (200, {"id": "b 7"})
    response = client.fetch("/v1/7", "PUT")
    assert (response.status, response.header("allow")) == (405, "DELETE, GET, HEAD, OPTIONS")


def test_check_shows_the_routes_and_what_has_none(tmp_path):
    done = check(tmp_path, SCRIPTS)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "GET /v1/any/{name=**}: library.Library/Get" in lines["/v1/any/[...name?]"]
    assert "DELETE /v1/{name=shelves/*}: library.Library/Delete" in lines["/v1/shelves/[name]"]
    assert "without its routes of google.api.http: the requests are a stream" in lines[
        "/library.Library/Up"]


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "tests/grpc").glob("*.lua")))
def test_script_finds_nothing_wrong(script):
    done = run("--check", ROOT / "tests/grpc" / script)
    assert done.returncode == 0, done.stderr


def test_types_from_a_descriptor_set(start, connect, tmp_path):
    from optional import need
    need("protoc")
    folder = write_scripts(tmp_path / "set", {"library.proto": PROTO})
    # Where protoc finds no google/api it is given ours.
    common = dump_common(tmp_path)
    subprocess.run(["protoc", "-I", folder, "-I", common, "-o", folder / "library.binpb",
                    folder / "library.proto"], check=True)
    client = connect(start({
        "library.binpb": (folder / "library.binpb").read_bytes(),
        "library.lua": (SERVICE % "{}").replace("library.proto", "library.binpb")}).https)
    assert call(client, "/v1/shelves/7?kind=LARGE") == (200, {"name": "shelves/7", "kind": "LARGE"})


def dump_common(folder):
    """The files of google/api that the annotations need, as protoc wants them."""
    files = {
        "google/api/http.proto": """
            syntax = "proto3"; package google.api;
            message HttpRule {
              string selector = 1;
              oneof pattern { string get = 2; string put = 3; string post = 4; string delete = 5;
                              string patch = 6; CustomHttpPattern custom = 8; }
              string body = 7; repeated HttpRule additional_bindings = 11; string response_body = 12;
            }
            message CustomHttpPattern { string kind = 1; string path = 2; }""",
        "google/api/annotations.proto": """
            syntax = "proto3"; package google.api;
            import "google/api/http.proto"; import "google/protobuf/descriptor.proto";
            extend google.protobuf.MethodOptions { HttpRule http = 72295728; }""",
        "google/api/httpbody.proto": """
            syntax = "proto3"; package google.api; import "google/protobuf/any.proto";
            message HttpBody { string content_type = 1; bytes data = 2;
                               repeated google.protobuf.Any extensions = 3; }""",
    }
    return write_scripts(folder / "common", files)


# Messages of proto2, which may require fields: from wherever they come.

OLD = """
    syntax = "proto2";
    package old;
    import "google/api/annotations.proto";
    message Inner { required string part = 1; optional string more = 2; }
    message Old { required string id = 1; required string text = 2; optional Inner inner = 3; }
    service Store {
      rpc Put(Old) returns (Old) { option (google.api.http) = {
        put: "/old/{id}" body: "*"
        additional_bindings { get: "/old/{id}" }
        additional_bindings { get: "/all/{text=**}:list" }
        additional_bindings { get: "/one/{id}/{text=**}:list" }
        additional_bindings { post: "/old/{id}/{text}/{inner.part}" body: "inner" }
      }; }
    }"""

STORE = """
    local Store = require("moontrail.grpc").service("old.proto", "old.Store")
    function Store.Put(request) return request end
    return Store"""


def test_required_fields_come_from_path_query_and_body_alike(start, connect):
    client = connect(start({"old.proto": OLD, "old.lua": STORE}).http)

    def ask(method, path, body=b""):
        answer = client.response(client.request(path, method, body=body))
        return answer.status, json.loads(answer.text)

    whole = {"id": "7", "text": "t"}
    assert ask("PUT", "/old/7", b'{"text":"t"}') == (200, whole)
    assert ask("GET", "/old/7?text=t") == (200, whole)
    deep = {**whole, "inner": {"part": "p", "more": "m"}}
    assert ask("POST", "/old/7/t/p", b'{"more":"m"}') == (200, deep)
    for lacks in (ask("PUT", "/old/7", b"{}"), ask("PUT", "/old/7"), ask("GET", "/old/7"),
                  ask("GET", "/old/7?text=t&inner.more=m")):
        assert lacks[0] == 400 and lacks[1]["code"] == 3
        assert "required, but missing" in lacks[1]["message"]


def test_a_rest_before_a_verb_may_be_nothing(start, connect):
    client = connect(start({"old.proto": OLD, "old.lua": STORE}).http)
    for path, id, text in (("/all:list?id=1", "1", ""), ("/all/a/b:list?id=1", "1", "a/b"),
                           ("/one/2:list", "2", ""), ("/one/2/x%2Fy/z:list", "2", "x%2Fy/z"),
                           ("/one/2:3:list", "2:3", "")):
        answer = client.response(client.request(path, "GET"))
        assert answer.status == 200 and json.loads(answer.text) == {"id": id, "text": text}, path
    for path in ("/all:other", "/all/:list", "/one:list"):
        assert client.response(client.request(path, "GET")).status == 404
