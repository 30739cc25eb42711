"""The examples in the documents: each gives what is printed behind it."""
import re
import subprocess

import pytest
from h2.errors import ErrorCodes

from server import ROOT

EXAMPLE = re.compile(r"```lua\n(.*?)```\n```text\n(.*?)```", re.S)
REQUEST = re.compile(r"-- (\w+) (\S+) ?(.*)")


def examples():
    return [pytest.param(code, wanted, id=f"{document}-{at}")
            for document in ("api", "protobuf")
            for at, (code, wanted) in enumerate(
                EXAMPLE.findall((ROOT / f"docs/{document}.md").read_text()))]


def transcript(response, wanted):
    """What the client got, in the form of the documents: of the headers, those that they name."""
    lines = []
    if response.headers:
        lines += [str(response.status)]
        lines += [f"{name}: {value}" for name, value in sorted(response.headers)
                  if f"\n{name}: " in wanted]
    if response.body:
        lines += ["", response.text.rstrip("\n")]
    if response.trailers:
        lines += ["", *(f"{name}: {value}" for name, value in response.trailers)]
    if response.reset is not None:
        lines += [f"reset: {ErrorCodes(response.reset).name}"]
    return "\n".join(lines)


@pytest.mark.parametrize("code, wanted", examples())
def test_example_gives_what_is_printed(code, wanted, start, connect, tmp_path):
    method, target, body = REQUEST.match(code).groups()
    script = tmp_path / "example.lua"
    script.write_text(code)
    response = connect(start(script).https).fetch(target, method, body=body.encode())
    assert transcript(response, "\n" + wanted) == wanted.rstrip("\n")


def test_grpc_service_of_the_document_answers_curl(start, tmp_path):
    text = (ROOT / "docs/grpc.md").read_text()
    files = dict(re.findall(r"```(?:proto|lua)\n(?://|--) (\S+)\n(.*?)```", text, re.S))
    server = start(files)
    command = re.search(r"^    \{ printf.*?\n\n", text, re.S | re.M)[0]
    command = command.replace("http://127.0.0.1:8080", server.http)
    output = subprocess.check_output(["sh", "-c", command], cwd=tmp_path / "scripts", timeout=30)
    assert output == b'message: "Hello moon"\n'


def test_readme_handler_sends_its_trailer(start, connect, tmp_path):
    script = tmp_path / "readme.lua"
    script.write_text(re.search(r"```lua\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1])
    response = connect(start(script).https).fetch("/")
    assert (response.status, response.text) == (200, "Hello world\n")
    assert response.trailers == [("trailername", "TrailerValue")]
