"""The functions of ctx and of moontrail, given arguments of every kind."""
import pytest

from handlers import RUN, run_lua

SCRIPTS = {"index.lua": RUN}

# Calls that raise, with what the error says. In ctx:f(a), a is argument 1.
WRONG = [
    ("ctx:status(nil)", "bad argument #1 to 'status' (number expected, got nil)"),
    ("ctx:status('ok')", "bad argument #1 to 'status' (number expected, got string)"),
    ("ctx:status(200.5)", "bad argument #1 to 'status' (number has no integer representation)"),
    ("ctx:status(199)", "bad argument #1 to 'status' (not a final status, 200 to 599)"),
    ("ctx:status(600)", "bad argument #1 to 'status' (not a final status, 200 to 599)"),
    ("ctx:header()", "bad argument #1 to 'header' (string expected, got no value)"),
    ("ctx:header(nil, 'x')", "bad argument #1 to 'header' (string expected, got nil)"),
    ("ctx:header('x-a', true)", "bad argument #2 to 'header' (string expected, got boolean)"),
    ("ctx:header({'x'})", "a header's name is a string, not a number"),
    ("ctx:header({['x-a'] = {}})", 'header "x-a" has a table as its value, not a string'),
    ("ctx:header('a b', 'x')", 'header "a b" '),
    ("ctx:header('', 'x')", 'header "" '),
    ("ctx:header(':status', '204')", 'header ":status" '),
    ("ctx:header('Connection', 'close')", 'header "Connection" '),
    ("ctx:header('keep-alive', '1')", 'header "keep-alive" '),
    ("ctx:header('proxy-connection', '1')", 'header "proxy-connection" '),
    ("ctx:header('transfer-encoding', 'chunked')", 'header "transfer-encoding" '),
    ("ctx:header('upgrade', 'h2c')", 'header "upgrade" '),
    (r"ctx:header('x-a', 'a\rb')", 'header "x-a" '),
    (r"ctx:header('x-a', 'a\nb')", 'header "x-a" '),
    (r"ctx:header('x-a', 'a\0b')", 'header "x-a" '),
    ("ctx:header('content-length', '-1')", 'header "content-length" is no number of bytes'),
    ("ctx:add_header('x-a')", "bad argument #2 to 'add_header' (string expected, got no value)"),
    ("ctx:add_header('x-a', nil)", "bad argument #2 to 'add_header' (string expected, got nil)"),
    ("ctx:add_header('upgrade', 'h2c')", 'header "upgrade" '),
    ("ctx:set_cookie('a')", "bad argument #2 to 'set_cookie' (string expected, got no value)"),
    ("ctx:set_cookie('a', 'b', 'c')", "to 'set_cookie' (table expected, got string)"),
    ("ctx:redirect()", "bad argument #1 to 'redirect' (string expected, got no value)"),
    ("ctx:redirect('/', 200)", "bad argument #2 to 'redirect' (not 301, 302, 303, 307 or 308)"),
    ("ctx:inform()", "bad argument #1 to 'inform' (number expected, got no value)"),
    ("ctx:inform(101)", "to 'inform' (not an interim status, 100 to 199 but 101)"),
    ("ctx:inform(200)", "to 'inform' (not an interim status, 100 to 199 but 101)"),
    ("ctx:inform(103, 'x')", "bad argument #2 to 'inform' (table expected, got string)"),
    ("ctx:write(nil)", "bad argument #1 to 'write' (string expected, got nil)"),
    ("ctx:write('a', {})", "bad argument #2 to 'write' (string expected, got table)"),
    ("ctx:try_write('a', {})", "bad argument #2 to 'try_write' (string expected, got table)"),
    ("ctx:write(true)", "bad argument #1 to 'write' (string expected, got boolean)"),
    ("ctx:finish(true)", "bad argument #1 to 'finish' (string expected, got boolean)"),
    ("ctx:text()", "bad argument #1 to 'text' (string expected, got no value)"),
    ("ctx:html(nil)", "bad argument #1 to 'html' (string expected, got nil)"),
    ("ctx:json()", "bad argument #1 to 'json' (value expected)"),
    ("ctx:json(print)", "json.encode: cannot encode a function"),
    ("ctx:declare_trailer()", "to 'declare_trailer' (string expected, got no value)"),
    ("ctx:declare_trailer('te')", 'trailer "te" '),
    ("ctx:append_trailer('x')", "bad argument #2 to 'append_trailer' (string expected, got no"),
    ("ctx:append_trailer('x', nil)", "bad argument #2 to 'append_trailer' (string expected, got n"),
    ("ctx:reset('8')", "bad argument #1 to 'reset' (no error code has this name)"),
    ("ctx:reset('cancel')", "bad argument #1 to 'reset' (no error code has this name)"),
    ("ctx:reset(-1)", "bad argument #1 to 'reset' (not within 0..2^32-1)"),
    ("ctx:reset(2^32)", "bad argument #1 to 'reset' (not within 0..2^32-1)"),
    ("ctx:reset(1.5)", "bad argument #1 to 'reset' (number has no integer representation)"),
    ("ctx:reset({})", "bad argument #1 to 'reset' (number expected, got table)"),
    ("ctx:read(0)", "bad argument #1 to 'read' (not above 0)"),
    ("ctx:read('all')", "bad argument #1 to 'read' (number expected, got string)"),
    ("ctx:body(-1)", "bad argument #1 to 'body' (below 0)"),
    ("ctx:body({})", "bad argument #1 to 'body' (number expected, got table)"),
    ("ctx:form()", "the request's content-type is not application/x-www-form-urlencoded"),
    ("ctx:cookie()", "bad argument #1 to 'cookie' (string expected, got no value)"),
    ("ctx:on_abort()", "bad argument #1 to 'on_abort' (function expected, got no value)"),
    ("ctx:on_abort('f')", "bad argument #1 to 'on_abort' (function expected, got string)"),
    ("ctx:deadline(-1)", "bad argument #1 to 'deadline' (not within 0..1e8 seconds)"),
    ("ctx:deadline(0/0)", "bad argument #1 to 'deadline' (not within 0..1e8 seconds)"),
    ("ctx:deadline('soon')", "bad argument #1 to 'deadline' (number expected, got string)"),
    ("mt.sleep()", "bad argument #1 to 'sleep' (number expected, got no value)"),
    ("mt.sleep(-1)", "bad argument #1 to 'sleep' (not within 0..1e8 seconds)"),
    ("mt.sleep(0/0)", "bad argument #1 to 'sleep' (not within 0..1e8 seconds)"),
    ("mt.spawn('f')", "bad argument #1 to 'spawn' (function expected, got string)"),
    ("mt.all(print, 1)", "bad argument #2 to 'all' (function expected, got number)"),
    ("mt.spawn(print).join({})", "bad argument #1 to 'join' (task expected, got table)"),
    ("mt.log.info()", "bad argument #1 to 'info' (string expected, got no value)"),
    ("mt.log.info('event', 5)", "bad argument #2 to 'info' (table expected, got number)"),
    ("mt.log.info('event', {1})", "bad argument #2 to 'info' (a field's name is a string)"),
    ("require('moontrail.nothing')", "module 'moontrail.nothing' not found:"),
]

# Calls that do not raise, with what they give. Numbers and their texts pass for each other, and
# what a function does not take is left alone.
RIGHT = [
    ("ctx:status('201') return ctx:status()", "201"),
    ("ctx:status(202.0, 'more') return ctx:status()", "202"),
    ("ctx:header('x-a', 1, 'more') ctx:add_header('X-A', 2.5) return ctx:header('x-A')", "1, 2.5"),
    ("ctx:header(5, 6) return ctx:header('5')", "6"),
    ("ctx:header('x-a', 'b') ctx:header('X-A', nil) return ctx:header('x-a')", "nil"),
    ("ctx:header('never-set', nil) ctx:header({}) return 'ok'", "ok"),
    ("return ctx:header('no token')", "nil"),
    ("return ctx:read('2'), ctx:read(3.0), ctx:read(nil), ctx:read()", "ab|cde|f|nil"),
    ("return ctx:body('6')", "abcdef"),
    ("return ctx:body(nil, 'more')", "abcdef"),
    ("ctx:deadline('9') local left = ctx:deadline() return left > 8 and left <= 9", "true"),
    ("ctx:deadline(9) ctx:deadline(nil) return ctx:deadline()", "nil"),
    ("return ctx:aborted('more')", "false"),
    ("return ctx:cookie(5)", "nil"),
    ("return mt.sleep('0')", ""),
    ("return mt.all()", ""),
    ("return mt.spawn(select, '#', nil, nil):join()", "2"),
    ("ctx:write() ctx:status(299) return ctx:status()", "299"),
    ("ctx:write(1, 1.0, -0.0, 2^53, 1 << 53, 1e100, 0.1, 'x')",
     "11.0-0.09.007199254741e+1590071992547409921e+1000.1x"),
    ("ctx:text(('a-b'):gsub('-', '+'))", "a+b"),
    ("ctx:html('one', 'two')", "one"),
    ("ctx:json(nil, 'more')", "null"),
    ("ctx:finish('one', 'two')", "one"),
    ("ctx:try_write(1, 1.0, 'x') ctx:try_write()", "11.0x"),
    ("ctx:write('one') ctx:finish(nil)", "one"),
    ("ctx:finish(2)", "2"),
]


@pytest.mark.parametrize("call, problem", WRONG, ids=[call for call, _ in WRONG])
def test_a_wrong_argument_raises_and_the_request_goes_on(client, call, problem):
    response = run_lua(client, f"return pcall(function() {call} end)")
    assert response.status == 200
    raised, _, message = response.text.partition("|")
    assert raised == "false" and problem in message


@pytest.mark.parametrize("code, answer", RIGHT, ids=[code for code, _ in RIGHT])
def test_a_right_argument(client, code, answer):
    response = run_lua(client, code, "POST", body=b"abcdef")
    assert response.text == answer


FIELDS = ["method", "path", "query", "scheme", "authority", "params", "remote", "id", "headers",
          "tls"]
NAMES = FIELDS + ["read", "write", "status", "deadline", "on_abort"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["1", "nil", "function() end"])
def test_a_name_of_the_api_cannot_be_assigned(client, name, value):
    response = run_lua(client, f"return pcall(function() ctx.{name} = {value} end)")
    assert response.text == (
        f"false|run:1: ctx.{name} cannot be assigned: the name is the server's")


def test_a_script_has_fields_of_its_own(client):
    response = run_lua(client, """
        ctx.user, ctx[1], ctx[ctx] = "me", "one", true
        local count = 0
        for _ in pairs(ctx) do count = count + 1 end
        return type(ctx), ctx.user, ctx[1], ctx[ctx], ctx.other, count""")
    assert response.text == "table|me|one|true|nil|3"
