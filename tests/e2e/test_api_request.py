"""What a handler reads: the fields of ctx, the body, arguments, forms and cookies."""
import re

import pytest

from handlers import RUN, begin_lua, run_lua

SCRIPTS = {"index.lua": RUN, "[one]/[...two].lua": RUN.replace("ctx.headers.run", "ctx:body()")}

FORM = ("content-type", "application/x-www-form-urlencoded")


# Fields.

def test_fields(client):
    response = client.fetch("/%41/b/c%20d?x=%20&y", "POST", body=b"""
        local host = ctx.headers.host
        return ctx.method, ctx.path, ctx.query, ctx.scheme, ctx.authority == host or host,
            ctx.params.one, ctx.params.two, ctx.remote:match("^127%.0%.0%.1:%d+$") == ctx.remote""")
    assert response.text == "POST|/%41/b/c%20d|x=%20&y|https|nil|A|b/c d|true"


def test_no_parameters_is_an_empty_table(client):
    assert run_lua(client, "return type(ctx.params), next(ctx.params)").text == "table|nil"


def test_a_field_is_the_same_each_time(client):
    assert run_lua(client, """
        ctx.headers.added = 1
        return ctx.headers == ctx.headers, ctx.headers.added, ctx.tls == ctx.tls, ctx.id == ctx.id
        """).text == "true|1|true|true"


def test_headers_are_lowered_joined_and_complete(client):
    response = run_lua(client, """
        return ctx.headers["x-many"], ctx.headers.cookie, ctx.headers["x-empty"], ctx.headers.none,
            ctx.headers[":path"]""", headers=[
        ("X-Many", "a"), ("cookie", "a=1"), ("x-many", "b, c"), ("cookie", "b=2; c=3"),
        ("x-empty", ""), ("x-many", "")])
    assert response.text == "a, b, c, |a=1; b=2; c=3||nil|nil"


def test_tls(server, connect):
    code = "return ctx.tls and ctx.tls.version .. ' ' .. ctx.tls.cipher, ctx.tls and ctx.tls.sni"
    secure = run_lua(connect(server.https, server_name="one.test"), code)
    assert re.fullmatch(r"TLSv1\.3 TLS_\w+\|one\.test", secure.text)
    assert run_lua(connect(server.https), code).text.endswith("|nil")
    assert run_lua(connect(server.http), code).text == "nil|nil"


def test_every_request_has_another_id(server, connect):
    clients = [connect(url) for url in server.urls * 2]
    ids = [run_lua(client, "return ctx.id").text for client in clients for _ in range(5)]
    assert len(set(ids)) == len(ids) and all(ids)


# The body.

def test_pieces_then_nil_for_ever(client):
    assert run_lua(client, "return ctx:read(4), ctx:read(), ctx:read(), ctx:read(), ctx:body()",
                   "POST", body=b"onetwo").text == "onet|wo|nil|nil|"


def test_body_is_what_is_left_and_any_bytes(client):
    response = run_lua(client, "ctx:read(2) ctx:write(ctx:body())", "POST", body=bytes(range(256)))
    assert response.body == bytes(range(2, 256))


def test_too_large_a_body_is_413_unless_the_handler_catches_it(client):
    response = run_lua(client, "ctx:header('x-mine', 'kept?') ctx:body(5)", "POST", body=b"123456")
    assert (response.status, response.text) == (413, "Content Too Large\n")
    assert response.header("x-mine") is None
    response = run_lua(client, """
        local ok, problem = pcall(ctx.body, ctx, 5)
        return ok, problem, problem.kind, problem.status""", "POST", body=b"123456")
    assert response.status == 200
    assert response.text == "false|the request's body is larger than 5 bytes|limit|413"


def test_after_the_headers_too_large_a_body_resets(client):
    response = run_lua(client, "ctx:flush() ctx:body(5)", "POST", body=b"123456")
    assert (response.status, response.reset) == (200, 8)


def test_trailers_of_the_request_come_after_its_body(client):
    stream = begin_lua(client, """
        local early = { pcall(ctx.request_trailers, ctx) }
        ctx:body()
        local trailers = ctx:request_trailers()
        return early[1], early[2], trailers["x-sum"], trailers.none""", "POST", end=False)
    client.send(stream, b"body")
    client.h2.send_headers(stream, [("x-sum", "4"), ("x-sum", "5")], end_stream=True)
    client.flush()
    assert client.response(stream).text == (
        "false|the request's trailers come after its body, which is not read to its end|4, 5|nil")


def test_without_trailers_the_table_is_empty(client):
    assert run_lua(client, "ctx:body() return next(ctx:request_trailers())").text == "nil"


# Arguments and forms.

SHOW = """
    local args, list = ctx:%s(), {}
    for name, value in pairs(args) do
        list[#list + 1] = name .. "=" .. (type(value) == "table"
            and "[" .. table.concat(value, ",") .. "]" or value)
    end
    table.sort(list)
    return table.concat(list, ";")"""

ENCODED = [
    ("a=1&b=2", "a=1;b=2"),
    ("a=1&a=2&b=x&a=3", "a=[1,2,3];b=x"),
    ("a+b=c+d%2B", "a b=c d+"),
    ("a=1=2&=x&b", "=x;a=1=2;b="),
    ("&&a=1&", "a=1"),
    ("a=%zz&b=%4&c=%", "a=%zz;b=%4;c=%"),
    ("%C3%A9=%C3%A9", "é=é"),
    ("a=1;b=2", "a=1;b=2"),
    ("a[]=1&a[]=2", "a[]=[1,2]"),
    ("", "")]


@pytest.mark.parametrize("encoded, decoded", ENCODED)
def test_args(client, encoded, decoded):
    assert client.fetch(f"/x/y?{encoded}", "POST", body=(SHOW % "args").encode()).text == decoded


@pytest.mark.parametrize("encoded, decoded", ENCODED)
def test_form(client, encoded, decoded):
    response = run_lua(client, SHOW % "form", "POST", headers=[FORM], body=encoded.encode())
    assert response.text == decoded


def test_form_has_the_limit_of_a_body(client):
    response = run_lua(client, "ctx:form(5)", "POST", headers=[FORM], body=b"a=1234")
    assert response.status == 413


# Cookies.

@pytest.mark.parametrize("sent, name, value", [
    (["a=1; b=2"], "b", "2"), (["a=1", "b=2"], "b", "2"), (["a=1; a=2"], "a", "1"),
    (['a="x y"'], "a", "x y"), (['a="'], "a", '"'), (["a=b=c"], "a", "b=c"), (["a="], "a", ""),
    (["  a = 1 ;b=2"], "a", "1"), (["A=1"], "a", "nil"), (["ab=1"], "a", "nil"),
    (["a"], "a", "nil"), ([";;a=1;"], "a", "1"), (["a=%20"], "a", "%20"), ([], "a", "nil")])
def test_cookie(client, sent, name, value):
    response = run_lua(client, f"return ctx:cookie('{name}')",
                       headers=[("cookie", cookie) for cookie in sent])
    assert response.text == value


def test_a_limit_on_bodies_is_an_option(start, connect):
    server = start(SCRIPTS, "--body-limit", "5")
    client = connect(server.https)
    assert run_lua(client, "return #ctx:body()", "POST", body=b"12345").text == "5"
    assert run_lua(client, "return #ctx:body()", "POST", body=b"123456").status == 413
    assert run_lua(client, "return #ctx:body(6)", "POST", body=b"123456").text == "6"
