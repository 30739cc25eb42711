"""The rest of the world: what require finds, the log, time, and Lua's own library."""
import os
import re
import signal

import pytest

from handlers import RUN, run_lua
from server import run, write_scripts

SCRIPTS = {
    "index.lua": RUN,
    "cjson/index.lua": "return function(ctx) ctx:text('a route') end",
    "lpeg.lua": "return function(ctx) ctx:text('a route') end",
    "string.lua": "return function(ctx) ctx:text('a route') end",
    "moontrail.lua": "return function(ctx) ctx:text('a route') end",
    "_state.lua": "return { count = 0 }",
}


# require.

def test_beside_the_scripts_comes_before_the_system(client):
    assert run_lua(client, "return type(require 'lpeg'), type(require 'cjson')").text == (
        "function|table")


def test_luas_own_and_the_bundled_modules_are_hidden_by_no_file(client):
    assert run_lua(client, """
        return require("string") == string, require("moontrail") == mt,
            type(require("moontrail.json").encode), type(require("moontrail.zlib").compress)
        """).text == "true|true|function|function"


def test_a_module_that_there_is_not_names_where_it_was_looked_for(client):
    text = run_lua(client, "return select(2, pcall(require, '_none'))").text
    assert text.startswith("module '_none' not found:\n\tno field package.preload['_none']\n")
    assert re.search(r"\n\tno file '/.*/_none\.lua'\n\tno file '/.*/_none/init\.lua'\n", text)


def test_state_of_a_module_and_globals_are_shared_by_requests(client):
    for count in (1, 2):
        assert run_lua(client, """
            local state = require "_state"
            state.count, global = state.count + 1, (global or 0) + 1
            return state.count, global""").text == f"{count}|{count}"


@pytest.fixture
def bytecode(client):
    return run_lua(client, "ctx:write(string.dump(load('return {}')))").body


def test_a_module_is_never_bytecode(client, tmp_path, bytecode):
    assert bytecode.startswith(b"\x1bLua")
    write_scripts(tmp_path, {"index.lua": "return require '_compiled'", "_compiled.lua": bytecode})
    done = run("--check", tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path}/_compiled.lua" in done.stderr
    assert "attempt to load a binary chunk (mode is 't')" in done.stderr


@pytest.mark.parametrize("text, problem", [
    ("return function(ctx", "/index.lua:1: "), ("\n\nerror('at load')", "/index.lua:3: at load"),
    ("return nil", "/index.lua:1: returns a nil, not a handler"),
    ("return print, print", "/index.lua:1: returns two handlers: a script has one"),
    ("return {\n}", "/index.lua:2: returns an empty table"),
    ("return { GET = 1 }", "/index.lua:1: has a number for the method GET"),
    ("return { 'x' }", "/index.lua:1: returns a table with a number as a key"),
    ("require('moontrail').sleep(0)", "cannot wait while a script loads")])
def test_a_script_that_does_not_load(tmp_path, text, problem):
    done = run("--check", write_scripts(tmp_path, {"index.lua": text}))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and problem in done.stderr


# The log.

def test_levels_and_fields(server, client):
    run_lua(client, r"""
        for _, level in ipairs { "debug", "info", "warn", "error" } do
            mt.log[level]("told " .. level, { text = "two words", line = "a\nb", count = 1 << 62,
                ratio = 0.5, yes = true, list = {} })
        end
        mt.log.info("in order", { c = 3, b = "2", d = 4.5, a = true })
        mt.log.info("bare")
        mt.log.info("bare\nforged")""")
    for level in ("debug", "info", "warn", "error"):
        fields = server.wait_for(rf" {level} told {level} (.*)")[1]
        assert set(re.findall(r'(?:text|line)="[^"]*"', fields)) == {
            'text="two words"', r'line="a\nb"'}
        assert f"count={1 << 62} " in fields + " " and "ratio=0.5" in fields
        assert "yes=true" in fields and re.search(r'list="table: 0x', fields)
    server.wait_for(" info in order a=true b=2 c=3 d=4.5$")
    server.wait_for(" info bare$")
    server.wait_for(r" info bare\\nforged$")


def test_more_fields_than_a_line_has_are_left_out(server, client):
    run_lua(client, """
        local fields = {}
        for i = 1, 40 do fields["f" .. i] = i end
        mt.log.info("many", fields)""")
    assert len(re.findall(r"f\d+=", server.wait_for(" many .*").group())) == 32


def test_arguments_of_the_log_are_checked_at_each_level(start, connect):
    client = connect(start({"index.lua": RUN}, "--log-level", "info").https)
    assert run_lua(client, "return pcall(mt.log.debug, 'x', 5)").text.startswith("false|")


# Time and version.

def test_now_and_sleep(client):
    began, slept = map(float, run_lua(client, """
        local began = mt.now()
        mt.sleep(0.05)
        return began, mt.now() - began""").text.split("|"))
    assert began > 1.6e9
    assert 0.04 <= slept < 30


def test_version(client):
    assert run("--version").stdout.split()[-1] == run_lua(client, "return mt.version").text


# Lua's own.

@pytest.mark.parametrize("code", ["os.exit()", "os.exit(true, true)", "os.exit(3)"])
def test_exit_raises(client, code):
    assert run_lua(client, f"return pcall(function() {code} end)").text.startswith(
        "false|run:1: os.exit would end the server")


def test_what_could_break_the_runtime_is_absent(client):
    assert run_lua(client, "return debug.sethook, debug.getregistry").text == "nil|nil"


def test_blocking_calls_are_allowed(client):
    assert run_lua(client, """
        local pipe <close> = io.popen("echo spoken")
        return pipe:read("l"), os.execute("true"), os.getenv("PATH") ~= nil
        """).text.startswith("spoken|true")


# Which worker it is.

WORKER = """
    local mt = require "moontrail"
    mt.log.info("here", mt.worker)
    return function(ctx) ctx:text(mt.worker.id) end"""


def ids_told(server, since=0):
    return sorted(line.split("count=")[1] for line in server.log[since:] if " here count=" in line)


def test_each_worker_knows_which_it_is(start):
    server = start({"index.lua": WORKER}, "-w", "3")
    server.wait_until(lambda: len(server.workers) == 3)
    assert {f"3 id={number}" for number in range(3)} <= set(ids_told(server))


def test_a_worker_that_takes_the_place_of_one_that_died_has_its_id(start, connect):
    server = start({"index.lua": WORKER}, "-w", "2")
    told = len(server.log)
    os.kill(server.workers[1], signal.SIGKILL)
    server.wait_for("worker started", since=told)
    assert ids_told(server, told) == ["2 id=1"]
