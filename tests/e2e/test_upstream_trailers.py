"""Trailers of other servers that may not be any (RFC 9110 6.5.1): they reach nobody, by every way to
another server."""
import pytest

from handlers import RUN, run_lua
from upstreams import Http2Upstream, chunked

FORBIDDEN = {
    "content-length": "2",
    "content-type": "text/html",
    "te": "trailers",
    "trailer": "x-sum",
    "host": "a.test",
    "set-cookie": "a=b",
    "authorization": "Basic x",
}
# Those of the connection: a message of HTTP/2 that has them is malformed (RFC 9113 8.2.2).
OF_CONNECTION = {
    "transfer-encoding": "chunked",
    "connection": "close",
    "keep-alive": "1",
    "upgrade": "h2c",
}
VALUES = {**FORBIDDEN, **OF_CONNECTION}
WHOLE = [("x-sum", "1"), ("x-end", "2")]
CALL = """
    local r = mt.http.get("URL/NAME")
    local ok, body = pcall(r.body, r)
    if not ok then return body.kind end
    local t = r:trailers()
    return body, t["x-sum"], t["NAME"], t["x-end"]"""


def trailers_of(path):
    """Such as the last segment of a path names, among others."""
    name = path.rsplit("/", 1)[1]
    return [WHOLE[0], (name, VALUES[name]), WHOLE[1]]


def serve_1(connection):
    while request := connection.request():
        lines = [": ".join(line) for line in trailers_of(request.line.split()[1])]
        connection.write(chunked(b"ok", trailers=lines))


def serve_2(_, h2, event):
    """Where "/length/" is in the path the head tells the length, too."""
    if type(event).__name__ != "RequestReceived":
        return
    path = dict(event.headers)[":path"]
    length = [("content-length", "2")] if "/length/" in path else []
    h2.config.validate_outbound_headers = h2.config.normalize_outbound_headers = False
    h2.send_headers(event.stream_id, [(":status", "200"), *length])
    h2.send_data(event.stream_id, b"ok")
    h2.send_headers(event.stream_id, trailers_of(path), end_stream=True)


@pytest.fixture
def serve(start):
    """Starts a server in front of an upstream, with scripts that call it and hand requests to it."""
    return lambda url: start({
        "index.lua": RUN,
        "proxy/[...rest].lua": f"return function(ctx) ctx:proxy('{url}') end"},
        "--upstream", f"/up/={url}", "--upstream-max-failures", "0")


@pytest.fixture
def fetches(connect, http1):
    """How a client of each version gets a path from a server, over a connection of its own."""
    def ways(server):
        for open_client, url in ((connect, server.https), (http1, server.http)):
            yield lambda path, of=open_client, url=url: of(url).fetch(
                path, headers=[("te", "trailers")])

    return ways


@pytest.mark.parametrize("way", ["/up/", "/proxy/"])
def test_they_are_left_out_for_clients(upstream, serve, fetches, way):
    for url, names in ((upstream(serve_1).url, VALUES),
                       (upstream(serve_2, Http2Upstream).h2c, FORBIDDEN)):
        for fetch in fetches(serve(url)):
            for name in names:
                got = fetch(way + name)
                assert (got.text, got.trailers, got.ended) == ("ok", WHOLE, True), name
                assert name in OF_CONNECTION or not got.header(name), name


@pytest.mark.parametrize("way", ["/up/", "/proxy/"])
def test_those_of_the_connection_end_a_response_of_http2(upstream, serve, fetches, way):
    server = serve(upstream(serve_2, Http2Upstream).h2c)
    for fetch in fetches(server):
        for name in OF_CONNECTION:
            got = fetch(way + name)
            assert not got.ended and not got.trailers, name


@pytest.mark.parametrize("way", ["/up/", "/proxy/"])
def test_a_second_length_reaches_no_client(upstream, serve, fetches, way):
    """Whether the first is kept or the response is malformed."""
    server = serve(upstream(serve_2, Http2Upstream).h2c)
    for fetch in fetches(server):
        got = fetch(way + "length/content-length")
        assert got.header("content-length") == "2"
        assert got.trailers in (WHOLE, None)


def test_scripts_see_none(upstream, serve, connect):
    for url, names in ((upstream(serve_1).url, VALUES),
                       (upstream(serve_2, Http2Upstream).h2c, FORBIDDEN)):
        client = connect(serve(url).https)
        for name in names:
            code = CALL.replace("URL", url).replace("NAME", name)
            assert run_lua(client, code).text == "ok|1|nil|2", name


def test_scripts_see_those_of_the_connection_as_an_error_of_http2(upstream, serve, connect):
    url = upstream(serve_2, Http2Upstream).h2c
    client = connect(serve(url).https)
    for name in OF_CONNECTION:
        code = CALL.replace("URL", url).replace("NAME", name)
        assert run_lua(client, code).text == "protocol", name
