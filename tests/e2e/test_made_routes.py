"""Scripts that name their own paths, through __routes."""
import json

import pytest

from server import run, write_scripts

MAKER = "return setmetatable({}, { __routes = %s })"

SCRIPTS = {
    "index.lua": "return function(ctx) ctx:text('index') end",
    "_shared.lua": "return function(ctx) ctx:text('shared ' .. ctx.path) end",
    "deep/maker.lua": """
        local function show(ctx) ctx:text(ctx.method .. " " .. (ctx.params.id or "")) end
        local service = { answer = show }
        return setmetatable(service, { __routes = function(self)
            assert(self == service)
            return { ["/made/all"] = show, ["/made/[id]"] = { PUT = self.answer },
                     ["/made/shared"] = require "_shared" },
                   { ["/made/all"] = "a note on it" }
        end })""",
    "other.lua": MAKER % "function() return { ['/made/shared'] = require '_shared' } end",
}


def test_a_made_route_is_served_wherever_its_file_lies(client):
    assert client.fetch("/made/all", "PATCH").text == "PATCH "
    assert client.fetch("/made/7", "PUT").text == "PUT 7"
    assert client.fetch("/").text == "index"
    assert client.fetch("/deep/maker").status == 404


def test_methods_of_a_made_route(client):
    response = client.fetch("/made/7", "GET")
    assert (response.status, response.header("allow")) == (405, "PUT, OPTIONS")


def test_two_scripts_may_share_a_function(client):
    assert client.fetch("/made/shared").text == "shared /made/shared"


METHOD = "function(ctx) ctx:text(%r .. (ctx.params.id or ctx.params.name)) end"


def test_methods_of_one_path_may_come_from_several_scripts(start, connect):
    server = start({
        "a.lua": MAKER % f"function() return {{ ['/x/[id]'] = {{ GET = {METHOD % 'a'} }} }} end",
        "b.lua": MAKER % f"function() return {{ ['/x/[name]'] = {{ PUT = {METHOD % 'b'}, "
                         f"DELETE = {METHOD % 'c'} }} }} end",
    })
    client = connect(server.https)
    told = [client.fetch("/x/7", method).text for method in ("GET", "PUT", "DELETE")]
    assert told == ["a7", "b7", "c7"]
    response = client.fetch("/x/7", "POST")
    assert (response.status, response.header("allow")) == (405, "DELETE, GET, PUT, HEAD, OPTIONS")


@pytest.mark.parametrize("other", [
    "{ ['/x/[name]'] = { PUT = print, GET = print } }", "{ ['/x/[name]'] = print }"])
def test_one_method_of_one_path_from_two_scripts_names_both(tmp_path, other):
    result = run("--check", write_scripts(tmp_path, {
        "a.lua": MAKER % "function() return { ['/x/[id]'] = { GET = function() end } } end",
        "b.lua": MAKER % f"function() return {other} end"}))
    assert result.returncode == 1
    assert 'b.lua: serves "/x/[name]", as does ' in result.stderr and "a.lua" in result.stderr


def test_a_verb_and_a_rest_of_none(start, connect):
    show = "function(ctx) ctx:text(ctx.params.id) end"
    server = start({"a.lua": MAKER % f"""function() return {{
        ["/x/[id]:lock"] = {show}, ["/x/[id]"] = function(ctx) ctx:text("plain " .. ctx.params.id) end,
        ["/f/[...id?]"] = {show} }} end"""})
    client = connect(server.https)
    told = [client.fetch(path).text for path in ("/x/7:lock", "/x/7:open", "/f", "/f/a/b")]
    assert told == ["7", "plain 7:open", "", "a/b"]


def test_one_file_serves_the_routes_it_makes_and_no_other(start, connect):
    maker = MAKER % "function() return { ['/here'] = function(ctx) ctx:text('x') end } end"
    server = start({"one.lua": maker})
    client = connect(server.https)
    assert client.fetch("/here").text == "x"
    assert client.fetch("/there").status == 404


def test_a_grpc_client_is_told_of_an_unknown_method_in_its_terms(client):
    response = client.fetch("/no.Such/Method", "POST",
                            headers=[("content-type", "application/grpc")])
    assert (response.status, response.header("grpc-status")) == (200, "12")
    response = client.fetch("/made/7", "POST", headers=[("content-type", "application/grpc+x")])
    assert (response.status, response.header("grpc-status")) == (200, "12")
    response = client.fetch("/no.Such/Method", "POST",
                            headers=[("content-type", "application/grpc-web+proto")])
    assert (response.status, response.header("grpc-status")) == (200, "12")
    assert response.header("content-type") == "application/grpc-web+proto"


@pytest.mark.parametrize("fields, status", [
    ([("content-type", "application/proto")], 404),
    ([("content-type", "application/json"), ("connect-protocol-version", "1")], 404)])
def test_a_connect_client_is_told_of_an_unknown_method_in_its_terms(client, fields, status):
    response = client.fetch("/no.Such/Method", "POST", headers=fields)
    assert response.status == status and response.header("content-type") == "application/json"
    assert json.loads(response.body) == {
        "code": "unimplemented", "message": "there is no method /no.Such/Method"}


def test_a_stream_of_connect_is_told_of_an_unknown_method_in_its_terms(client):
    response = client.fetch("/no.Such/Method", "POST",
                            headers=[("content-type", "application/connect+json")])
    assert response.status == 200
    assert response.body[0] == 2 and json.loads(response.body[5:]) == {"error": {
        "code": "unimplemented", "message": "there is no method /no.Such/Method"}}


def test_what_is_no_call_is_told_of_plainly(client):
    for fields in [], [("content-type", "application/json")]:
        response = client.fetch("/no.Such/Method", "POST", headers=fields)
        assert (response.status, response.text) == (404, "Not Found\n")


def test_check_shows_routes_and_notes(tmp_path):
    result = run("--check", write_scripts(tmp_path, SCRIPTS))
    assert result.returncode == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines["/made/all"].endswith("deep/maker.lua  a note on it")
    assert "/deep/maker" not in lines


@pytest.mark.parametrize("routes, problem", [
    ("{}", "its __routes is a table, not a function"),
    ("function() end", "its __routes returns a nil, not a table of handlers by path"),
    ("function() return { print } end", "gives routes with a number as a key"),
    ("function() return { ['/x'] = 5 } end", "returns a number, not a handler"),
    ("function() return { x = print } end", 'its route "x" does not begin with a slash'),
    ("function() return { ['/'] = print } end", 'serves "/", as does'),
    ("function() error('oh') end", "oh"),
])
def test_a_route_that_cannot_be_made_names_the_file(tmp_path, routes, problem):
    scripts = {"index.lua": "return function() end", "maker.lua": MAKER % routes}
    result = run("--check", write_scripts(tmp_path, scripts))
    assert result.returncode == 1
    assert "maker.lua" in result.stderr and problem in result.stderr, result.stderr
