"""Middleware around services: a status that it raises comes in each protocol's own terms, and the
rules for pages of other origins come before it."""
import json

import pytest

from client import Client
from http1 import Http1
from rpc import ALL, PREFIX, call, scripts

PAGE = "https://page.example"
PREFLIGHT = [("origin", PAGE), ("access-control-request-method", "POST"),
             ("access-control-request-headers", "x-token")]
TOKEN = [("x-token", "moon")]

BOOKS = """
    syntax = "proto3";
    package books;
    import "google/api/annotations.proto";
    message Book { string name = 1; }
    service Shelf {
      rpc Get(Book) returns (Book) { option (google.api.http) = { get: "/v1/{name=books/*}" }; }
    }"""

SCRIPTS = {
    "_middleware.lua": """
        local grpc = require "moontrail.grpc"
        return function(ctx, next)
            if ctx.path == "/plain" then return next() end
            ctx:header("x-seen", "yes")
            if ctx:request_header("x-break") then error("it breaks") end
            if ctx:request_header("x-token") ~= "moon" then
                grpc.error("UNAUTHENTICATED", "who are you?")
            end
            next()
        end""",
    "_error.lua": "return function(ctx, status) ctx:text('page ' .. status) end",
    "books.proto": BOOKS,
    "books.lua": """
        local grpc = require "moontrail.grpc"
        local Shelf = grpc.service("books.proto", "books.Shelf", { health = false,
            reflection = false })
        function Shelf.Get(request) return request end
        return Shelf""",
    **scripts(f'{{ origins = {{ "{PAGE}" }}, credentials = true }}'),
}

CLIENTS = {"h2": lambda server: Client(server.http), "http1": lambda server: Http1(server.http)}
CALLS = [(client, protocol) for client in CLIENTS for protocol in
         ALL if client == "h2" or protocol.name != "grpc"]


@pytest.fixture
def ask(server):
    """Makes a request by either version."""
    opened = []

    def fetch(version, path, *more, **request):
        opened.append(CLIENTS[version](server))
        return opened[-1].fetch(path, *more, **request)

    yield fetch
    for client in opened:
        client.close()


@pytest.mark.parametrize("version, protocol", CALLS, ids=str)
@pytest.mark.parametrize("method", ["Echo", "Count"])
def test_a_status_of_middleware_is_the_callers(server, version, protocol, method):
    with CLIENTS[version](server) as client:
        outcome = call(client, protocol, method, protocol.message(text="x"))
        assert (outcome.code, outcome.message) == ("unauthenticated", "who are you?")
        if method == "Echo":
            outcome = call(client, protocol, method, protocol.message(text="x"), headers=TOKEN)
            assert outcome.code == "ok" and outcome.texts == ["x"]


@pytest.mark.parametrize("version", CLIENTS)
def test_plain_http_gets_it_as_json(ask, version):
    response = ask(version, "/v1/books/7")
    assert response.status == 401
    assert json.loads(response.text) == {"code": 16, "message": "who are you?", "details": []}
    assert json.loads(ask(version, "/v1/books/7", headers=TOKEN).text) == {"name": "books/7"}


@pytest.mark.parametrize("version", CLIENTS)
def test_a_preflight_comes_before_middleware(ask, version):
    response = ask(version, PREFIX + "Echo", "OPTIONS", headers=PREFLIGHT)
    assert (response.status, response.header("x-seen")) == (204, None)
    assert response.header("access-control-allow-origin") == PAGE
    assert response.header("access-control-allow-credentials") == "true"


@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("path, more, status", [
    ("Echo", [], 401), ("Echo", TOKEN, 200), ("None", TOKEN, 501), ("Echo", [("x-break", "1")], 500)])
def test_what_middleware_answers_has_the_fields_for_pages(ask, version, path, more, status):
    response = ask(version, PREFIX + path, "POST", body=b"{}",
                   headers=[("origin", PAGE), ("content-type", "application/json"), *more])
    assert (response.status, response.header("x-seen")) == (status, "yes")
    assert response.header("access-control-allow-origin") == PAGE
    assert response.header("vary") == "Origin"
    if status == 500:
        assert response.text == "page 500"


@pytest.mark.parametrize("version", CLIENTS)
def test_another_origin_gets_nothing(ask, version):
    response = ask(version, PREFIX + "Echo", "OPTIONS",
                   headers=[("origin", "https://other.example"), *PREFLIGHT[1:]])
    assert response.header("access-control-allow-origin") is None
    assert response.header("x-seen") == "yes"


def test_an_error_that_is_no_status_is_unknown(server):
    with CLIENTS["h2"](server) as client:
        outcome = call(client, ALL[0], "Echo", b"", headers=[("x-break", "1")])
        assert outcome.code == "unknown"
