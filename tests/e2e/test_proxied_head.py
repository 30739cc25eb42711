"""ctx:proxy where scripts have a say: the head of the response, another try, pools by name, and the
page where there is no response."""
import pytest

from client import Client
from http1 import Http1
from server import Server, run, write_scripts

# The same in two upstreams, which tell their names apart by their folder.
INNER = {
    "fields.lua": """
        return function(ctx)
            ctx:header("x-one", "1")
            ctx:header("x-drop", "1")
            ctx:add_header("x-two", "a")
            ctx:add_header("x-two", "b")
            ctx:add_header("set-cookie", "c=1")
            ctx:text("inner")
        end""",
    "flaky.lua": """
        local count = 0
        return function(ctx)
            count = count + 1
            local body = ctx:body()
            if count % 2 == 1 then ctx:status(503) return ctx:text("busy") end
            ctx:text("served " .. body)
        end""",
    "busy.lua": "return function(ctx) ctx:status(503) ctx:text('busy') end",
    "name.lua": "return function(ctx) ctx:text(ctx:request_header('x-forwarded-host') and 'NAME') end",
    "base/path.lua": "return function(ctx) ctx:text('base NAME ' .. (ctx.query or '')) end",
    "long.lua": """
        return function(ctx)
            for _ = 1, 20 do ctx:write(("x"):rep(10000)) end
        end""",
}

SCRIPTS = {
    "_middleware.lua": """
        return function(ctx, next)
            ctx:header("x-mine", "1")
            if ctx:args().head then
                ctx:on_head(function() ctx:header("x-head", tostring(ctx:status())) end)
            end
            next()
            print(ctx.path .. " left with " .. ctx:status())
        end""",
    "_error.lua": """
        return function(ctx, status, problem)
            ctx:text(("page %d %s"):format(status, tostring(problem)))
        end""",
    "plain.lua": "return function(ctx) ctx:proxy('UPSTREAM', { path = '/fields' }) end",
    "away.lua": """
        return function(ctx)
            local status = ctx:proxy("http://127.0.0.1:1")
            print("away gave " .. status)
        end""",
    "changed.lua": """
        local mt = require "moontrail"
        return function(ctx)
            local status = ctx:proxy("UPSTREAM", { path = "/fields", response = function(status, headers)
                assert(status == 200 and headers["x-one"] == "1")
                assert(headers["x-two"][1] == "a" and headers["x-two"][2] == "b")
                assert(headers["set-cookie"][1] == "c=1" and headers["content-length"] == "5")
                mt.sleep(0)
                assert(not pcall(ctx.write, ctx, "x"))
                headers["x-one"] = 2
                headers["x-drop"] = nil
                headers["x-two"][3] = "c"
                headers["x-new"] = { "n", "m" }
                headers["set-cookie"][2] = "d=2"
                return 201
            end })
            print("changed gave " .. status)
        end""",
    "kept.lua": """
        return function(ctx)
            ctx:proxy("UPSTREAM", { path = "/long", response = function() end })
        end""",
    "raises.lua": """
        return function(ctx)
            ctx:proxy("UPSTREAM", { path = "/fields", response = function() error("no") end })
        end""",
    "caught.lua": """
        return function(ctx)
            local ok, problem = pcall(ctx.proxy, ctx, "UPSTREAM", { path = "/fields",
                response = function() error({ text = "mine" }) end })
            ctx:text(tostring(ok) .. " " .. problem.text)
        end""",
    "wrong.lua": """
        return function(ctx)
            local function try(how)
                local ok, problem = pcall(ctx.proxy, ctx, "UPSTREAM", { path = "/fields", response = how })
                return (tostring(problem):gsub("^.-: ", ""))
            end
            local told = { try(7), try(function() return 99 end),
                try(function(_, headers) headers["content-length"] = "7" end),
                try(function(_, headers) headers["x y"] = "7" end),
                try(function(_, headers) headers["x-y"] = true end) }
            ctx:text(table.concat(told, "\\n"))
        end""",
    "waits.lua": """
        local mt = require "moontrail"
        return function(ctx)
            ctx:proxy("UPSTREAM", { path = "/fields", response = function()
                print("has the head")
                local ok, problem = pcall(mt.sleep, 600)
                print("ended: " .. tostring(problem))
                error(problem, 0)
            end })
        end""",
    "retried.lua": """
        return function(ctx)
            ctx:proxy("UPSTREAM", { path = "/flaky", retry = { statuses = { 503 }, attempts = 2 } })
        end""",
    "busy.lua": """
        return function(ctx)
            ctx:proxy("UPSTREAM", { path = "/busy", retry = { statuses = { 503 }, attempts = 3 } })
        end""",
    "pool.lua": "return function(ctx) ctx:proxy('upstream:both', { path = '/name' }) end",
    "based.lua": "return function(ctx) ctx:proxy('upstream:based', { path = '/path?x=1' }) end",
    "half.lua": "return function(ctx) ctx:proxy('upstream:half', { path = '/name' }) end",
    "none.lua": """
        return function(ctx)
            local ok, problem = pcall(ctx.proxy, ctx, "upstream:none")
            ctx:text(problem)
        end""",
}

CLIENTS = {"h2": lambda server: Client(server.https), "http1": lambda server: Http1(server.http)}


@pytest.fixture(scope="module")
def upstreams(tmp_path_factory):
    made = []
    for name in "ab":
        scripts = {path: text.replace("NAME", name) for path, text in INNER.items()}
        folder = write_scripts(tmp_path_factory.mktemp("inner"), scripts)
        made.append(Server(folder))
    yield made
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def server(upstreams, tmp_path_factory):
    a, b = (one.http for one in upstreams)
    scripts = {name: text.replace("UPSTREAM", a) for name, text in SCRIPTS.items()}
    made = Server(write_scripts(tmp_path_factory.mktemp("scripts"), scripts),
                  "--upstream-pool", f"both={a}", "--upstream-pool", f"both={b}",
                  "--upstream-pool", f"based={b}/base",
                  "--upstream-pool", "half=http://127.0.0.1:1", "--upstream-pool", f"half={b}")
    yield made
    made.stop()


@pytest.fixture(params=CLIENTS)
def client(request, server):
    with CLIENTS[request.param](server) as made:
        yield made


def test_where_there_is_no_response_the_page_is_written(client, server):
    response = client.fetch("/away?head=1")
    assert (response.status, response.text) == (502, "page 502 nil")
    assert (response.header("x-mine"), response.header("x-head")) == ("1", "502")
    server.wait_for("away gave 502")
    server.wait_for("/away left with 502")


def test_on_head_runs_for_what_another_server_answers(client):
    response = client.fetch("/plain?head=1")
    assert (response.status, response.text) == (200, "inner")
    assert (response.header("x-head"), response.header("x-one")) == ("200", "1")


def test_the_head_may_be_changed(client, server):
    response = client.fetch("/changed?head=1")
    assert (response.status, response.text) == (201, "inner")
    fields = [(name, value) for name, value in response.headers if name != "date"]
    assert {name: [v for n, v in fields if n == name] for name, _ in fields
            if name[:2] == "x-" or name == "set-cookie"} == {
        "x-mine": ["1"], "x-one": ["2"], "x-two": ["a", "b", "c"], "x-new": ["n", "m"],
        "set-cookie": ["c=1", "d=2"], "x-head": ["201"]}
    server.wait_for("changed gave 201")


def test_a_head_left_as_it_is_goes_on(client):
    response = client.fetch("/kept")
    assert len(response.body) == 200000


def test_what_response_raises_passes_through(client):
    response = client.fetch("/raises")
    assert response.status == 500
    assert response.text.startswith("page 500 ") and response.text.endswith(": no")
    assert response.header("x-one") is None
    response = client.fetch("/caught")
    assert (response.text, response.header("x-one")) == ("false mine", None)


def test_what_response_may_not_do(client):
    assert client.fetch("/wrong").text.split("\n") == [
        "response is a function, not a number",
        "response returns a final status, 200 to 599, or nothing",
        'header "content-length" is the server\'s to set',
        'header "x y" is not a valid field name',
        'header "x-y" has a boolean as its value, not a string or a list of them']


def test_a_client_that_leaves_while_response_waits(server):
    with Client(server.https) as client:
        stream = client.request("/waits")
        server.wait_for("has the head")
        client.reset(stream)
        server.wait_for("ended: .*request aborted")


def test_a_status_is_asked_again_for(client):
    assert client.fetch("/retried").text == "served "
    assert client.fetch("/retried", "PUT", body=b"text").text == "served text"


def test_a_status_is_not_asked_again_for_where_that_might_do_harm(client):
    response = client.fetch("/retried", "POST")
    assert (response.status, response.text) == (503, "busy")
    assert client.fetch("/retried", "POST").text == "served "


def test_the_last_attempt_is_the_response(client):
    response = client.fetch("/busy")
    assert (response.status, response.text) == (503, "busy")


def test_a_pool_takes_turns(client):
    assert {client.fetch("/pool").text for _ in range(2)} == {"a", "b"}


def test_a_pool_has_its_base(client):
    assert client.fetch("/based").text == "base b x=1"


def test_another_of_a_pool_is_asked_where_one_cannot_be_reached(client, server):
    assert [client.fetch("/half").text for _ in range(4)] == ["b"] * 4


def test_a_pool_that_there_is_not(client):
    assert 'there is no upstream pool "none"' in client.fetch("/none").text


def test_pools_in_a_file(tmp_path):
    folder = write_scripts(tmp_path / "scripts", {"index.lua": "return print"})
    (tmp_path / "server.lua").write_text("""return {
        upstreams = { api = { "http://127.0.0.1:9001", "http://127.0.0.1:9002" },
                      one = "http://127.0.0.1:9003" } }""")
    output = run("--config", tmp_path / "server.lua", "--check", folder).stdout
    for line in ("upstream:api  http://127.0.0.1:9001", "upstream:api  http://127.0.0.1:9002",
                 "upstream:one  http://127.0.0.1:9003"):
        assert line in output


@pytest.mark.parametrize("pool", ["http://127.0.0.1:1", "=http://127.0.0.1:1", "a=ftp://x", "a="])
def test_a_pool_that_is_none(tmp_path, pool):
    folder = write_scripts(tmp_path / "scripts", {"index.lua": "return print"})
    assert run("--upstream-pool", pool, "--check", folder).returncode != 0
