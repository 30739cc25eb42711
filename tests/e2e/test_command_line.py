"""The command line: what it prints, and how it ends where it cannot serve."""
import socket
import subprocess

import pytest

from server import PATIENCE, PROGRAM, ROOT, run, write_scripts

HANDLER = "return function(ctx) ctx:text('hello') end"


def check_refusal(done, status, *parts):
    """One line on stderr, with all of the parts."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("moontrail: ") and done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.fixture
def folder(tmp_path):
    """Writes scripts, and gives their folder."""
    return lambda scripts: write_scripts(tmp_path, scripts)


def test_help():
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: moontrail [options] [FILE.lua | DIR]\n")
    for option in ("--listen URL", "--cert FILE", "--key FILE", "--dev", "--check", "--log-level",
                   "--log-format", "--grace SECONDS", "--version", "--help"):
        assert option in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_version():
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    name, version = done.stdout.split()
    assert name == "moontrail" and version[0].isdigit()


# Usage: exit status 2.

@pytest.mark.parametrize("args, parts", [
    (["--frobnicate"], ['"--frobnicate"', "unknown"]),
    (["-z"], ['"-z"', "unknown"]),
    (["--check=yes"], ['"--check=yes"', "no argument"]),
    (["--listen"], ['"--listen"', "lacks its argument"]),
    (["-l"], ['"-l"', "lacks its argument"]),
    (["scripts", "--nope"], ['"--nope"', "is unknown"]),
    (["scripts", "more", "-w", "2", "--nope", "x"], ['"--nope"', "is unknown"]),
    (["scripts", "-x"], ['"-x"', "is unknown"]),
    (["scripts", "--listen"], ['"--listen"', "lacks its argument"]),
    (["scripts", "-l"], ['"-l"', "lacks its argument"]),
    (["scripts", "--chek"], ['"--chek"', "the nearest is --check"]),
    (["scripts", "--dev=1"], ['"--dev=1"', "takes no argument"]),
    (["--cert", "a.pem"], ["pairs"]),
    (["--log-level", "loud"], ["--log-level", "debug, info, warn, error", '"loud"']),
    (["--log-format", "xml"], ["--log-format", "one of text, json", '"xml"']),
    (["--grace", "-1"], ["--grace", '"-1"']),
    (["--grace", "soon"], ["--grace", '"soon"']),
    (["one", "two"], ['"two"'])])
def test_usage(args, parts):
    check_refusal(run(*args), 2, *parts)


@pytest.mark.parametrize("url, problem", [
    ("ftp://127.0.0.1:1", "the scheme is http or https"), ("127.0.0.1:1", "has no scheme"),
    ("https://127.0.0.1", "has no port"), ("https://127.0.0.1:", "port that is no number"),
    ("https://127.0.0.1:99999", "port that is no number"), ("https://:1", "has no host"),
    ("http://127.0.0.1:one", "port that is no number"), ("http://::1:80", "without brackets")])
def test_a_bad_listen_address(folder, url, problem):
    done = run("-l", url, folder({"index.lua": HANDLER}))
    check_refusal(done, 2, f'"{url}"', problem, "https://HOST:PORT")


# What the machine refuses: exit status 1.

@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_busy_port(folder, scheme):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("-l", f"{scheme}://127.0.0.1:{port}", folder({"index.lua": HANDLER}))
    check_refusal(done, 1, f"127.0.0.1:{port}", "Address already in use", "--listen")


def test_an_address_of_another_machine(folder):
    done = run("-l", "http://192.0.2.1:0", folder({"index.lua": HANDLER}))
    check_refusal(done, 1, "192.0.2.1:0", "no such address")


def serve_with(folder, cert, key):
    return run("-l", "https://127.0.0.1:0", "--cert", cert, "--key", key,
               folder({"index.lua": HANDLER}))


def test_a_certificate_that_cannot_be_read(folder, certificates):
    done = serve_with(folder, "missing.pem", certificates["one.test"].key)
    check_refusal(done, 1, '"missing.pem"', "No such file")


def test_a_key_that_cannot_be_read(folder, certificates):
    done = serve_with(folder, certificates["one.test"].cert, "missing.key")
    check_refusal(done, 1, '"missing.key"', "No such file")


def test_a_file_without_a_certificate(folder, certificates):
    done = serve_with(folder, certificates["one.test"].key, certificates["one.test"].key)
    check_refusal(done, 1, "one.test.key", "holds no PEM certificate")


def test_a_key_of_another_certificate(folder, certificates):
    one, two = certificates["one.test"], certificates["two.test"]
    done = serve_with(folder, one.cert, two.key)
    check_refusal(done, 1, str(one.cert), str(two.key), "does not match")


def test_check_reads_certificates(folder, certificates):
    one, two = certificates["one.test"], certificates["two.test"]
    path = folder({"index.lua": HANDLER})
    assert run("--check", *one.options, path).returncode == 0
    done = run("--check", "--cert", one.cert, "--key", two.key, path)
    check_refusal(done, 1, str(one.cert), str(two.key), "does not match")


# Scripts.

def test_check_prints_the_routes(folder):
    done = run("--check", folder({
        "index.lua": HANDLER, "api/users.lua": "return { GET = print, POST = print }",
        "api/[id].lua": HANDLER, "api/[...rest].lua": HANDLER, "_module.lua": "broken",
        "_private/page.lua": "broken", "notes.txt": "no script"}))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "/", "/api/users", "/api/[id]", "/api/[...rest]"]
    users = done.stdout.splitlines()[1]
    assert "GET, POST, HEAD, OPTIONS" in users and users.endswith("/api/users.lua")


def test_check_of_one_script(folder):
    file = folder({"only.lua": HANDLER}) / "only.lua"
    done = run("--check", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("every path ") and done.stdout.endswith(f" {file}\n")


def test_check_of_our_own_scripts():
    done = run("--check", ROOT / "scripts")
    assert (done.returncode, done.stderr) == (0, "")
    shown = {word for line in done.stdout.splitlines() for word in line.split() if ".lua" in word}
    assert shown == {str(file) for file in (ROOT / "scripts").glob("*.lua")}


BROKEN = {
    "syntax": ("return function(\n\nend", ":3: ", "expected near 'end'"),
    "raises": ("\nerror 'no luck'", ":2: ", "no luck"),
    "raises two lines": ("error('no\\nluck')", ":1: ", "luck"),
    "raises a table": ("error({})", "raises an error that is no string"),
    "raises a table with a text": ("error({ message = 'no luck', code = 5 })", "no luck (code 5)"),
    "raises a status": ("require('moontrail.grpc').error('NOT_FOUND', 'x')", "NOT_FOUND: x"),
    "raises a kind": (
        "local z = require 'moontrail.zlib'\nz.decompress(z.compress('abc'), { limit = 1 })", ":2: ",
        "more than 1 bytes"),
    "unknown name": ("return missing.name", ":1: ", "global 'missing'"),
    "unknown module": ("\nrequire 'missing'", ":2: ", "module 'missing' not found"),
    "waits": ("require('moontrail').sleep(1)\nreturn print", "cannot wait while a script loads"),
    "nothing": ("local x = 1", "returns a nil"),
    "a number": ("return 1", "returns a number"),
    "an empty table": ("return {}", "returns an empty table"),
    "a list": ("return { print }", "number as a key"),
    "no function": ("return { GET = 1 }", "number for the method GET"),
    "no method": ("return { ['GE T'] = print }", '"GE T"'),
    "bytecode": (b"\x1bLua\x54\x00\x19\x93", "binary chunk"),
}


@pytest.mark.parametrize("script, parts", [(s, p) for s, *p in BROKEN.values()], ids=BROKEN)
@pytest.mark.parametrize("options", [["--check"], ["-l", "http://127.0.0.1:0"]], ids=" ".join)
def test_a_broken_script(folder, script, parts, options):
    file = folder({"index.lua": HANDLER, "api/broken.lua": script}) / "api/broken.lua"
    check_refusal(run(*options, file.parent.parent), 1, str(file), *parts)
    check_refusal(run(*options, file), 1, str(file), *parts)


@pytest.mark.parametrize("one, two", [
    ("api/users.lua", "api/users/index.lua"), ("users/[id].lua", "users/[name].lua"),
    ("[...a].lua", "[...b].lua"), ("index.lua", "index/index.lua")])
def test_two_files_for_one_route(folder, one, two):
    path = folder({one: HANDLER, two: HANDLER})
    if one == "index.lua":
        assert run("--check", path).returncode == 0  # index/ is a folder like any other
    else:
        check_refusal(run("--check", path), 1, str(path / one), str(path / two))


@pytest.mark.parametrize("name", ["[].lua", "a[b].lua", "[...rest]/more.lua", "[a]/[a].lua"])
def test_a_bad_name_for_a_route(folder, name):
    path = folder({name: HANDLER})
    check_refusal(run("--check", path), 1, str(path / name))


def test_an_empty_folder(tmp_path):
    check_refusal(run("--check", tmp_path), 1, str(tmp_path), "holds no script")


def test_a_missing_folder(tmp_path):
    path = tmp_path / "missing"
    check_refusal(run("--check", path), 1, str(path), "No such file or directory", "a folder of")


@pytest.mark.parametrize("options", [[], ["--dev"], ["--check"]])
def test_who_has_no_scripts_is_told_how_to_begin(tmp_path, options):
    """What is shown can be typed as it is."""
    ended = subprocess.run([PROGRAM, *options], cwd=tmp_path, capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False)
    assert ended.returncode == 1 and ended.stdout == ""
    typed = [line.strip() for line in ended.stderr.splitlines() if line.startswith("    ")]
    assert typed[-1].endswith(" --dev scripts")
    for line in typed[:-1]:
        subprocess.run(line, shell=True, cwd=tmp_path, check=True)
    checked = run("--check", tmp_path / "scripts")
    assert checked.returncode == 0 and "index.lua" in checked.stdout


def test_a_folder_that_is_named_and_missing_is_told_as_such(tmp_path):
    ended = run(tmp_path / "none")
    assert ended.returncode == 1 and "none: cannot be read" in ended.stderr
    assert "mkdir" not in ended.stderr
