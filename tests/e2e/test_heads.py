"""What the head of a request may say is one rule, by whichever version of HTTP it comes."""
import pytest

from client import Client, Response
from http1 import Http1, head
from server import Server, write_scripts

VIEW = """
    return function(ctx)
        ctx:text(("%s %s %s %s"):format(ctx.scheme, ctx.authority, ctx.headers.host or "-", ctx.path))
    end"""

SCRIPTS = {
    "view.lua": VIEW,
    "index.lua": VIEW,
    "read.lua": "return function(ctx) ctx:text(ctx:read() .. (ctx.headers.expect or '-')) end",
    "exactly.lua": "return function(ctx) ctx:text(ctx:read_exactly(4)) end",
    "body.lua": "return function(ctx) ctx:text(ctx:body()) end",
    "form.lua": "return function(ctx) ctx:text(ctx:form().a) end",
    "late.lua": "return function(ctx) ctx:inform(103) ctx:text(ctx:body()) end",
    "told.lua": "return function(ctx) ctx:inform(100) ctx:text(ctx:body()) end",
    "begun.lua": "return function(ctx) ctx:flush() ctx:write(ctx:body()) end",
    "ignore.lua": "return function(ctx) ctx:text('no, thanks') end",
    "little.lua": "return function(ctx) ctx:text(ctx:body(3)) end",
    "little_form.lua": "return function(ctx) ctx:text(ctx:form(3).a) end",
    "rest.lua": "return function(ctx) ctx:read(8) ctx:text(ctx:body(3)) end",
}


def ask(protocol, server, target="/view", authority="a.test", fields=(), method="GET", scheme="http"):
    """The response on plaintext to a request whose head is as it is told to be: the authority in
    Host, or in :authority; None for neither. What is reset has no status."""
    if protocol == "http1":
        with Http1(server.http) as client:
            hosts = [] if authority is None else [("host", authority)]
            client.write(head(method, target, fields=[*hosts, *fields]))
            return client.response(client.expect(method))
    with Client(server.http) as client:
        client.h2.config.validate_outbound_headers = False
        client.h2.config.normalize_outbound_headers = False
        stream = client.h2.get_next_available_stream_id()
        named = [] if authority is None else [(":authority", authority)]
        pseudo = [(":method", method), (":scheme", scheme), *named, (":path", target)]
        response = client._responses[stream] = Response()
        client.h2.send_headers(stream, [*pseudo, *fields], end_stream=True)
        client.flush()
        client.wait(lambda: response.over)
        return response


def is_refused(response):
    """400, or where nghttp2 sees it first, a stream error: both are what RFC 9113 8.1.1 allows."""
    return response.status == 400 if response.headers else response.reset == 1


both = pytest.mark.parametrize("protocol", ["http1", "h2"])


@both
@pytest.mark.parametrize("authority", [
    "evil.test,good.test", "a, b", "u:p@a.test", "u@a.test", "a:99999999999", "a:65536", "a:x", ":80", "[::1", "[]",
    "[::1]x", "a/b", "a?b", "a\\b", 'a"b', "", None])
def test_authority_is_a_host(server, protocol, authority):
    assert is_refused(ask(protocol, server, authority=authority))


@both
@pytest.mark.parametrize("authority", ["a.test", "A.test:80", "a:65535", "a:", "[::1]:443", "192.0.2.1"])
def test_authority_that_is_one(server, protocol, authority):
    assert ask(protocol, server, authority=authority).text == f"http {authority} " + (
        f"{authority} /view" if protocol == "http1" else "- /view")


@both
def test_host_twice(server, protocol):
    authority = None if protocol == "h2" else "a.test"
    hosts = [("host", "a.test")] * (2 if protocol == "h2" else 1)
    assert is_refused(ask(protocol, server, authority=authority, fields=hosts))


def test_host_beside_the_authority(server):
    for host in ("a.test", "A.TEST", "a.test:80", "a.test:"):
        assert ask("h2", server, fields=[("host", host)]).text == "http a.test a.test /view"
    for host in ("b.test", "a.test:81", "a.test:443", "a.test.", "a.test,a.test"):
        assert is_refused(ask("h2", server, fields=[("host", host)]))
    assert ask("h2", server, authority=None, fields=[("host", "b.test")]).text == "http b.test b.test /view"
    for host in ("b.test,c.test", "u@b.test", ""):
        assert is_refused(ask("h2", server, authority=None, fields=[("host", host)]))


def test_absolute_target_goes_before_host(server):
    assert ask("http1", server, "http://b.test/view").text == "http b.test b.test /view"
    assert is_refused(ask("http1", server, "http://u@b.test/view"))
    assert is_refused(ask("http1", server, "http://b.test:99999/view"))
    assert is_refused(ask("http1", server, "http:///view"))


def test_scheme_is_the_connections(server):
    for scheme in ("https", "javascript", "ftp"):
        assert ask("h2", server, scheme=scheme).text == "http a.test - /view"
    assert ask("http1", server, "https://a.test/view").text == "http a.test a.test /view"
    with Client(server.https) as client:
        assert client.fetch("/view").text.startswith("https ")
    assert is_refused(ask("http1", server, "ftp://a.test/view"))


@both
def test_targets(server, protocol):
    for target in ("*", "view", "?view", "/view#x", "/vi\x7few", "//a b"):
        assert is_refused(ask(protocol, server, target))
    assert ask(protocol, server, "*", method="OPTIONS").status == 404
    assert is_refused(ask(protocol, server, "*x", method="OPTIONS"))
    assert is_refused(ask(protocol, server, method="G(T"))


@both
def test_other_expectations(server, protocol):
    for value in ("a-miracle", "100-continue, a-miracle"):
        assert ask(protocol, server, fields=[("expect", value)]).status == 417
    assert ask(protocol, server, fields=[("expect", "100-continue")]).status == 200


# 100 (Continue).

WAITS = ("expect", "100-continue")
FORM = ("content-type", "application/x-www-form-urlencoded")
LENGTH = ("content-length", "4")


@pytest.fixture(params=["http1", "http1 tls", "h2c", "h2"])
def either(request, server):
    kind, url = Http1 if request.param.startswith("http1") else Client, server.http
    with kind(server.https if request.param in ("h2", "http1 tls") else url) as client:
        yield client


def statuses(response):
    return [status for status, _ in response.informs]


def begin(client, path, *fields):
    number = client.request(path, "POST", [WAITS, LENGTH, *fields], end=False)
    return number, client.so_far(number)


@pytest.mark.parametrize("path, text", [
    ("/read", "a=bc100-continue"), ("/exactly", "a=bc"), ("/body", "a=bc"), ("/form", "bc")])
def test_told_to_go_on_once_the_body_is_wanted(either, path, text):
    number, response = begin(either, path, FORM)
    either.wait(lambda: response.informs or response.over)
    assert not response.over
    either.send(number, b"a=bc", end=True)
    assert (either.response(number).text, statuses(response)) == (text, [100])


def test_told_behind_what_the_handler_says_first(either):
    number, response = begin(either, "/late")
    either.wait(lambda: len(response.informs) == 2)
    either.send(number, b"a=bc", end=True)
    assert (either.response(number).text, statuses(response)) == ("a=bc", [103, 100])


def test_told_once_where_the_handler_says_it(either):
    number, response = begin(either, "/told")
    either.wait(lambda: response.informs)
    either.send(number, b"a=bc", end=True)
    assert (either.response(number).text, statuses(response)) == ("a=bc", [100])


def test_not_told_behind_the_head(either):
    number, response = begin(either, "/begun")
    either.wait(lambda: response.headers)
    either.send(number, b"a=bc", end=True)
    assert (either.response(number).text, statuses(response)) == ("a=bc", [])


def test_not_told_where_nobody_reads(either):
    number, response = begin(either, "/ignore")
    assert (either.response(number).text, statuses(response)) == ("no, thanks", [])


def test_nothing_expected_where_no_body_comes(either):
    response = either.fetch("/body", "POST", headers=[WAITS])
    assert (response.status, statuses(response)) == (200, [])


# A length that says that the body is too large.

@pytest.mark.parametrize("path", ["/little", "/little_form"])
def test_too_large_by_its_length(either, path):
    number, response = begin(either, path, FORM)
    assert (either.response(number).status, statuses(response)) == (413, [])


def test_length_of_which_a_part_was_read(either):
    for length, status in ((11, 200), (12, 413)):
        number = either.request("/rest", "POST", [("content-length", str(length))], end=False)
        either.send(number, b"12345678")
        if status == 200:
            either.send(number, b"abc", end=True)
        assert either.response(number).status == status


def test_body_limit_by_the_length(start, connect):
    server = start({"body.lua": "return function(ctx) ctx:text(#ctx:body()) end"}, "--body-limit", "10")
    for client in (connect(server.https), Http1(server.http)):
        number = client.request("/body", "POST", [WAITS, ("content-length", "11")], end=False)
        assert (client.response(number).status, client.so_far(number).informs) == (413, [])
        client.close()


# Through an edge.

@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    server = Server(write_scripts(tmp_path_factory.mktemp("inner"), SCRIPTS))
    yield server
    server.stop()


@pytest.mark.parametrize("client", ["http1", "h2"])
@pytest.mark.parametrize("hop", ["http", "h2c"])
def test_told_through_an_edge(start, inner, client, hop):
    edge = start(None, "--upstream", inner.http.replace("http:", hop + ":"))
    with (Client if client == "h2" else Http1)(edge.http) as asker:
        number, response = begin(asker, "/read")
        asker.wait(lambda: response.informs or response.over)
        asker.send(number, b"body", end=True)
        assert (asker.response(number).text, statuses(response)) == ("body100-continue", [100])
        number, response = begin(asker, "/ignore")
        assert (asker.response(number).text, statuses(response)) == ("no, thanks", [])


@pytest.mark.parametrize("client", ["http1", "h2"])
@pytest.mark.parametrize("hop", ["http", "h2c"])
def test_told_through_a_handler_that_proxies(start, inner, client, hop):
    url = inner.http.replace("http:", hop + ":")
    edge = start({"[...all].lua": f"return function(ctx) ctx:proxy('{url}') end"})
    with (Client if client == "h2" else Http1)(edge.http) as asker:
        number, response = begin(asker, "/body")
        asker.wait(lambda: response.informs or response.over)
        asker.send(number, b"body", end=True)
        assert (asker.response(number).text, statuses(response)) == ("body", [100])


# Max-Forwards.

@pytest.mark.parametrize("kind", [Http1, Client])
@pytest.mark.parametrize("through", ["upstream", "handler"])
def test_max_forwards(start, tmp_path, kind, through):
    seen = start(write_scripts(tmp_path / "seen", {
        "seen.lua": "return function(ctx) ctx:text('seen ' .. (ctx.headers['max-forwards'] or '-')) end"}))
    proxies = {"[...all].lua": f"return function(ctx) ctx:proxy('{seen.http}') end"}
    edge = start(write_scripts(tmp_path / "edge", proxies)) if through == "handler" else \
        start(None, "--upstream", seen.http)
    with kind(edge.http) as client:
        def fetch(method, value):
            return client.fetch("/seen", method, headers=[("max-forwards", value)])
        assert fetch("OPTIONS", "0").status == 204
        assert fetch("TRACE", "0").status == 501
        assert fetch("OPTIONS", "2").text == "seen 1"
        assert fetch("TRACE", "2").text == "seen 1"
        assert fetch("OPTIONS", "many").text == "seen -"
        assert fetch("GET", "0").text == "seen 0"
