"""What --dev tells: pages of errors, and the terminal."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from server import ANY_PORT, PATIENCE, PROGRAM, READY, run, write_scripts

BROKEN = 'return function(ctx)\n    ctx:text("<x>" end\n'
SCRIPTS = {
    "index.lua": 'return function(ctx) ctx:text("index") end',
    "post.lua": 'return { POST = function(ctx) ctx:text("posted") end }',
    "boom.lua": "return function(ctx)\n    local y = ctx.nothing.here\nend\n",
}
PAGE = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("sec-fetch-dest", "document")]


# The pages.

def break_script(server, tmp_path, client, name):
    (tmp_path / "scripts" / name).write_text(BROKEN)
    server.wait_until(lambda: client.fetch("/").header("moontrail-fault"))


@pytest.mark.parametrize("scripts", [
    {"index.lua": BROKEN}, {**SCRIPTS, "new.lua": BROKEN},
    {"index.lua": "while true do end"}, {"index.lua": "local none = require '_none'"}],
    ids=["alone", "among others", "endless", "module"])
def test_a_first_start_shows_why_and_waits_for_the_cure(start, connect, tmp_path, scripts):
    server = start(scripts, "--dev", "--load-timeout", "0.5")
    server.wait_for("error scripts not loaded reason=")
    client = connect(server.https)
    got = client.fetch("/", headers=PAGE)
    assert got.status == 503 and ".lua" in got.header("moontrail-fault")
    assert "text/html" in got.header("content-type")
    for name in scripts:
        (tmp_path / "scripts" / name).write_text('return function(ctx) ctx:text("cured") end')
    server.wait_until(lambda: client.fetch("/").text == "cured")
    assert not client.fetch("/").header("moontrail-fault")


@pytest.mark.parametrize("options", [("--dev", "--upstream", "/=nonsense"), ("--watch",)])
def test_a_first_start_that_fails_otherwise_ends(tmp_path, options):
    scripts = write_scripts(tmp_path / "scripts", {"index.lua": BROKEN})
    done = run(*options, "-l", "http://127.0.0.1:0", scripts)
    assert done.returncode != 0 and done.stderr.startswith("moontrail: "), done.stderr


def test_a_first_start_without_any_script_ends(tmp_path):
    for folder in tmp_path / "nowhere", tmp_path:
        done = run("--dev", "-l", "http://127.0.0.1:0", folder)
        assert done.returncode != 0 and done.stderr.startswith("moontrail: "), done.stderr


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/new", 404), ("GET", "/none", 404), ("GET", "/post", 405), ("GET", "/boom", 500)])
def test_each_page_of_an_error_shows_why_scripts_do_not_load(start, connect, tmp_path, method, path, status):
    server = start(SCRIPTS, "--dev")
    client = connect(server.https)
    break_script(server, tmp_path, client, "new.lua")
    plain = client.fetch(path, method)
    assert plain.status == status
    assert plain.header("content-type") == "text/plain; charset=utf-8"
    assert re.search(r"/new\.lua:\d: .*expected", plain.text)
    assert re.search(r'-> +2 \|     ctx:text\("<x>" end\n', plain.text)
    page = client.fetch(path, method, headers=PAGE)
    assert page.status == status and page.header("content-type") == "text/html; charset=utf-8"
    assert "&lt;x&gt;" in page.text and "<x>" not in page.text
    assert client.fetch(path, method, headers=[("accept", "text/html")]).text == page.text


def test_the_page_of_the_broken_script_shows_it(start, connect, tmp_path):
    server = start(SCRIPTS, "--dev")
    client = connect(server.https)
    break_script(server, tmp_path, client, "index.lua")
    assert client.fetch("/").text == "index"
    page = client.fetch("/", headers=PAGE)
    assert page.status == 500 and "do not load" in page.text
    assert client.fetch("/post", "POST", headers=PAGE).text == "posted"


def test_without_dev_no_page_shows_it(start, connect, tmp_path):
    server = start(SCRIPTS, "--watch")
    client = connect(server.https)
    (tmp_path / "scripts" / "new.lua").write_text(BROKEN)
    server.wait_for("scripts not loaded")
    for path, text in (("/new", "Not Found\n"), ("/boom", "Internal Server Error\n")):
        response = client.fetch(path, headers=PAGE)
        assert response.text == text and response.header("moontrail-fault") is None


def test_an_error_of_a_page_is_html(start, connect):
    page = connect(start(SCRIPTS, "--dev").https).fetch("/boom", headers=PAGE)
    assert page.header("content-type") == "text/html; charset=utf-8"
    assert "stack traceback" in page.text and "do not load" not in page.text


# What an error's line names.

FAILING = {
    "fail.lua": 'return function(ctx) error("broken") end',
    "close.lua": """
        return function(ctx)
            local x <close> = setmetatable({}, { __close = function() error("closing") end })
            error("broken")
        end""",
    "task.lua": """
        local mt = require "moontrail"
        return function(ctx)
            mt.spawn(function() error("alone") end)
            mt.sleep(0.05)
            ctx:text("done")
        end""",
    "short.lua": 'return function(ctx) ctx:header("content-length", 10) ctx:write("abc") end',
    "left.lua": 'return function(ctx) ctx:on_abort(function() error("told") end) ctx:read() end',
}


@pytest.mark.parametrize("event, path", [
    ("handler failed", "/fail"), ("close failed", "/close"), ("task failed", "/task"),
    ("handler failed", "/short"), ("handler stopped", "/left"), ("on_abort failed", "/left")])
@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_names_its_request(start, connect, event, path, form):
    server = start(FAILING, "--log-format", form)
    client = connect(server.https)
    if path == "/left":
        stream = client.request(path + "?secret=1", "POST", end=False)
        server.wait_until(lambda: client.fetch("/none").status == 404)
        client.reset(stream)
    else:
        client.fetch(path + "?secret=1", "POST")
    if form == "text":
        server.wait_for(rf"{event} .* method=POST path={path} script=\S*{path}\.lua$")
    else:
        server.wait_for(f'"event":"{event}"')
        line = next(json.loads(line) for line in server.log if f'"event":"{event}"' in line)
        assert (line["method"], line["path"]) == ("POST", path)
        assert line["script"].endswith(path + ".lua")
    assert not server.find("secret")


def test_a_body_that_is_too_short_is_told_on_the_page(start, connect):
    page = connect(start(FAILING, "--dev").https).fetch("/short")
    assert page.status == 500
    assert re.search("/short.lua: /short: less is written than content-length says: 3 of 10 bytes",
                     page.text)


# The terminal.

class Terminal:
    """A server whose stderr is a terminal."""

    def __init__(self, folder, *options):
        self.text = ""
        self.fd, other = pty.openpty()
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [PROGRAM, "-l", ANY_PORT[1], "-w", "1", *options, str(folder)],
            stdin=subprocess.DEVNULL, stderr=other)
        os.close(other)
        self.url = self.wait_for(READY.pattern)[1]

    def wait_for(self, pattern):
        end = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.text)):
            assert select.select([self.fd], [], [], max(end - time.monotonic(), 0))[0], self.text
            self.text += os.read(self.fd, 65536).decode().replace("\r\n", "\n")
        return match

    def stop(self):
        """Reads what is left, since a terminal that nobody reads holds up who writes."""
        self.process.send_signal(signal.SIGTERM)
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        os.close(self.fd)
        assert self.process.wait(PATIENCE) == 0


@pytest.fixture
def terminal(tmp_path):
    started = []

    def start_one(scripts, *options):
        started.append(Terminal(write_scripts(tmp_path, scripts), *options))
        return started[-1]

    yield start_one
    for one in started:
        one.stop()


def test_on_a_terminal_a_traceback_has_lines_of_its_own(terminal, connect):
    server = terminal(SCRIPTS, "--dev")
    connect(server.url).fetch("/boom")
    server.wait_for(r"handler failed .* error=.* method=GET path=/boom script=\S+/boom.lua\n"
                    r" +1 \| return function\(ctx\)\n"
                    r" +-> +2 \|     local y = ctx.nothing.here\n"
                    r" +3 \| end\n"
                    r" +stack traceback:\n"
                    r" +\S+/boom.lua:2: in function ")


@pytest.mark.parametrize("options", [(), ("--dev", "--log-format", "json")])
def test_elsewhere_an_event_is_one_line(terminal, connect, options):
    server = terminal(SCRIPTS, *options)
    connect(server.url).fetch("/boom")
    server.wait_for(r"handler failed.*stack traceback:\\n.*/boom.lua")


# Mistakes that look like success.

MT = 'local mt = require "moontrail" '
LOST = [
    'return { status = 201, body = "made" }', 'return "hello"', "return 404", "return print",
    'ctx:status(201) return { id = 1 }', 'ctx:header("x-a", "b") return "hello"',
    'ctx:redirect("/") return "moved"', 'ctx:write("<p>") return "</p>"', 'return nil, "not found"',
    'mt.sleep(0.01) return "late"',
]
EMPTY = ["", "return", "return nil", "return true", "local x = ctx:body()", "mt.sleep(0.01)"]
FINE = [
    "return ctx:json { 1 }", 'return ctx:text("x")', 'ctx:text("x") return ctx', "return ctx:status(200)",
    'return ctx:header("x-a", "b")', "ctx:finish()", "return ctx:reset()", 'ctx:text("x") return 5',
    'ctx:text("x") return true', 'ctx:redirect("/")', "ctx:flush()", 'ctx:append_trailer("x-a", "b")',
    'ctx:set_cookie("a", "b")',
]


def handler(code):
    return f"{MT} return function(ctx) {code} end"


def mistakes(server, script):
    """What was told of a script: events, once its requests are over."""
    pattern = rf"warn (return value lost|response empty|global assigned) .*script=\S*/{script}\.lua"
    return [re.search(pattern, line)[1] for line in server.lines(pattern)]


@pytest.mark.parametrize("codes, told", [
    (LOST, ["return value lost"]), (EMPTY, ["response empty"]), (FINE, [])])
def test_what_a_handler_does_in_vain_is_told_once(start, connect, codes, told):
    server = start({f"s{i}.lua": handler(code) for i, code in enumerate(codes)}
                   | {"end.lua": handler('ctx:text("end") print("end")')}, "--dev")
    client = connect(server.https)
    for i in range(len(codes)):
        for _ in range(3):
            client.response(client.request(f"/s{i}"))
    client.fetch("/end")
    server.wait_for("print text=end")
    for i, code in enumerate(codes):
        assert (code, mistakes(server, f"s{i}")) == (code, told)
    for line in server.lines("return value lost"):
        assert "ctx:text or ctx:json?" in line and "method=GET path=/s" in line


def test_methods_of_a_table_are_looked_at_too(start, connect):
    server = start({"a.lua": """return {
        GET = function(ctx) return "lost" end,
        HEAD = function(ctx) end,
        POST = function(ctx) end,
    }"""}, "--dev")
    client = connect(server.https)
    for method in ("HEAD", "GET", "POST", "POST"):
        assert client.fetch("/a", method).status == 200
    server.wait_for("response empty")
    assert mistakes(server, "a") == ["return value lost", "response empty"]


def test_another_generation_is_told_anew(start, connect, tmp_path):
    server = start({"a.lua": handler("return 'one'")}, "--dev")
    client = connect(server.https)
    client.fetch("/a")
    (tmp_path / "scripts/a.lua").write_text(handler("return 'two'"))

    def again():
        client.fetch("/a")
        return len(mistakes(server, "a")) == 2

    server.wait_until(again)


@pytest.mark.parametrize("code, name", [
    ("count = (count or 0) + 1 ctx:text(count)", "count"),
    ("_G['a b'] = 1 ctx:text('x')", '"a b"'),
    ("mt.spawn(function() inner = 1 end):join() ctx:text('x')", "inner")])
def test_a_global_that_a_request_makes_is_told_once(start, connect, code, name):
    server = start({"a.lua": f"known = 1 {handler(code)}", "b.lua": handler("known = 2 ctx:text(known)")},
                   "--dev")
    client = connect(server.https)
    for path in ("/b", "/a", "/a", "/b"):
        assert client.fetch(path).status == 200
    server.wait_for(rf"global assigned .*name={name} where=\S*/a.lua:1: ")
    assert mistakes(server, "a") == ["global assigned"] and mistakes(server, "b") == []


def test_without_dev_nothing_is_told(start, connect):
    server = start({"a.lua": handler("made = 1 return 'lost'"), "b.lua": handler("")})
    client = connect(server.https)
    for path in ("/a", "/b"):
        assert client.fetch(path).text == ""
    assert not server.lines(" warn ")


# Methods that no client sends.

METHODS = """
    local function f(ctx) ctx:text("x") end
    return { GET = f, get = f, Post = f, DELET = f, PTACH = f, ANY = f, ["*"] = f, PURGE = f, SET = f,
             PROPFIND = f }"""
DOUBTFUL = {"get": "GET", "Post": "POST", "DELET": "DELETE", "PTACH": "PATCH", "ANY": None}


@pytest.mark.parametrize("scripts", [
    {"a.lua": METHODS},
    {"a.lua": "return setmetatable({}, { __routes = function() return { ['/x'] = (function() "
              + METHODS + " end)() } end })"}])
def test_methods_that_no_client_sends_are_told_when_scripts_load(start, tmp_path, scripts):
    server = start(scripts, "-w", "2")
    check = subprocess.run([PROGRAM, "--check", tmp_path / "scripts"], capture_output=True, text=True,
                           timeout=PATIENCE, check=True)
    for lines in (server.lines("method unknown"),
                  [line for line in check.stderr.splitlines() if "method unknown" in line]):
        told = {re.search(r"method=(\S+)", line)[1]: line for line in lines}
        assert len(lines) == len(DOUBTFUL) and told.keys() == DOUBTFUL.keys()
        for method, nearest in DOUBTFUL.items():
            assert "/a.lua:" in told[method]
            assert f" nearest={nearest}" in told[method] if nearest else "answers every" in told[method]


# A line for each request.

SERVED = {
    "a.lua": 'return { GET = function(ctx) ctx:text("hello") end }',
    "gone.lua": 'return function(ctx) ctx:reset("INTERNAL_ERROR") end',
    "call.lua": """return function(ctx)
        ctx:header("content-type", "application/grpc") ctx:append_trailer("grpc-status", "5")
    end""",
}


@pytest.mark.parametrize("form", ["text", "json"])
def test_each_request_has_a_line(start, connect, http1, form):
    server = start(SERVED, "--dev", "--log-format", form)
    client = connect(server.https)
    for path, method in (("/a?secret=1", "GET"), ("/none", "GET"), ("/a", "POST"), ("/gone", "GET")):
        client.response(client.request(path, method))
    client.fetch("/call", "POST", headers=[("content-type", "application/grpc"), ("te", "trailers")])
    pattern = '"event":"request"' if form == "json" else " info request "
    server.wait_until(lambda: len(server.lines(pattern)) == 5)
    told = [fields_of(line, form) for line in server.lines(pattern)]
    assert [(one["method"], one["path"], one.get("status"), one["bytes"], one.get("reset"),
             one.get("grpc_status")) for one in told] == [
        ("GET", "/a", "200", "5", None, None), ("GET", "/none", "404", "10", None, None),
        ("POST", "/a", "405", "19", None, None), ("GET", "/gone", None, "0", "INTERNAL_ERROR", None),
        ("POST", "/call", "200", "0", None, "5")]
    assert re.search("/a.lua$", told[0]["script"]) and "script" not in told[1]
    assert all(re.fullmatch(r"\d+(\.\d+)?(e-\d+)?", one["duration"]) for one in told)
    assert not server.find("secret")


def fields_of(line, form):
    if form == "json":
        return {key: str(value) for key, value in json.loads(line).items()}
    return dict(re.findall(r"(\S+)=(\S+)", line))


@pytest.mark.parametrize("options, lines", [
    ((), 0), (("--dev", "--access-log", "-"), 0), (("--dev", "--access-log", "/dev/null"), 1)])
def test_the_line_is_left_out_without_dev_and_beside_an_access_log(start, connect, options, lines):
    server = start(SERVED, *options, stdout=subprocess.DEVNULL)
    connect(server.https).fetch("/a")
    server.stop()
    assert len(server.lines(" info request ")) == lines
