"""moontrail --openapi: a document of the routes that services have, for those who call them."""
import json
import subprocess

import pytest

from optional import FOUND, RPCJS, need
from server import ROOT, run, write_scripts
from test_grpc_transcoding import PROTO, SERVICE

SHOP = """
    syntax = "proto3";
    package shop.v2;
    import "google/api/annotations.proto";
    // Sells things.
    //
    // Any of them.
    service Shop {
      // Finds a thing.
      rpc Find(Query) returns (Thing) {
        option idempotency_level = NO_SIDE_EFFECTS;
        option (google.api.http) = {
          get: "/v2/{name=stores/*/things/*}"
          additional_bindings { get: "/v2/{name}" }
          additional_bindings { get: "/v2/{name=**}" }
        };
      }
      rpc Change(Query) returns (Thing) {
        option (google.api.http) = { patch: "/v2/{thing.id}" body: "thing" response_body: "parts" };
      }
      rpc Listen(Query) returns (stream Thing) { option (google.api.http) = { get: "/v2/things:listen" }; }
      rpc Plain(Query) returns (Thing);
      rpc Chat(stream Query) returns (stream Thing);
      rpc Link(Query) returns (Thing) { option (google.api.http) = { custom { kind: "LINK" path: "/v2/x" } }; }
    }
    message Query { string name = 1; Thing thing = 2; repeated Size sizes = 3; bool old = 4 [deprecated = true]; }
    // A thing.
    message Thing {
      // Its number.
      int64 id = 1;
      repeated Part parts = 2; map<string, Size> sizes = 3; Thing inner = 4; bytes data = 5;
      double ratio = 6;
    }
    message Part { uint32 count = 1; }
    // How large.
    enum Size { SMALL = 0; LARGE = 1; }"""

SCRIPT = 'return require("moontrail.grpc").service("%s.proto", "%s", %s)'


def describe(folder, scripts):
    done = run("--openapi", write_scripts(folder, scripts))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return describe(tmp_path_factory.mktemp("shop"), {
        "shop.proto": SHOP, "shop.lua": SCRIPT % ("shop", "shop.v2.Shop", "{}")})


@pytest.fixture(scope="module")
def document(text):
    return json.loads(text)


def validate(text):
    need("node", "rpc-js")
    done = subprocess.run(["node", ROOT / "tests/e2e/rpcjs/openapi.mjs", RPCJS], input=text,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_valid(text):
    assert validate(text) == {"version": "3.1", "errors": []}


def test_what_has_everything_is_valid_and_the_same_each_time(tmp_path):
    scripts = {"library.proto": PROTO, "library.lua": SERVICE % "{}", "shop.proto": SHOP,
               "shop.lua": SCRIPT % ("shop", "shop.v2.Shop", "{ json = { names = 'proto', enums = 'number' } }"),
               "index.lua": "return function() end"}
    first = describe(tmp_path, scripts)
    for _ in range(3):
        assert describe(tmp_path, scripts) == first
    if FOUND["rpc-js"]:
        assert validate(first)["errors"] == []
    schemas = json.loads(first)["components"]["schemas"]
    assert schemas["shop.v2.Size.proto.numbers"]["type"] == "integer"
    assert schemas["library.Kind"]["enum"] == ["SMALL", "LARGE"]


def test_scripts_without_services(tmp_path):
    told = describe(tmp_path, {"index.lua": "return function() end"})
    assert json.loads(told)["paths"] == {}
    assert validate(told)["errors"] == []


def test_what_it_is_about(document):
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {"title": "shop.v2.Shop", "version": "v2"}
    assert document["tags"] == [
        {"name": "shop.v2.Shop", "description": "Sells things.\n\nAny of them."}]


def test_the_paths(document):
    assert {path: sorted(item) for path, item in document["paths"].items()} == {
        "/v2/stores/{name.3}/things/{name.5}": ["get"],
        "/v2/{name}": ["get", "patch"],
        "/v2/{name**}": ["get"],
        "/v2/things:listen": ["get"],
        "/shop.v2.Shop/Find": ["get", "post"],
        "/shop.v2.Shop/Change": ["post"],
        "/shop.v2.Shop/Listen": ["post"],
        "/shop.v2.Shop/Plain": ["post"],
        "/shop.v2.Shop/Chat": ["post"],
        "/shop.v2.Shop/Link": ["post"],
    }


def test_an_operation(document):
    find = document["paths"]["/v2/stores/{name.3}/things/{name.5}"]["get"]
    assert (find["operationId"], find["summary"]) == ("shop.v2.Shop.Find", "Finds a thing.")
    parameters = {(one["in"], one["name"]): one for one in find["parameters"]}
    assert {name for where, name in parameters if where == "path"} == {"name.3", "name.5"}
    assert {name for where, name in parameters if where == "query"} == {
        "thing.id", "thing.data", "thing.ratio", "sizes", "old"}
    assert parameters["query", "sizes"]["schema"] == {
        "type": "array", "items": {"$ref": "#/components/schemas/shop.v2.Size"}}
    assert parameters["query", "old"]["deprecated"] is True
    assert find["responses"]["200"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/shop.v2.Thing"}}}


def test_a_body_and_a_reply_that_are_fields(document):
    change = document["paths"]["/v2/{name}"]["patch"]
    assert change["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/shop.v2.Thing"}
    assert change["responses"]["200"]["content"]["application/json"]["schema"] == {
        "type": "array", "items": {"$ref": "#/components/schemas/shop.v2.Part"}}
    assert [one["schema"] for one in change["parameters"] if one["in"] == "path"] == [
        {"type": "string", "format": "int64"}]


def test_streams(document):
    content = document["paths"]["/v2/things:listen"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"application/x-ndjson", "text/event-stream"}
    chat = document["paths"]["/shop.v2.Shop/Chat"]["post"]
    assert set(chat["requestBody"]["content"]) == {"application/connect+json",
                                                   "application/connect+proto"}


def test_schemas(document):
    thing = document["components"]["schemas"]["shop.v2.Thing"]
    assert thing["description"] == "A thing."
    assert thing["properties"] == {
        "id": {"type": "string", "format": "int64", "description": "Its number."},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/shop.v2.Part"}},
        "sizes": {"type": "object",
                  "additionalProperties": {"$ref": "#/components/schemas/shop.v2.Size"}},
        "inner": {"$ref": "#/components/schemas/shop.v2.Thing"},
        "data": {"type": "string", "contentEncoding": "base64"},
        "ratio": {"type": "number", "format": "double"},
    }
    assert document["components"]["schemas"]["shop.v2.Size"] == {
        "type": "string", "enum": ["SMALL", "LARGE"], "description": "How large."}


def test_services_that_are_called_in_other_ways_alone(tmp_path):
    told = json.loads(describe(tmp_path, {
        "shop.proto": SHOP, "shop.lua": SCRIPT % (
            "shop", "shop.v2.Shop", "{ protocols = { 'grpc' }, transcode = false }")}))
    assert told["paths"] == {}


def test_scripts_that_do_not_load(tmp_path):
    done = run("--openapi", write_scripts(tmp_path, {"index.lua": "syntax error"}))
    assert done.returncode == 1 and "index.lua:1" in done.stderr and done.stdout == ""
