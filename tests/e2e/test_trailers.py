"""Trailers, as frames and as a client reads them."""
import json

import pytest

SCRIPTS = {
    "order.lua": """
        return function(ctx)
            ctx:declare_trailer("first")
            ctx:declare_trailer("Second")
            ctx:declare_trailer("FIRST")
            ctx:append_trailer("Second", "2")
            ctx:write("body")
            ctx:append_trailer("first", "1")
            ctx:append_trailer("undeclared", " trimmed ")
            ctx:append_trailer("first", "again")
        end""",
    "bodyless.lua": """
        return function(ctx)
            ctx:append_trailer("only", "this")
        end""",
    "support.lua": """
        return function(ctx)
            ctx:json { protocol = ctx:protocol(), trailers = ctx:supports_trailers() }
        end""",
    "late.lua": """
        return function(ctx)
            ctx:write("body ")
            local ok, err = pcall(ctx.declare_trailer, ctx, "late")
            ctx:append_trailer("late", "kept")
            ctx:write(tostring(ok), " ", err)
        end""",
    "ended.lua": """
        return function(ctx)
            ctx:finish("body")
            print(pcall(ctx.append_trailer, ctx, "late", "lost"))
        end""",
    "bad.lua": """
        return function(ctx)
            local name, value = ctx:body():match("^([^=]*)=(.*)$")
            local ok, err = pcall(ctx.append_trailer, ctx, name, value)
            ctx:text(ok and "taken" or err)
        end""",
    "failed.lua": """
        return function(ctx)
            ctx:declare_trailer("never")
            ctx:append_trailer("never", "sent")
            error("before the headers")
        end""",
    "many.lua": """
        return function(ctx)
            for i = 1, 100 do
                ctx:append_trailer("t" .. i, ("x"):rep(100))
            end
        end""",
}


def test_appended_order_is_kept(client):
    stream = client.request("/order")
    response = client.response(stream)
    assert response.header("trailer") == "first, second"
    assert response.body == b"body"
    assert response.trailers == [
        ("second", "2"), ("first", "1"), ("undeclared", "trimmed"), ("first", "again")]
    assert client.frames(stream) == ["HEADERS", "DATA", "HEADERS END_STREAM"]


def test_without_a_body_no_data_frame_is_sent(client):
    stream = client.request("/bodyless")
    assert client.response(stream).trailers == [("only", "this")]
    assert client.frames(stream) == ["HEADERS", "HEADERS END_STREAM"]


def test_head_gets_no_trailers(client):
    stream = client.request("/order", "HEAD")
    response = client.response(stream)
    assert response.header("trailer") == "first, second"
    assert (response.body, response.trailers) == (b"", None)
    assert client.frames(stream) == ["HEADERS END_STREAM"]


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_every_http2_client_may_have_trailers(server, connect, scheme):
    response = connect(getattr(server, scheme)).fetch("/support")
    assert json.loads(response.text) == {"protocol": "HTTP/2", "trailers": True}


def test_declared_after_the_headers_raises(client):
    response = client.fetch("/late")
    assert response.text == 'body false trailer "late" comes too late: the headers are sent'
    assert response.trailers == [("late", "kept")]


def test_appended_after_the_end_raises(server, client):
    assert client.fetch("/ended").trailers is None
    server.wait_for(r'"false\\ttrailer \\"late\\" comes too late: the response has ended')


@pytest.mark.parametrize("field, problem", [
    ("content-length=1", "may not be sent as a trailer"),
    ("Transfer-Encoding=chunked", "may not be sent|is specific to the connection"),
    ("host=a", "may not be sent as a trailer"),
    ("authorization=a", "may not be sent as a trailer"),
    ("set-cookie=a", "may not be sent as a trailer"),
    (":status=200", "is a pseudo field"),
    ("=a", "is empty"),
    ("a b=a", "is not a valid field name"),
    ("name=a\nb", "control character"),
    ("name=a\rb", "control character"),
    ("name=a\0b", "control character")])
def test_a_bad_trailer_raises(client, field, problem):
    text = client.fetch("/bad", "POST", body=field.encode()).text
    assert text.startswith("trailer ")
    assert any(part in text for part in problem.split("|")), text


def test_an_error_page_has_none(client):
    response = client.fetch("/failed")
    assert response.status == 500
    assert (response.header("trailer"), response.trailers) == (None, None)


def test_a_hundred(client):
    assert client.fetch("/many").trailers == [(f"t{i}", "x" * 100) for i in range(1, 101)]
