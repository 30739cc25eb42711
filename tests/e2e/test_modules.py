"""Modules: those beside the scripts, the system's, and what the server changes of Lua's own."""
import json

import pytest

from server import run, write_scripts

SCRIPTS = {
    "_greet.lua": "return function(name) return 'hello ' .. name end",
    "_words/init.lua": "return { name = ..., parting = 'goodbye' }",
    "_lib/deep/er.lua": "return { name = ..., file = select(2, ...) }",
    "_late.lua": "\nlocal x =\n",
    "own.lua": """
        local greet, words, er = require "_greet", require "_words", require "_lib.deep.er"
        return function(ctx)
            assert(require "_greet" == greet)
            ctx:json({ greet("you"), words.name, words.parting, er.name, er.file })
        end""",
    "below/own.lua": """
        return function(ctx) ctx:text(require("_greet")("below")) end""",
    "late.lua": """
        return function(ctx) require "_late" end""",
    "json.lua": """
        local cjson = require "cjson"
        return function(ctx)
            local value = cjson.decode(ctx:body())
            value.list[#value.list + 1] = cjson.null
            ctx:text(cjson.encode(value))
        end""",
    "json_raises.lua": """
        local cjson = require "cjson.safe"
        return function(ctx)
            assert(not pcall(require("cjson").decode, "{"))
            ctx:text(select(2, cjson.decode("{")))
        end""",
    "sum.lua": """
        local lpeg, re = require "lpeg", require "re"
        local number = lpeg.C(lpeg.R("09") ^ 1) / tonumber
        local sum = lpeg.Cf(number * ("+" * number) ^ 0, function(a, b) return a + b end)
        return function(ctx)
            local text = ctx:body()
            ctx:text(sum:match(text) .. " " .. #re.match(text, "{| ({[0-9]+} '+'?)+ |}"))
        end""",
    "waits.lua": """
        local lpeg, mt = require "lpeg", require "moontrail"
        local waits = lpeg.P(1) / function() mt.sleep(0) end
        return function(ctx) ctx:text(select(2, pcall(waits.match, waits, "x"))) end""",
    "exit.lua": """
        return function(ctx)
            local ok, problem = pcall(os.exit, 0)
            ctx:text(tostring(ok) .. " " .. problem)
        end""",
    "exits.lua": """
        return function(ctx) os.exit(true, true) end""",
    "print.lua": """
        return function(ctx)
            print("one", 2, 2.5, nil, setmetatable({}, { __tostring = function() return "me" end }))
            print()
        end""",
    "dump.lua": """
        return function(ctx)
            ctx:write(string.dump(load("return function(ctx) ctx:text('never') end")))
        end""",
}


# Beside the scripts.

def test_modules_beside_the_scripts(client):
    greeting, *others, file = json.loads(client.fetch("/own").text)
    assert greeting == "hello you"
    assert others == ["_words", "goodbye", "_lib.deep.er"]
    assert file.endswith("/_lib/deep/er.lua")


def test_a_script_in_a_folder_finds_them_too(client):
    assert client.fetch("/below/own").text == "hello below"


def test_no_module_is_a_route(client):
    for path in ("/_greet", "/_words", "/_lib/deep/er"):
        assert client.fetch(path).status == 404


@pytest.mark.parametrize("module, line, problem", [
    ("local x = 1\n\nlocal y =\n", 4, "unexpected symbol near <eof>"),
    ("\nerror 'no luck'", 2, "no luck"),
    ("local x\nreturn x.y", 2, "local 'x'")], ids=["syntax", "raises", "nil"])
def test_a_broken_module_is_a_load_error(tmp_path, module, line, problem):
    write_scripts(tmp_path, {"index.lua": "return require '_lib.broken'",
                             "_lib/broken.lua": module})
    done = run("--check", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and str(tmp_path / "index.lua") in done.stderr
    assert f"/_lib/broken.lua:{line}: " in done.stderr  # Lua cuts the front off a long path
    assert problem in done.stderr


def test_a_module_broken_at_a_request_is_told_in_the_log(server, client):
    assert client.fetch("/late").status == 500
    server.wait_for(r"handler failed .*/_late\.lua:\d: unexpected symbol")


# The system's.

def test_cjson(client):
    response = client.fetch("/json", "POST", body=b'{"list":[1,2.5,"three"]}')
    assert (response.status, response.text) == (200, '{"list":[1,2.5,"three",null]}')


def test_cjson_raises_into_the_script(client):
    response = client.fetch("/json_raises")
    assert response.status == 200
    assert "character 2" in response.text


def test_lpeg(client):
    response = client.fetch("/sum", "POST", body=b"1+20+300")
    assert (response.status, response.text) == (200, "321 3")


def test_a_wait_in_a_callback_of_lpeg_raises(client):
    response = client.fetch("/waits")
    assert response.status == 200
    assert "wait" in response.text


# What the server changes of Lua's own.

def test_exit_raises(client):
    assert client.fetch("/exit").text.startswith("false os.exit would end the server")
    assert client.fetch("/exits").status == 500
    assert client.fetch("/exit").status == 200  # the server goes on


def test_print_writes_to_the_log(server, client):
    assert client.fetch("/print").status == 200
    server.wait_for(r'info +print text="one\\t2\\t2\.5\\tnil\\tme"')
    server.wait_for(r'info +print text=""')


def test_a_bytecode_script_is_refused(client, tmp_path):
    file = tmp_path / "compiled.lua"
    file.write_bytes(client.fetch("/dump").body)
    assert file.read_bytes().startswith(b"\x1bLua")
    done = run("--check", file)
    assert done.returncode == 1
    assert str(file) in done.stderr and "binary chunk" in done.stderr
