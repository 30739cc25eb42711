"""_middleware.lua and _error.lua: what goes around the handlers of a folder."""
import json
import re

import pytest

from client import Client
from http1 import Http1
from server import run, write_scripts

# Each middleware writes its name before and behind what is inside of it.
NOTE = """function(ctx, next)
    local order = (ctx:header("x-order") or "") .. "%s"
    ctx:header("x-order", order)
    ctx.order = order
    next()
    ctx.order = ctx.order .. "-%s"
    print(ctx.path .. " left " .. ctx.order)
end"""

SCRIPTS = {
    "_middleware.lua": f"return {NOTE % ('a', 'a')}",
    "_error.lua": """
        return function(ctx, status, problem)
            if ctx.path:find("silent", 1, true) then return end
            if ctx.path:find("worse", 1, true) then error("the page fails") end
            ctx:text(("root %d %s %s"):format(status, tostring(problem), ctx.order))
        end""",
    "index.lua": "return function(ctx) ctx:text('index ' .. ctx.order) end",
    "fails.lua": "return function(ctx) ctx:header('x-own', '1') error('oh') end",
    "fails-silent.lua": "return function(ctx) error('oh') end",
    "fails-worse.lua": "return function(ctx) error('oh') end",
    "fails-late.lua": """
        return function(ctx) ctx:write("begun") ctx:flush() error("late") end""",
    "valued.lua": "return function(ctx) error({ reason = 7 }) end",
    "get.lua": "return { GET = function(ctx) ctx:text('got') end }",
    "body.lua": "return function(ctx) ctx:text(ctx:body(5)) end",
    "form.lua": "return function(ctx) ctx:json(ctx:form()) end",
    "caught.lua": """
        return function(ctx)
            local ok, problem = pcall(ctx.body, ctx, 5)
            ctx:json { kind = problem.kind, status = problem.status, limit = problem.limit }
        end""",
    "users/[id]/_middleware.lua": f"return {{ {NOTE % ('b', 'b')}, {NOTE % ('c', 'c')} }}",
    "users/[id]/show.lua": "return function(ctx) ctx:text(ctx.params.id .. ctx.order) end",
    "users/new/show.lua": "return function(ctx) ctx:text('new ' .. ctx.order) end",
    "users/[id]/_error.lua": """
        return function(ctx, status)
            ctx:text(status .. " of user " .. ctx.params.id .. " " .. ctx.order)
        end""",
    "plain/_middleware.lua": "return function() end",
    "plain/never.lua": "return function(ctx) print('entered') ctx:text('never') end",
    "made/_middleware.lua": f"return {NOTE % ('m', 'm')}",
    "made/maker.lua": """
        return setmetatable({}, { __routes = function()
            return { ["/elsewhere/[x]"] = function(ctx) ctx:text(ctx.params.x .. ctx.order) end }
        end })""",
    "odd/_middleware.lua": """
        return {
            function(ctx, next)
                local how = ctx:args().how
                if how == "twice" then
                    next()
                    ctx:append_trailer("x-second", tostring(select(2, pcall(next))))
                    return
                elseif how == "catch" then
                    local ok, problem = pcall(next)
                    return ctx:text("caught " .. tostring(problem))
                elseif how == "spawn" then
                    local ok, problem = pcall(function() mt.spawn(next):join() end)
                    return ctx:text(tostring(problem))
                elseif how == "coroutine" then
                    coroutine.wrap(function() mt.sleep(0) next() end)()
                    return
                elseif how == "behind" then
                    next()
                    ctx:header("x-behind", "1")
                    return
                elseif how == "kept" then
                    next()
                    local ok, problem = pcall(ctx.inner)
                    return ctx:text(tostring(problem))
                end
                next()
            end,
            function(ctx, next)
                ctx.inner = next
                if ctx:args().how == "kept" then return end
                mt.sleep(0)
                next()
            end,
        }""",
    "odd/index.lua": """
        return function(ctx)
            local how = ctx:args().how
            if how == "catch" then error("from inside", 0) end
            if how == "behind" then return end
            if how == "late" then ctx:write("x") ctx:flush() end
            mt.sleep(0)
            ctx:write("inside")
        end""",
    "heads/_middleware.lua": """
        return function(ctx, next)
            local times = 0
            ctx:on_head(function()
                times = times + 1
                ctx:header("x-head", times .. " " .. ctx:status())
            end)
            next()
        end""",
    "heads/text.lua": "return function(ctx) ctx:status(201) ctx:text('x') ctx:write('y') end",
    "heads/none.lua": "return function(ctx) ctx:status(204) end",
    "heads/flush.lua": "return function(ctx) ctx:flush() ctx:write('x') end",
    "heads/try.lua": "return function(ctx) ctx:try_write('x') end",
    "heads/finish.lua": "return function(ctx) ctx:finish('x') end",
    "heads/json.lua": "return function(ctx) ctx:json {} end",
    "heads/fails.lua": "return function(ctx) error('oh') end",
    "heads/written.lua": "return function(ctx) ctx:text('gone') error('oh') end",
    "heads/spawned.lua": "return function(ctx) mt.spawn(function() ctx:text('x') end):join() end",
    "head-waits.lua": """
        return function(ctx)
            ctx:on_head(function() mt.sleep(0) end)
            local ok, problem = pcall(ctx.text, ctx, "x")
            ctx:text(tostring(problem))
        end""",
    "head-writes.lua": """
        return function(ctx)
            ctx:on_head(function() ctx:write("x") end)
            local ok, problem = pcall(ctx.text, ctx, "x")
            ctx:text(tostring(problem))
        end""",
    "head-late.lua": """
        return function(ctx)
            ctx:write("x")
            ctx:write(tostring(select(2, pcall(ctx.on_head, ctx, print))))
        end""",
    "waits/_middleware.lua": """
        return function(ctx, next)
            print("waiting")
            mt.spawn(function() mt.sleep(0) print("spawned ran") end)
            local ok, problem = pcall(mt.sleep, 600)
            print("ended: " .. tostring(problem))
            error(problem, 0)
        end""",
    "waits/index.lua": "return function(ctx) ctx:text('never') end",
}

SCRIPTS = {name: "local mt = require 'moontrail' " + text if "mt." in text else text
           for name, text in SCRIPTS.items()}
CLIENTS = {"h2": lambda server: Client(server.https), "http1": lambda server: Http1(server.http)}


@pytest.fixture(params=CLIENTS)
def client(request, server):
    with CLIENTS[request.param](server) as made:
        yield made


def test_the_outermost_folder_comes_first_and_leaves_last(client, server):
    response = client.fetch("/users/7/show")
    assert (response.status, response.text) == (200, "7abc")
    for left in ("abc-c", "abc-c-b", "abc-c-b-a"):
        server.wait_for(f'/users/7/show left {left}"')


def test_a_folder_without_its_own_has_that_of_the_folder_above(client):
    assert client.fetch("/users/new/show").text == "new a"
    assert client.fetch("/").text == "index a"


def test_a_made_route_has_that_of_its_file(client):
    assert client.fetch("/elsewhere/z").text == "zam"


@pytest.mark.parametrize("path, text", [
    ("/none", "root 404 nil a"),
    ("/none/at/all", "root 404 nil a"),
    ("/users/7/none", "404 of user 7 abc"),
    ("/users/7/", "404 of user 7 abc"),
    ("/users/7//x", "404 of user 7 abc"),
    ("/users/%37%20x/none", "404 of user 7 x abc"),
    ("/users/new/none", "root 404 nil a"),
    ("/users/7", "404 of user 7 abc"),
    ("/users", "root 404 nil a"),
    ("/made/none", "root 404 nil am"),
])
def test_what_no_script_answers_has_that_of_its_path(client, path, text):
    response = client.fetch(path)
    assert (response.status, response.text) == (404, text)


@pytest.mark.parametrize("path, text", [
    ("/users/7/%zz", "400 of user 7 abc"), ("/%00", "root 400 nil a"),
    ("/users/9/%2e%2e/x", "400 of user 9 abc")])
def test_a_path_that_cannot_be_read_has_it_as_far_as_it_can(client, path, text):
    response = client.fetch(path)
    assert (response.status, response.text) == (400, text)


def test_a_method_that_a_script_lacks_has_that_of_the_script(client):
    response = client.fetch("/get", "POST")
    assert (response.status, response.text) == (405, "root 405 nil a")
    assert response.header("allow") == "GET, HEAD, OPTIONS"
    response = client.fetch("/get", "OPTIONS")
    assert (response.status, response.text, response.header("x-order")) == (204, "", "a")


def test_an_error_gets_the_page_with_the_headers_of_middleware_alone(client):
    response = client.fetch("/fails")
    assert response.status == 500
    assert re.fullmatch(r"root 500 .*fails.lua:1: oh a", response.text)
    assert (response.header("x-order"), response.header("x-own")) == ("a", None)


def test_a_page_gets_the_error_as_it_is(client):
    assert client.fetch("/valued").text.startswith("root 500 table: ")


def test_a_page_that_writes_nothing_leaves_it_to_the_server(client):
    response = client.fetch("/fails-silent")
    assert (response.status, response.text) == (500, "Internal Server Error\n")
    assert response.header("x-order") == "a"
    assert client.fetch("/silent").text == "Not Found\n"


def test_a_page_that_raises_leaves_it_to_the_server(client, server):
    response = client.fetch("/fails-worse")
    assert (response.status, response.text) == (500, "Internal Server Error\n")
    response = client.fetch("/worse")
    assert (response.status, response.text) == (404, "Not Found\n")
    server.wait_for(r"error page failed .*the page fails")


def test_a_response_that_has_begun_gets_no_page(client, server):
    with pytest.raises(Exception):
        assert client.fetch("/fails-late").text == "whole"
    server.wait_for(r"handler failed .*late")


def test_an_error_of_the_body_is_answered_by_its_status(client, server):
    response = client.fetch("/body", "POST", body=b"123456")
    assert response.status == 413
    assert re.fullmatch("root 413 .*body is larger than 5 bytes a", response.text)
    response = client.fetch("/form", "POST", body=b"x")
    assert response.status == 415
    assert response.text.startswith("root 415 ")
    server.wait_for("debug handler stopped .*larger than 5 bytes")
    assert not server.find("handler failed.*larger than 5 bytes")


def test_an_error_of_the_body_that_is_caught_sends_nothing(client):
    response = client.fetch("/caught", "POST", body=b"123456")
    assert response.status == 200
    assert json.loads(response.text) == {"kind": "limit", "status": 413, "limit": "body-limit"}


def test_a_middleware_that_does_nothing_sends_what_a_handler_would(client, server):
    response = client.fetch("/plain/never")
    assert (response.status, response.text) == (200, "")
    assert not server.find("entered")


@pytest.mark.parametrize("how, text", [
    ("catch", "caught from inside"),
    ("coroutine", "inside"),
    ("kept", "next was called already, or its middleware has returned"),
])
def test_next(client, how, text):
    response = client.fetch(f"/odd?how={how}")
    assert response.status == 200
    assert response.text.endswith(text)


def test_next_in_a_task_of_its_own_raises(client):
    assert "next is for the task of its request alone" in client.fetch("/odd?how=spawn").text


def test_headers_may_be_set_behind_next_where_nothing_is_written(client):
    assert client.fetch("/odd?how=behind").header("x-behind") == "1"


def test_a_second_next_raises(server):
    with Client(server.https) as client:
        response = client.fetch("/odd?how=twice")
        assert response.text == "inside"
        assert "next was called already" in dict(response.trailers)["x-second"]


@pytest.mark.parametrize("path, status, header", [
    ("text", 201, "1 201"), ("none", 204, "1 204"), ("flush", 200, "1 200"), ("try", 200, "1 200"),
    ("finish", 200, "1 200"), ("json", 200, "1 200"), ("fails", 500, "1 500"),
    ("spawned", 200, "1 200"), ("missing", 404, "1 404"), ("written", 500, "1 200")])
def test_on_head_runs_once_whoever_answers(client, path, status, header):
    response = client.fetch(f"/heads/{path}")
    assert (response.status, response.header("x-head")) == (status, header)


def test_on_head_neither_waits_nor_writes(client):
    assert "cannot wait" in client.fetch("/head-waits").text
    assert "sets headers, and writes nothing" in client.fetch("/head-writes").text
    assert "on_head comes too late" in client.fetch("/head-late").text


def test_a_client_that_leaves_while_middleware_waits(server):
    with Client(server.https) as client:
        stream = client.request("/waits/")
        server.wait_for("waiting")
        client.reset(stream)
        server.wait_for("ended: .*request aborted")
        server.wait_for("spawned ran")


def test_a_call_keeps_its_own_terms(server):
    with Client(server.https) as client:
        response = client.fetch("/none", "POST", headers=[("content-type", "application/grpc")])
        assert response.header("grpc-status") == "12"
        assert response.header("x-order") == "a"


# How they load.

def check(tmp_path, scripts):
    return run("--check", write_scripts(tmp_path / "scripts", scripts))


def test_check_lists_both(tmp_path):
    output = check(tmp_path, SCRIPTS).stdout
    for pattern, kind, file in (("/*", "middleware", "_middleware.lua"),
                                ("/*", "error page", "_error.lua"),
                                ("/users/[id]/*", "middleware", "users/[id]/_middleware.lua"),
                                ("/users/[id]/*", "error page", "users/[id]/_error.lua")):
        assert re.search(rf"^{re.escape(pattern)} +{kind} +\S*/scripts/{re.escape(file)}$", output,
                         re.M), output
    assert not re.search(r"^/_", output, re.M)


@pytest.mark.parametrize("name, text, problem", [
    ("_middleware.lua", "return 7", "returns a number, not a function of ctx and next"),
    ("_middleware.lua", "return {}", "returns a table that is no list of functions"),
    ("_middleware.lua", "return { print, n = 1 }", "returns a table that is no list"),
    ("_middleware.lua", "return { print, 7 }", "a list with a number in it"),
    ("_middleware.lua", "local l = {} for i = 1, 65 do l[i] = print end return l",
     "more than 64 functions"),
    ("_middleware.lua", "oh", "syntax error"),
    ("_middleware.lua", "error('loud')", "loud"),
    ("_error.lua", "return {}", "returns a table, not a function of ctx, status and problem"),
    ("_error.lua", "return", "returns a nil"),
    ("a[b/_error.lua", "return print", "has a stray bracket"),
])
def test_one_that_does_not_load_is_named(tmp_path, name, text, problem):
    done = check(tmp_path, {"index.lua": "return print", name: text})
    assert done.returncode == 1
    assert name in done.stderr and problem in done.stderr


def test_they_are_no_scripts_of_their_own(tmp_path):
    done = check(tmp_path, {"_middleware.lua": "return print"})
    assert done.returncode == 1 and "holds no script" in done.stderr


def test_one_script_has_what_lies_beside_it(tmp_path, start, connect):
    folder = write_scripts(tmp_path / "scripts", {
        "one.lua": "return { GET = function(ctx) ctx:text('one') end }",
        "_middleware.lua": "return function(ctx, next) ctx:header('x-m', '1') next() end",
        "_error.lua": "return function(ctx, status) ctx:text('page ' .. status) end"})
    client = connect(start(folder / "one.lua").https)
    response = client.fetch("/x")
    assert (response.text, response.header("x-m")) == ("one", "1")
    assert client.fetch("/x", "POST").text == "page 405"


WAITER = """
    local mt = require "moontrail"
    return function(ctx, next)
        if ctx:args().wait then
            print("GENERATION waits")
            while not mt.load_error() do mt.sleep(0.01) end
        end
        ctx:header("x-m", "GENERATION")
        next()
    end"""


def test_a_new_file_is_seen_and_a_request_keeps_the_generation_that_it_began_on(watch, tmp_path):
    watched = watch({"deep/a.lua": "return function(ctx) ctx:text('a') end"})
    folder = tmp_path / "scripts"
    assert watched.fetch("/deep/a").header("x-m") is None
    (folder / "deep/_middleware.lua").write_text(WAITER.replace("GENERATION", "first"))
    watched.server.wait_for("scripts loaded")
    assert watched.fetch("/deep/a").header("x-m") == "first"
    waiting = watched.client.request("/deep/a?wait=1")
    watched.server.wait_for("first waits")
    (folder / "deep/_middleware.lua").write_text(WAITER.replace("GENERATION", "second"))
    watched.server.wait_until(lambda: len(watched.server.lines("scripts loaded")) == 2)
    assert watched.fetch("/deep/a").header("x-m") == "second"
    (folder / "deep/_error.lua").write_text("return 7")
    watched.server.wait_for("scripts not loaded .*_error.lua")
    assert watched.client.response(waiting).header("x-m") == "first"
    assert watched.fetch("/deep/a").header("x-m") == "second"
