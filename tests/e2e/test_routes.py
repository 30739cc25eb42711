"""From paths and methods to scripts."""
import pytest

# Answers with its own name and the parameters in the order of their names.
SHOW = """
    return function(ctx)
        local found = {}
        for name, value in pairs(ctx.params) do
            found[#found + 1] = name .. "=" .. value
        end
        table.sort(found)
        ctx:text("%s: " .. table.concat(found, ","))
    end"""

FILES = ["index", "api/users", "api/index", "deep/er/index", "users/[id]", "users/me",
         "users/[id]/posts/[post]", "files/[...path]", "files/[name]", "files/readme", "a b",
         "_module", "_private/page", "public/_page"]

SCRIPTS = {
    **{f"{name}.lua": SHOW % name for name in FILES},
    "methods.lua": """
        local function answer(ctx) ctx:text(ctx.method) end
        return { GET = answer, PUT = answer, PURGE = answer }""",
    "own.lua": """
        local function answer(ctx) ctx:text(ctx.method) end
        return { HEAD = answer, OPTIONS = answer }""",
    "every.lua": """
        return function(ctx) ctx:text(ctx.method) end""",
    "target.lua": """
        return function(ctx) ctx:text(ctx.path .. " " .. tostring(ctx.query)) end""",
    "greet.lua": """
        local greet, words, deep = require "_greet", require "_words", require "_lib.deep"
        return function(ctx) ctx:text(greet("you") .. words .. deep) end""",
    "nested/greet.lua": """
        local greet = require "_greet"
        return function(ctx) ctx:text(greet("you there")) end""",
    "_greet.lua": """
        return function(name) return "hello " .. name end""",
    "_words/init.lua": "return ', and '",
    "_lib/deep.lua": "return 'well met'",
    "notes.txt": "no script",
    ".hidden.lua": SHOW % "hidden",
}

ALLOWED = "GET, PURGE, PUT, HEAD, OPTIONS"


@pytest.mark.parametrize("path, answer", [
    ("/", "index: "),
    ("/api/users", "api/users: "),
    ("/api", "api/index: "),
    ("/deep/er", "deep/er/index: "),
    ("/users/7", "users/[id]: id=7"),
    ("/users/me", "users/me: "),
    ("/users/7/posts/8", "users/[id]/posts/[post]: id=7,post=8"),
    ("/users/me/posts/8", "users/[id]/posts/[post]: id=me,post=8"),
    ("/files/a/b/c", "files/[...path]: path=a/b/c"),
    ("/files/a", "files/[name]: name=a"),
    ("/files/readme", "files/readme: "),
    ("/?query=/api", "index: "),
    ("/users/a%20b%C3%A9", "users/[id]: id=a bé"),
    ("/users/%6De", "users/me: "),
    ("/a%20b", "a b: "),
    ("/users/a%2Fb", "users/[id]: id=a%2Fb"),
    ("/users/a%2fb", "users/[id]: id=a%2fb"),
    ("/files/a%20/b%2Fc", "files/[...path]: path=a /b%2Fc"),
    ("/users/...", "users/[id]: id=..."),
    ("/users/a+b", "users/[id]: id=a+b"),
    ("/users/%2525", "users/[id]: id=%25")])
def test_found(client, path, answer):
    response = client.fetch(path)
    assert (response.status, response.text) == (200, answer)


@pytest.mark.parametrize("path", [
    "/nowhere", "/api/users/", "/api//users", "//", "/users/", "/users/7/posts", "/deep", "/files",
    "/files/", "/index", "/api/index", "/hello.lua", "/api/users.lua", "/API", "/_module",
    "/_private/page", "/public/_page", "/_greet", "/_words", "/notes", "/notes.txt", "/.hidden",
    "/users/7/"])
def test_not_found(client, path):
    response = client.fetch(path)
    assert (response.status, response.text) == (404, "Not Found\n")


@pytest.mark.parametrize("path", [
    "/users/%", "/users/%4", "/users/%zz", "/users/a%00b", "/users/..", "/users/.", "/../etc",
    "/users/%2e%2E", "/files/a/../b", "/nowhere/%", "/files/%2e"])
def test_bad_path(client, path):
    response = client.fetch(path)
    assert (response.status, response.text) == (400, "Bad Request\n")


@pytest.mark.parametrize("path, answer", [
    ("/target", "/target nil"), ("/target?", "/target "), ("/target?a=%20b?c", "/target a=%20b?c"),
    ("/%74arget?x", "/%74arget x")])
def test_path_and_query_stay_as_they_came(client, path, answer):
    assert client.fetch(path).text == answer


@pytest.mark.parametrize("method", ["GET", "PUT", "PURGE"])
def test_listed_methods(client, method):
    assert client.fetch("/methods", method).text == method


def test_unlisted_methods_are_told_the_listed(client):
    for method in ("POST", "DELETE", "get"):
        response = client.fetch("/methods", method)
        assert (response.status, response.text) == (405, "Method Not Allowed\n")
        assert response.header("allow") == ALLOWED


def test_options_tells_the_listed(client):
    response = client.fetch("/methods", "OPTIONS")
    assert (response.status, response.text) == (204, "")
    assert response.header("allow") == ALLOWED


def test_head_falls_back_to_get(client):
    response = client.fetch("/methods", "HEAD")
    assert (response.status, response.body, response.header("content-length")) == (200, b"", "4")


def test_own_head_and_options(client):
    assert client.fetch("/own", "OPTIONS").text == "OPTIONS"
    assert client.fetch("/own", "HEAD").status == 200
    response = client.fetch("/own")
    assert (response.status, response.header("allow")) == (405, "HEAD, OPTIONS")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "BREW"])
def test_a_function_serves_every_method(client, method):
    assert client.fetch("/every", method).text == method


def test_modules_beside_the_scripts(client):
    assert client.fetch("/greet").text == "hello you, and well met"
    assert client.fetch("/nested/greet").text == "hello you there"


def test_one_file_answers_every_path(start, connect, tmp_path):
    (tmp_path / "_shout.lua").write_text("return string.upper")
    file = tmp_path / "only.lua"
    file.write_text("""
        local shout = require "_shout"
        return function(ctx) ctx:text(shout(ctx.path)) end""")
    client = connect(start(file).https)
    for path in ("/", "/a/b/", "/%zz", "/..x", "/a%2F..", "/only"):
        assert client.fetch(path).text == path.upper()
    for path in ("/../x", "/a/%2e", "/%2E./", "/%00"):
        assert client.fetch(path).status == 400

