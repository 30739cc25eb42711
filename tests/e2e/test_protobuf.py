"""The message codec: Lua scripts that check themselves as they load, and the module in a server."""
import shutil
import subprocess
from pathlib import Path

import pytest

from server import FAULT, PROGRAM, ROOT, run

CHECKS = sorted((ROOT / "tests/protobuf").glob("[!_]*.lua"))

SCRIPTS = {
    "echo.lua": """
        local pb = require "moontrail.protobuf"
        local Note = pb.parse([[
            syntax = "proto3";
            message Note { string text = 1; repeated Note replies = 2; }]], "note.proto"):message("Note")

        return function(ctx)
            local ok, note = pcall(Note.decode, Note, ctx:body())
            ctx:status(ok and 200 or 400)
            ctx:text(ok and Note:encode({ text = note.text:upper(), replies = { note } }) or note)
        end""",
}


@pytest.mark.parametrize("script", CHECKS, ids=lambda script: script.stem)
def test_script_finds_nothing_wrong(script):
    done = run("--check", script, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not FAULT.search(done.stderr), done.stderr


@pytest.mark.parametrize("script", [
    "_linear.lua", "_linear_json.lua", "_linear_grpc.lua", "_linear_modules.lua"])
def test_no_message_costs_more_for_a_byte_than_a_small_one(script):
    """With the program that is installed: what a sanitizer adds is no cost of ours."""
    done = run("--load-timeout", "0", "--check", ROOT / "tests/protobuf" / script,
               program=ROOT / "build/moontrail", timeout=600)
    assert done.returncode == 0, done.stderr


def test_a_handler_reads_and_writes_messages(client):
    for size in (0, 5, 100, 5000):
        text = b"x" * size
        varint = bytes((size % 128 | 128, size // 128)) if size > 127 else bytes((size,))
        note = b"\x0a" + varint + text
        response = client.fetch("/echo", "POST", body=note)
        assert response.status == 200
        assert response.body.startswith((b"\x0a" + varint + text.upper()) if size else b"\x12")
        assert response.body.endswith(text)


def test_a_broken_message_is_the_handlers_to_answer(client):
    response = client.fetch("/echo", "POST", body=b"\x0a\x05text")
    assert (response.status, response.text) == (400, "Note.text: truncated or malformed message")


def test_the_module_is_found_where_it_is_installed(tmp_path):
    module = Path(PROGRAM).parent / "lib/moontrail/protobuf.so"
    program = tmp_path / "bin/moontrail"
    for source, target in ((PROGRAM, program), (module, tmp_path / "lib/moontrail/protobuf.so")):
        target.parent.mkdir(parents=True)
        shutil.copy(source, target)
    script = tmp_path / "where.lua"
    script.write_text("require 'moontrail.protobuf'\n"
                      "error(package.searchpath('moontrail.protobuf', package.cpath), 0)")
    done = subprocess.run([program, "--check", script], capture_output=True, text=True, timeout=60)
    assert done.stderr.endswith("/bin/../lib/moontrail/protobuf.so\n")
