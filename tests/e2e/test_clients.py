"""What well-known clients see of scripts/."""
import subprocess

import pytest

from server import PATIENCE


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\r\n", "\n")


def curl(server, scheme, path, *options):
    if scheme == "https":
        return output_of("curl", "-sk", "--http2", *options, server.https + path)
    return output_of("curl", "-s", "--http2-prior-knowledge", *options, server.http + path)


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_curl_sees_body_and_trailer(demo, scheme):
    head, body = curl(demo, scheme, "/hello", "-i").split("\n\n", 1)
    assert head.startswith("HTTP/2 200")
    assert "\ntrailer: trailername\n" in head + "\n"
    assert body == "Hello world\ntrailername: TrailerValue\n"


def test_curl_uploads(demo, tmp_path):
    upload = tmp_path / "upload"
    upload.write_bytes(b"0123456789abcdef" * 20000)
    assert curl(demo, "https", "/echo", "-T", str(upload)).encode() == upload.read_bytes()


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_nghttp_shows_the_trailer(demo, scheme):
    text = output_of("nghttp", "-nv", getattr(demo, scheme) + "/hello")
    before, after = text.split("recv DATA frame <length=12")
    assert "trailer: trailername\n" in before
    assert "trailername: TrailerValue\n" in after
    assert "; END_STREAM | END_HEADERS\n" in after


def test_nghttp_shows_the_reset_code(demo):
    text = output_of("nghttp", "-nv", demo.https + "/reset?code=2")
    assert "recv RST_STREAM frame" in text
    assert "(error_code=INTERNAL_ERROR(0x02))\n" in text


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_h2load_fails_no_request(demo, scheme):
    text = output_of("h2load", "-n", "10000", "-c", "50", "-m", "20",
                     getattr(demo, scheme) + "/hello")
    assert "10000 succeeded, 0 failed, 0 errored, 0 timeout" in text
    assert "status codes: 10000 2xx," in text
