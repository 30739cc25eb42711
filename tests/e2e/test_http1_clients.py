"""Clients that others wrote, over HTTP/1.x, and over HTTP/2 where they choose it."""
import http.client
import json
import ssl
import subprocess
from urllib.parse import urlsplit

import pytest

from client import tls_context
from handlers import ECHO, FAIL_LATE, INFORM, PROTOCOL, STREAM
from optional import need
from server import PATIENCE

SCRIPTS = {
    "protocol.lua": PROTOCOL,
    "echo.lua": ECHO,
    "body.lua": """
        return function(ctx) ctx:text(ctx:body()) end""",
    "trailers.lua": """
        return function(ctx)
            ctx:declare_trailer("x-sum")
            ctx:text("body\\n")
            ctx:append_trailer("x-sum", "42")
        end""",
    "stream.lua": STREAM,
    "inform.lua": INFORM,
    "fail_late.lua": FAIL_LATE,
    "page.lua": """
        return function(ctx)
            ctx:html([[<!DOCTYPE html><p id=page>]] .. ctx:protocol() .. [[</p><p id=echo></p>
                <script>
                    const request = new XMLHttpRequest()
                    request.open("POST", "/echo", false)
                    request.send("x".repeat(200000))
                    document.getElementById("echo").textContent = request.responseText.length
                </script>]])
        end""",
}
MIB = bytes(range(256)) * 4096


def output_of(*command, status=0, **more):
    done = subprocess.run(command, capture_output=True, timeout=2 * PATIENCE, **more)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout


def curl(server, scheme, path, *options, **more):
    return output_of("curl", "-sk", *options, getattr(server, scheme) + path, **more)


# curl.

TE = ("-H", "TE: trailers")

SPOKEN = {
    "https": ("https", (), "HTTP/2", "true"),
    "https, --http2": ("https", ("--http2",), "HTTP/2", "true"),
    "https, --http1.1": ("https", ("--http1.1",), "HTTP/1.1", "false"),
    "https, --http1.1 and TE": ("https", ("--http1.1", *TE), "HTTP/1.1", "true"),
    "https, --http1.0": ("https", ("--http1.0",), "HTTP/1.0", "false"),
    "https, --no-alpn": ("https", ("--no-alpn",), "HTTP/1.1", "false"),
    "http": ("http", (), "HTTP/1.1", "false"),
    "http and TE": ("http", TE, "HTTP/1.1", "true"),
    "http, --http1.0": ("http", ("--http1.0",), "HTTP/1.0", "false"),
    "http, --http1.0 and TE": ("http", ("--http1.0", *TE), "HTTP/1.0", "false"),
    "http, --http2-prior-knowledge": ("http", ("--http2-prior-knowledge",), "HTTP/2", "true"),
    "http, --http2, which asks to upgrade": ("http", ("--http2",), "HTTP/1.1", "false"),
}
VERSIONS = ["--http1.1", "--http1.0", "--http2-prior-knowledge"]


@pytest.mark.parametrize("way", SPOKEN)
def test_curl_is_told_what_it_speaks(demo, way):
    scheme, options, protocol, trailers = SPOKEN[way]
    text = curl(demo, scheme, "/protocol", *options).decode()
    assert text == f"{protocol}\ntrailers: {trailers}\n"


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
def test_curl_says_hello(demo, scheme, version):
    head, body = curl(demo, scheme, "/hello", "-i", version).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ncontent-length: 12" in head and b"trailer:" not in head
    assert body == b"Hello world\n"


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_curl_shows_trailers(server, scheme):
    head, body = curl(server, scheme, "/trailers", "-i", "--http1.1", *TE).split(b"\r\n\r\n", 1)
    assert b"\r\ntrailer: x-sum" in head and b"\r\ntransfer-encoding: chunked" in head
    assert body == b"body\nx-sum: 42\r\n"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_curl_uploads_a_file(server, tmp_path, scheme, version):
    """Of a size at which it asks for 100 Continue."""
    upload = tmp_path / "upload"
    upload.write_bytes(MIB + MIB)
    assert curl(server, scheme, "/echo", version, "-T", str(upload)) == MIB + MIB


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_curl_uploads_in_chunks(server, version):
    assert curl(server, "http", "/echo", version, "-T", "-", input=MIB) == MIB


@pytest.mark.parametrize("way", ["--http1.1", "--http1.0", "--http2-prior-knowledge"])
def test_curl_hears_that_its_upload_is_too_large(server, tmp_path, way):
    upload = tmp_path / "upload"
    upload.write_bytes(MIB * 16)
    text = curl(server, "http", "/body", way, "-H", "Expect:", "-w", "%{http_code}", "-T", upload)
    assert text == b"Content Too Large\n413"


def test_curl_is_told_100_continue(server):
    text = curl(server, "http", "/body", "-i", "-H", "Expect: 100-continue", "-d", "some text")
    assert text.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert text.endswith(b"\r\n\r\nsome text")


def test_curl_shows_the_interim_response(server):
    text = curl(server, "http", "/inform", "-i")
    assert text.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
                           b"HTTP/1.1 103 Early Hints\r\nlink: </code.js>; rel=preload\r\n\r\n"
                           b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_curl_keeps_the_connection(server, scheme):
    words = [word for path in ("/protocol", "/trailers", "/stream", "/nowhere", "/protocol")
             for word in ("-o", "/dev/null", getattr(server, scheme) + path)]
    opened = output_of("curl", "-sk", "--http1.1", *TE, "-w", "%{num_connects} ", *words)
    assert opened.split() == [b"1", b"0", b"0", b"0", b"0"]


def test_curl_notices_a_response_that_is_cut(server):
    """18 is a partial file."""
    assert curl(server, "http", "/fail_late", status=18) == b"sent"


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("pipelined", [1, 20])
def test_h2load_fails_no_request(demo, scheme, pipelined):
    text = output_of("h2load", "--h1", "-n", "2000", "-c", "50", "-m", str(pipelined),
                     getattr(demo, scheme) + "/hello").decode()
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in text
    assert "status codes: 2000 2xx," in text


# Python.

@pytest.fixture(params=["https", "http"])
def python(server, request):
    url = urlsplit(getattr(server, request.param))
    connection = (
        http.client.HTTPConnection(url.hostname, url.port, timeout=PATIENCE)
        if request.param == "http" else
        http.client.HTTPSConnection(url.hostname, url.port, timeout=PATIENCE,
                                    context=tls_context(["http/1.1"])))
    yield connection
    connection.close()


def test_python_on_one_connection(python):
    """What its library takes for the end is the end: the next response is found."""
    python.connect()
    sock = python.sock
    for method, path, body, answer in (
            ("GET", "/protocol", None, b"HTTP/1.1 false"),
            ("POST", "/echo", MIB, MIB),
            ("POST", "/body", b"", b""),
            ("GET", "/stream", None, b"piece 1\npiece 2\npiece 3\n"),
            ("HEAD", "/stream", None, b""),
            ("GET", "/nowhere", None, b"Not Found\n"),
            ("POST", "/echo", iter([b"one ", b"two ", b"three"]), b"one two three")):
        python.request(method, path, body)
        response = python.getresponse()
        assert (response.version, response.read()) == (11, answer)
    assert python.sock is sock


def test_python_hears_what_answers_its_upload_early(python):
    python.request("POST", "/body", MIB * 8)
    response = python.getresponse()
    assert (response.status, response.read()) == (413, b"Content Too Large\n")


def test_python_notices_a_response_that_is_cut(python):
    python.request("GET", "/fail_late")
    with pytest.raises((http.client.IncompleteRead, ssl.SSLError)):
        python.getresponse().read()


# Node.

NODE = """
import http from "node:http"
import https from "node:https"
const [url] = process.argv.slice(-1)
const text = async (path, options) => (await fetch(url + path, options)).text()
const pieces = new ReadableStream({
    start(to) {
        for (const piece of ["one ", "two ", "three"]) to.enqueue(new TextEncoder().encode(piece))
        to.close()
    }
})

function get(path, headers) {
    const { Agent, get } = url.startsWith("https:") ? https : http
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    return new Promise((resolve, reject) => get(url + path, { agent, headers }, response => {
        let body = ""
        response.on("data", piece => body += piece)
        response.on("end", () => {
            agent.destroy()
            resolve({ body, version: response.httpVersion, trailers: response.trailers })
        })
    }).on("error", reject))
}

const seen = JSON.stringify({
    protocol: await text("/protocol"),
    many: await Promise.all(Array.from({ length: 50 }, () => text("/stream"))),
    posted: await text("/echo", { method: "POST", body: "x".repeat(1 << 20) }),
    streamed: await text("/echo", { method: "POST", body: pieces, duplex: "half" }),
    cut: await text("/fail_late").catch(() => "cut"),
    trailers: await get("/trailers", { te: "trailers" }),
})
process.stdout.write(seen, () => process.exit())
"""


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_node(server, tmp_path, scheme):
    """Its fetch, and its http module for trailers."""
    script = tmp_path / "client.mjs"
    script.write_text(NODE)
    seen = json.loads(output_of(
        "node", "--no-warnings", script, getattr(server, scheme),
        env={"NODE_TLS_REJECT_UNAUTHORIZED": "0", "PATH": "/usr/bin:/bin"}))
    assert seen == {
        "protocol": "HTTP/1.1 false", "many": ["piece 1\npiece 2\npiece 3\n"] * 50,
        "posted": "x" * (1 << 20), "streamed": "one two three", "cut": "cut",
        "trailers": {"body": "body\n", "version": "1.1", "trailers": {"x-sum": "42"}}}


# A browser.

@pytest.mark.parametrize("scheme, spoken", [("https", "HTTP/2"), ("http", "HTTP/1.1")])
def test_chromium(server, tmp_path, scheme, spoken):
    """On the certificate that the server makes for itself."""
    need("chromium")
    page = output_of("chromium", "--headless", "--no-sandbox", "--disable-gpu",
                     "--ignore-certificate-errors", f"--user-data-dir={tmp_path}", "--dump-dom",
                     getattr(server, scheme) + "/page").decode()
    assert f'<p id="page">{spoken}</p><p id="echo">200000</p>' in page
