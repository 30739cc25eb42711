"""TLS: versions, ALPN, certificates, resumption."""
import signal
import socket
import ssl
import subprocess
import time
import warnings

import pytest

from client import open_socket, tls_context
from server import PATIENCE, run

SCRIPTS = {
    "index.lua": """
        return function(ctx)
            local tls = ctx.tls or {}
            ctx:text(table.concat({ ctx.scheme, tostring(tls.version), tostring(tls.sni) }, " "))
        end""",
}


def context_for(version):
    """A client that speaks one version of TLS only, however old."""
    context = tls_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_spoken(server, connect, version):
    name = version.name.replace("_", ".")
    client = connect(server.https, context=context_for(version), server_name="localhost")
    assert client.socket.selected_alpn_protocol() == "h2"
    assert client.fetch("/").text == f"https {name} localhost"


def test_older_versions_are_refused(server):
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        open_socket(server.https, context_for(ssl.TLSVersion.TLSv1_1))
    server.wait_for('info tls handshake failed .* reason="unsupported protocol"')


def test_plaintext_has_no_tls(server, connect):
    assert connect(server.http).fetch("/").text == "http nil nil"


@pytest.mark.parametrize("alpn", [(), ("http/1.1",), ("spdy/3", "http/1.1"), ("http/1.0",)])
def test_a_client_that_does_not_ask_for_h2_speaks_http_1(server, alpn):
    with open_socket(server.https, tls_context(alpn)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        answer = b""
        while piece := sock.recv(4096):  # without close_notify it would raise
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"https TLSv1.3" in answer


def test_a_client_of_another_protocol_is_refused(server):
    with pytest.raises(ssl.SSLError, match="alert no application protocol"):
        open_socket(server.https, tls_context(alpn=["http/0.9", "spdy/3"]))
    server.wait_for('info tls handshake failed .* reason="no application protocol"')


def test_h2_is_chosen_among_several(server, connect):
    client = connect(server.https, context=tls_context(["http/1.1", "h2", "spdy/3"]))
    assert client.socket.selected_alpn_protocol() == "h2"


def talk(url, *pieces):
    """What a plain socket gets for the pieces, up to the end that it makes or meets."""
    answer = b""
    with socket.create_connection(url.split("//")[1].split(":"), timeout=PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(0.001)
        try:
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(4096):
                answer += piece
        except OSError:
            pass
        return answer


def test_what_is_no_tls_is_refused(server):
    assert talk(server.https, b"\x01\x02 this is nothing") == b""
    server.wait_for("info tls handshake failed .* remote=127.0.0.1:")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PATCH", "BREW"])
@pytest.mark.parametrize("in_pieces", [False, True])
def test_plain_http_on_the_https_port_is_told_so(start, method, in_pieces):
    server = start(SCRIPTS)
    head = f"{method} /a?b HTTP/1.1\r\nhost: here.test:8444\r\nconnection: close\r\n\r\n"
    request = head.encode()
    pieces = [bytes([byte]) for byte in request] if in_pieces else [request]
    answer = talk(server.https, *pieces)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    if method != "HEAD":
        assert answer.endswith(b"This port speaks HTTPS: https://here.test:8444/a\n")
    server.wait_for('info tls handshake failed .* reason="plaintext on an https port"')


def test_plain_http_2_on_the_https_port_is_told_so(server):
    done = subprocess.run(
        ["curl", "-s", "--http2-prior-knowledge", "-w", "%{http_code}",
         server.https.replace("https", "http") + "/a"], capture_output=True, text=True,
        timeout=PATIENCE)
    assert done.stdout == f"This port speaks HTTPS: {server.https}/a\n400"


def test_what_no_plaintext_listener_takes_is_named(server):
    with pytest.raises((ssl.SSLError, OSError)):
        open_socket(server.http.replace("http:", "https:"))
    server.wait_for('info request refused .* reason="a TLS hello on an http port"')


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"])
def test_a_proxy_protocol_header_is_named(start, header):
    server = start(SCRIPTS)
    reason = "a PROXY protocol header, which is not taken here"
    for url, event in ((server.http, "request refused"), (server.https, "tls handshake failed")):
        assert talk(url, header) == b""
        server.wait_for(f'info {event} .* reason="{reason}"')


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(server, connect, version):
    context = context_for(version)
    first = connect(server.https, context=context, server_name="localhost")
    assert first.fetch("/").status == 200
    assert not first.socket.session_reused
    again = connect(server.https, context=context, server_name="localhost",
                    session=first.socket.session)
    assert again.fetch("/").text.endswith(" localhost")
    assert again.socket.session_reused


def test_any_worker_resumes_what_another_began(start, connect):
    server = start({"who.lua": "return function(ctx) ctx:text(ctx.id:match('%d+')) end"}, "-w", "4")
    context, served = tls_context(), set()
    first = connect(server.https, context=context)
    assert first.fetch("/who").status == 200
    before = set(server.workers)
    for _ in range(2):
        served.clear()
        while len(served) < 3:
            again = connect(server.https, context=context, session=first.socket.session)
            served.add(int(again.fetch("/who").text))
            assert again.socket.session_reused
            again.close()
        server.renew()  # and so do the workers that follow
        server.wait_until(lambda: not before & set(server.workers))
    assert not before & served


def test_ticket_keys_rotate(start, connect):
    server = start({"index.lua": "return function() end"}, "--ticket-rotation", "1", "-w", "2")
    context = tls_context()
    first = connect(server.https, context=context)
    assert first.fetch("/").status == 200
    for seconds, resumed in ((0, True), (4, False)):
        time.sleep(seconds)
        again = connect(server.https, context=context, session=first.socket.session)
        assert again.fetch("/").status == 200
        assert again.socket.session_reused == resumed


def test_openssl_resumes_too(server):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", server.https[8:], "-alpn", "h2", "-tls1_2",
         "-reconnect"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", timeout=PATIENCE)
    assert done.stdout.count("New, TLSv1.2") == 1
    assert done.stdout.count("Reused, TLSv1.2") == 5


def test_the_certificate_made_in_memory_is_for_loopback(server):
    context = tls_context()
    pem = ssl.get_server_certificate(tuple(server.https[8:].split(":")))
    context.load_verify_locations(cadata=pem)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    for name in ("localhost", "127.0.0.1"):
        open_socket(server.https, context, server_name=name).close()


def certificate_given_for(server, name):
    with open_socket(server.https, server_name=name) as sock:
        return ssl.DER_cert_to_PEM_cert(sock.getpeercert(binary_form=True))


def test_sni_picks_the_certificate(start, certificates, connect):
    one, two = certificates["one.test"], certificates["two.test"]
    server = start(SCRIPTS, *one.options, *two.options)
    for name, expected in (("one.test", one), ("two.test", two), ("TWO.test", two),
                           ("other.test", one), (None, one)):
        assert certificate_given_for(server, name) == expected.cert.read_text(), name
    client = connect(server.https, server_name="two.test")
    assert client.fetch("/").text == "https TLSv1.3 two.test"


def s_client(server, *options):
    return subprocess.run(
        ["openssl", "s_client", "-connect", server.https[8:], *options], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace", timeout=PATIENCE).stdout


def test_a_pair_that_is_never_chosen_is_told(start, certificates, tmp_path):
    one, two = certificates["one.test"], certificates["two.test"]
    server = start(SCRIPTS, *one.options, *two.options, *one.options)
    server.wait_for(f"warn certificate never chosen cert={one.cert}")
    done = run("--check", *one.options, *one.options, write(tmp_path))
    assert done.returncode == 0
    assert "certificate never chosen" in done.stderr


@pytest.mark.parametrize("group", ["ffdhe2048", "ffdhe8192", "P-521"])
def test_groups_that_cost_the_server_alone_are_refused(server, group):
    assert "Cipher is (NONE)" in s_client(server, "-tls1_3", "-groups", group)
    assert "Cipher is TLS_" in s_client(server, "-tls1_3", "-groups", group + ":P-384")
    assert "X25519" in s_client(server, "-tls1_3", "-groups", group + ":P-384:X25519")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_session_is_never_resumed_under_another_name(server, version, tmp_path):
    kept = str(tmp_path / "session")
    request = "GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n"
    script = (f"(printf '{request}'; sleep 1) | "
              f"openssl s_client -connect {server.https[8:]} {version} -ign_eof ")

    def visit(*options):
        return subprocess.run(script + " ".join(options), shell=True, capture_output=True,
                              text=True, errors="replace", timeout=PATIENCE).stdout

    assert " a.test" in visit("-servername a.test", f"-sess_out {kept}")
    other = visit("-servername b.test", f"-sess_in {kept}")
    assert "Reused" not in other
    assert " b.test" in other
    assert "Reused" in visit("-servername a.test", f"-sess_in {kept}")


def test_a_certificate_for_other_addresses_must_be_given(start, certificates, tmp_path):
    done = run("--listen", "https://0.0.0.0:0", write(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "moontrail: https://0.0.0.0:0 is not a loopback address, and there is no certificate for "
        "it: give --cert and --key, or --dev for one made in memory\n")


def write(folder):
    (folder / "index.lua").write_text(SCRIPTS["index.lua"])
    return folder


def test_or_made_in_memory_for_development(start, connect):
    server = start(SCRIPTS, "--dev", listen=["https://0.0.0.0:0"])
    url = server.https.replace("0.0.0.0", "127.0.0.1")
    assert connect(url).fetch("/").status == 200


def test_given_it_serves_other_addresses(start, connect, certificates):
    server = start(SCRIPTS, *certificates["one.test"].options, listen=["https://0.0.0.0:0"])
    url = server.https.replace("0.0.0.0", "127.0.0.1")
    assert connect(url).fetch("/").status == 200


def test_all_of_ipv6_takes_ipv4_too(start):
    server = start({"index.lua": "return function(ctx) ctx:text(ctx.remote) end"},
                   listen=["http://[::]:0"])
    port = server.http.rsplit(":", 1)[1]
    request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    assert b"\r\n\r\n127.0.0.1:" in talk(f"http://127.0.0.1:{port}", request)


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_key_updates_count_as_control_frames(start, protocol):
    server = start(SCRIPTS, "--max-control-frames", "2")
    client = subprocess.Popen(
        ["openssl", "s_client", "-connect", server.https[8:], "-tls1_3", "-alpn", protocol],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):  # the client sends one for each piece that it reads
            client.stdin.write(b"K\n")
            client.stdin.flush()
            if client.poll() is not None:
                break
            time.sleep(0.02)
    except BrokenPipeError:
        pass
    finally:
        client.kill()
        client.wait()
    server.wait_for("warn limit reached limit=max-control-frames frame=KeyUpdate")
