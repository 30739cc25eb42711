"""The message codec: Lua scripts that check themselves as they load."""
import pytest

from server import FAULT, ROOT, run

SCRIPTS = sorted((ROOT / "tests/protobuf").glob("[!_]*.lua"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script_finds_nothing_wrong(script):
    done = run("--check", script, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not FAULT.search(done.stderr), done.stderr
