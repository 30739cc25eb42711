"""What a handler answers: the head, the body, and the frames that they become."""
import re

import pytest

from handlers import RUN, begin_lua, run_lua

SCRIPTS = {"index.lua": RUN}


def own(response):
    """The headers that the server did not add."""
    return sorted(field for field in response.headers if field[0] not in (":status", "date"))


# The head.

def test_headers_in_each_form(client):
    response = run_lua(client, """
        ctx:header("X-One", "first")
        ctx:header("x-one", "second")
        ctx:header { ["X-Two"] = 2, ["x-three"] = "  trimmed\t" }
        ctx:add_header("x-two", "beside")
        ctx:add_header("x-four", "alone")
        ctx:header("x-gone", "soon")
        ctx:header("X-GONE", nil)
        ctx:status(203)
        return ctx:header("x-TWO"), ctx:header("x-gone"), ctx:status()""")
    assert response.text == "2, beside|nil|203"
    assert response.status == 203
    assert own(response) == [
        ("content-length", "17"), ("x-four", "alone"), ("x-one", "second"), ("x-three", "trimmed"),
        ("x-two", "2"), ("x-two", "beside")]


@pytest.mark.parametrize("call, what", [
    ("status(201)", "status"), ("header('x-a', 'b')", 'header "x-a"'),
    ("header('x-a', nil)", 'header "x-a"'), ("header { ['x-a'] = 'b' }", 'header "x-a"'),
    ("add_header('x-a', 'b')", 'header "x-a"'), ("declare_trailer('x-a')", 'trailer "x-a"'),
    ("inform(103)", "an interim response")])
@pytest.mark.parametrize("start", ["flush()", "write('x')", "finish()"])
def test_once_the_headers_are_sent_they_stand(server, client, call, what, start):
    assert run_lua(client, f"""
        ctx:{start}
        print("{start[:5]}", "late", pcall(function() ctx:{call} end))""").status == 200
    server.wait_for(fr'text="{start[:5]}\\tlate\\tfalse\\trun:1: '
                    + what.replace('"', r'\\"') + r' comes too late: the headers are sent"')


@pytest.mark.parametrize("function, arguments", [
    ("text", "'x'"), ("html", "'x'"), ("json", "{}"), ("redirect", "'/'"), ("set_cookie", "'a', 'b'"),
    ("proxy", "'http://127.0.0.1:9'")])
@pytest.mark.parametrize("start", ["flush()", "write('x')", "finish()", "text('x')"])
def test_a_second_response_names_what_was_called(server, client, function, arguments, start):
    since = len(server.log)
    assert run_lua(client, f"""
        ctx:{start}
        print("second", pcall(function() ctx:{function}({arguments}) end))""").status == 200
    server.wait_for(fr'text="second\\tfalse\\trun:1: ctx:{function}: a response was sent already"',
                    since=since)


@pytest.mark.parametrize("call", ["text {}", "html {}", "text({ 1 }, 2)"])
def test_a_table_is_what_json_writes(client, call):
    response = run_lua(client, f"return pcall(function() ctx:{call} end)")
    assert "string expected, got table: ctx:json writes tables" in response.text


@pytest.mark.parametrize("line, told", [
    ("ctx.status = 404", "ctx.status cannot be assigned.*: call ctx:status.404.$"),
    ("ctx.text = 'x'", r"ctx.text cannot be assigned.*: call ctx:text\(...\)$"),
    ("ctx.json = {}", r"ctx.json cannot be assigned.*: call ctx:json\(...\)$"),
    ("ctx.path = 'x'", "ctx.path cannot be assigned: the name is the server's$")])
def test_an_assignment_names_the_call(client, line, told):
    assert re.search(told, run_lua(client, f"return select(2, pcall(function() {line} end))").text)


@pytest.mark.parametrize("line, told", [
    ("ctx:txt('x')", "attempt to call a nil value (method 'txt'): nearest: text"),
    ("ctx.jsn({})", "attempt to call a nil value (field 'jsn'): nearest: json"),
    ("ctx:requset_header('x')", "(method 'requset_header'): nearest: request_header"),
    ("return ctx.quer .. 'x'", "(field 'quer'): nearest: query"),
    ("return ctx.user.name", "attempt to index a nil value (field 'user')"),
    ("local t = {} t:txt()", "attempt to call a nil value (method 'txt')")])
def test_a_misspelt_name_is_told_with_the_nearest(server, client, line, told):
    since = len(server.log)
    assert run_lua(client, line).status == 500
    server.wait_for(re.escape(told) + '" ', since=since)


def test_a_head_or_a_204_with_a_body_stays_silent(server, client):
    since = len(server.log)
    assert run_lua(client, "ctx:text('x')", "HEAD").status == 200
    assert run_lua(client, "ctx:status(204) ctx:text('x')").status == 204
    assert not any(" warn " in line or " error " in line for line in server.log[since:])


def test_a_malformed_name_raises_after_the_headers_too(client):
    response = run_lua(client, "ctx:flush() return select(2, pcall(ctx.header, ctx, 'a b', 'c'))")
    assert 'header "a b" ' in response.text


@pytest.mark.parametrize("function, type_", [
    ("text", "text/plain; charset=utf-8"), ("html", "text/html; charset=utf-8"),
    ("json", "application/json")])
def test_a_body_has_its_type_unless_one_is_set(client, function, type_):
    assert run_lua(client, f"ctx:{function}('x')").header("content-type") == type_
    response = run_lua(client, f"ctx:header('content-type', 'own/type') ctx:{function}('x')")
    assert response.header("content-type") == "own/type"


def test_interim_responses(client):
    stream = begin_lua(client, """
        ctx:inform(103, { Link = "</a.css>; rel=preload" })
        ctx:inform(102)
        ctx:status(201)""")
    assert client.response(stream).status == 201
    assert client.frames(stream) == ["HEADERS", "HEADERS", "HEADERS END_STREAM"]


# The body and its frames.

@pytest.mark.parametrize("code, frames", [
    ("", ["HEADERS END_STREAM"]),
    ("ctx:finish()", ["HEADERS END_STREAM"]),
    ("ctx:write()", ["HEADERS END_STREAM"]),
    ("ctx:write('')", ["HEADERS END_STREAM"]),
    ("ctx:flush()", ["HEADERS", "DATA END_STREAM"]),
    ("ctx:write('x')", ["HEADERS", "DATA END_STREAM"]),
    ("ctx:write('x', 'y', 1)", ["HEADERS", "DATA END_STREAM"]),
    ("ctx:write('x') ctx:finish('y')", ["HEADERS", "DATA END_STREAM"]),
    ("ctx:write('x') ctx:flush() ctx:write('y')", ["HEADERS", "DATA", "DATA END_STREAM"]),
    ("ctx:append_trailer('x-a', 'b')", ["HEADERS", "HEADERS END_STREAM"]),
    ("ctx:flush() ctx:append_trailer('x-a', 'b')", ["HEADERS", "HEADERS END_STREAM"]),
    ("ctx:text('x') ctx:append_trailer('x-a', 'b')", ["HEADERS", "DATA", "HEADERS END_STREAM"])])
def test_frames(client, code, frames):
    stream = begin_lua(client, code)
    assert client.response(stream).status == 200
    assert client.frames(stream) == frames


@pytest.mark.parametrize("method, status", [("HEAD", 200), ("GET", 204), ("GET", 304)])
@pytest.mark.parametrize("flush, frames", [
    ("", ["HEADERS END_STREAM"]), ("ctx:flush()", ["HEADERS", "DATA END_STREAM"])])
def test_without_content_no_byte_of_a_body_goes_out(client, method, status, flush, frames):
    stream = begin_lua(client, f"""
        ctx:status({status})
        ctx:write(("x"):rep(1e6))
        {flush}
        ctx:write("more")
        if ctx.method == "HEAD" then ctx:append_trailer("x-t", "never") end""", method)
    response = client.response(stream)
    assert (response.status, response.body, response.trailers) == (status, b"", None)
    assert client.frames(stream) == frames


def test_flush_hands_the_headers_over_alone(client):
    stream = begin_lua(client, "ctx:status(202) ctx:flush() ctx:write(ctx:body())", "POST",
                       end=False)
    client.wait(lambda: client.so_far(stream).headers)
    assert client.so_far(stream).status == 202
    client.send(stream, b"then the body", end=True)
    assert client.response(stream).text == "then the body"


def test_finish_ends_the_response_before_the_handler_does(server, client):
    stream = begin_lua(client, """
        ctx:finish("whole")
        print("after", pcall(ctx.write, ctx, "x"))
        print("after", pcall(ctx.flush, ctx))
        print("after", pcall(ctx.finish, ctx))
        print("after", pcall(ctx.append_trailer, ctx, "x-t", "v"))
        mt.sleep(0.2)
        print("asleep no more", ctx:aborted(), ctx:header("content-length"))""")
    response = client.response(stream)
    assert response.text == "whole"
    assert not server.find("asleep no more")
    server.wait_for(r"asleep no more\\tfalse")
    late = [line for line in server.log if r'text="after\tfalse\t' in line]
    assert [("the response has ended" in line) for line in late] == [True] * 4


@pytest.mark.parametrize("code, problem", [
    ("ctx:write('123456')", "more is written than content-length says"),
    ("ctx:write('123', '456')", "more is written than content-length says"),
    ("ctx:finish('1234')", "less is written than content-length says")])
def test_what_is_written_is_checked_against_content_length(client, code, problem):
    response = run_lua(client, f"""
        ctx:header("content-length", 5)
        local _, problem = pcall(function() {code} end)
        ctx:header("x-never", problem)""")
    assert response.status == 500 or response.reset is not None
    response = run_lua(client, f"""
        ctx:header("content-length", 5)
        local _, problem = pcall(function() {code} end)
        error(problem, 0)""")
    assert response.status == 500


def test_content_length_that_is_met(client):
    response = run_lua(client, "ctx:header('content-length', 5) ctx:write('12') ctx:write(345)")
    assert (response.header("content-length"), response.text) == ("5", "12345")


# Trailers.

def test_trailers_are_declared_once_and_go_in_order(client):
    response = run_lua(client, """
        ctx:declare_trailer("X-B")
        ctx:declare_trailer("x-b")
        ctx:declare_trailer("x-a")
        ctx:append_trailer("x-b", 1)
        ctx:write("body")
        ctx:append_trailer("X-C", " undeclared ")
        ctx:append_trailer("x-b", 2.5)""")
    assert response.header("trailer").lower().replace(" ", "") == "x-b,x-a"
    assert response.trailers == [("x-b", "1"), ("x-c", "undeclared"), ("x-b", "2.5")]


@pytest.mark.parametrize("name", [
    "transfer-encoding", "content-length", "host", "te", "cache-control", "max-forwards",
    "authorization", "set-cookie", "www-authenticate", "content-encoding", "content-type",
    "content-range", "trailer", "connection", ":status", "a b", ""])
@pytest.mark.parametrize("function", ["declare_trailer", "append_trailer"])
def test_what_may_be_no_trailer_raises(client, name, function):
    response = run_lua(client, f"return pcall(ctx.{function}, ctx, '{name}', 'x')")
    assert response.text.startswith(f'false|trailer "{name}" ')
    assert (response.header("trailer"), response.trailers) == (None, None)
