"""Which pages may call a service: preflights, the fields of every response, and who gets neither."""
import pytest

from rpc import PREFIX, Connect, Web, scripts
from server import run, write_scripts

PAGE = "https://page.example"
PREFLIGHT = [("access-control-request-method", "POST"),
             ("access-control-request-headers", "content-type,x-own,connect-timeout-ms,host,sec-a")]


@pytest.fixture(params=["http1", "h2"])
def ask(request, start, connect, http1):
    """Serves with options, and gives what makes requests of an origin."""
    def begin(options, *more):
        server = start(scripts(options), *more)
        client = (connect if request.param == "h2" else http1)(server.http)

        def fetch(origin, method="POST", path="Echo", kind="application/json", body=b"{}",
                  fields=()):
            headers = [("origin", origin)] * (origin is not None) + list(fields)
            if method == "POST":
                headers.append(("content-type", kind))
            return client.fetch(PREFIX + path, method, headers=headers,
                                body=body if method == "POST" else b"")

        return fetch

    return begin


def cors_of(response):
    return {name.removeprefix("access-control-"): value for name, value in response.headers
            if name.startswith("access-control-")}


def names(value):
    return {name.strip() for name in value.split(",")}


def test_a_preflight_is_answered(ask):
    fetch = ask(f'{{ origins = {{ "{PAGE}" }} }}')
    for path, methods in ("Echo", "POST"), ("Look", "GET, POST"), ("Chat", "POST"), \
            ("None", "POST"):
        response = fetch(PAGE, "OPTIONS", path, fields=PREFLIGHT)
        fields = cors_of(response)
        assert (response.status, response.body) == (204, b"")
        assert fields["allow-origin"] == PAGE and fields["allow-methods"] == methods
        assert fields["max-age"] == "7200" and "allow-credentials" not in fields
        allowed = names(fields["allow-headers"])
        assert {"content-type", "x-own", "connect-timeout-ms", "x-grpc-web", "grpc-timeout",
                "connect-protocol-version"} <= allowed
        assert not {"host", "sec-a"} & allowed
        assert response.header("vary") == "Origin"


@pytest.mark.parametrize("origin", ["https://other.example", "http://page.example",
                                    "https://page.example:8443", "null", "http://localhost", None])
def test_other_origins_get_nothing(ask, origin):
    fetch = ask(f'{{ origins = {{ "{PAGE}" }} }}')
    preflight = fetch(origin, "OPTIONS", fields=PREFLIGHT)
    assert preflight.status == 204 and preflight.header("allow") == "POST"
    for response in preflight, fetch(origin), fetch(origin, path="None"):
        assert not cors_of(response)
        assert response.header("vary") == "Origin"
    assert fetch(origin).status == 200  # it is the browser that keeps it from the page


def test_without_origins_nothing_is_said(ask):
    response = ask("nil")(PAGE)
    assert response.status == 200 and not cors_of(response) and not response.header("vary")


@pytest.mark.parametrize("fetching, status", [
    ({}, 200), ({"body": b"{"}, 400), ({"path": "None"}, 501), ({"path": "Missing"}, 501),
    ({"kind": "text/plain"}, 415), ({"method": "GET"}, 405), ({"method": "OPTIONS"}, 204),
    ({"path": "Fail", "body": b'{"count":5}'}, 404), ({"path": "Raise"}, 500),
    ({"kind": "application/grpc-web", "body": b"\0\0\0\0\0"}, 200)])
def test_every_response_to_an_origin_has_the_fields(ask, fetching, status):
    response = ask(f'{{ origins = {{ "{PAGE}" }} }}')(PAGE, **fetching)
    fields = cors_of(response)
    assert response.status == status and fields["allow-origin"] == PAGE
    assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= \
        names(fields["expose-headers"])
    assert response.header("vary") == "Origin"


def test_what_is_set_is_exposed(ask):
    fetch = ask(f'{{ origins = {{ "{PAGE}" }}, credentials = true }}')
    own = [("x-a", "1")]
    response = fetch(PAGE, fields=own)
    assert cors_of(response)["allow-credentials"] == "true"
    exposed = names(cors_of(response)["expose-headers"])
    assert {name for name, _ in response.headers if "x-a" in name} == {"x-a", "trailer-late-x-a"}
    assert {"x-a", "trailer-late-x-a"} <= exposed and "*" not in exposed
    for kind, body in ("application/grpc-web", b"\0\0\0\0\2\x10\5"), (
            "application/json", b'{"count":5}'):
        response = fetch(PAGE, path="Fail", kind=kind, body=body, fields=own)
        assert "x-a" in names(cors_of(response)["expose-headers"])


def test_without_cookies_all_is_exposed(ask):
    assert "*" in names(cors_of(ask(f'{{ origins = {{ "{PAGE}" }} }}')(PAGE))["expose-headers"])


@pytest.mark.parametrize("origin", [PAGE, "http://a.example:81", "null"])
def test_any_origin(ask, origin):
    fetch = ask('{ origins = "*" }')
    assert cors_of(fetch(origin))["allow-origin"] == "*"
    assert cors_of(fetch(origin, "OPTIONS", fields=PREFLIGHT))["allow-origin"] == "*"


def test_null_by_name(ask):
    assert cors_of(ask('{ origins = { "null" } }')("null"))["allow-origin"] == "null"


@pytest.mark.parametrize("origin, let_in", [
    ("http://localhost:3000", True), ("http://localhost", True), ("https://app.localhost:1", True),
    ("http://127.0.0.1:5173", True), ("http://127.9.9.9", True), ("http://[::1]:8080", True),
    ("http://localhost.example", False), ("http://127.0.0.1.example", False),
    ("http://[::2]", False), ("http://10.0.0.1", False), ("null", False), ("localhost", False)])
def test_who_develops_may_call_from_this_machine(ask, origin, let_in):
    fields = cors_of(ask("nil", "--dev")(origin))
    assert fields.get("allow-origin") == (origin if let_in else None)


def test_origins_hold_under_dev_as_well(ask):
    fetch = ask(f'{{ origins = {{ "{PAGE}" }} }}', "--dev")
    assert not cors_of(fetch("http://localhost:3000")) and cors_of(fetch(PAGE))


@pytest.mark.parametrize("options, problem", [
    ('{ origins = "*", credentials = true }', "credentials cannot go with"),
    ('{ origins = "https://a.example" }', "origins is"),
    ('{ origins = {} }', "origins is"),
    ('{ origins = { "a.example" } }', "origins is"),
    ('{ origins = { "https://a.example/" } }', "origins is"),
    ('{ origins = { "https://A.example" } }', "origins is"),
    ('{ origins = { 1 } }', "origins is"),
    ('{ credentials = 1 }', "credentials is true or false"),
    ('{ protocols = {} }', "protocols is"),
    ('{ protocols = { "http2" } }', "protocols is"),
    ('{ intercept = {} }', "intercept is"),
    ('{ intercept = { 1 } }', "intercept is"),
    ('{ json = { names = "lua" } }', 'json: the option names is "proto" or nil'),
    ('{ json = { nonsense = true } }', "json: there is no option nonsense"),
])
def test_options_that_may_not_be(tmp_path, options, problem):
    result = run("--check", write_scripts(tmp_path, scripts(options)))
    assert result.returncode == 1 and problem in result.stderr and "rpc.lua:4:" in result.stderr


def test_protocols_that_are_not_served(ask):
    fetch = ask('{ protocols = { "grpc-web" } }')
    response = fetch(None)
    assert response.status == 415
    assert response.header("accept-post").startswith("application/grpc-web, ")
    assert "application/json" not in response.text and "application/grpc-web" in response.text
    for protocol in Web("grpc-web", "proto"), Connect("connect", "json"):
        response = fetch(None, kind=protocol.kind("Echo"), body=b"\0\0\0\0\0")
        assert response.status == (200 if protocol.name == "grpc-web" else 415)
