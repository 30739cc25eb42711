"""Scripts that do not load: the last that did serve on, the log says why once, and with --dev the
responses do. A fix is enough to recover."""
import os
import re
import signal
import time
from html import unescape

import pytest

from handlers import WHO
from reloading import save_by_rename, save_in_place, says
from server import ROOT, run, write_scripts

SCRIPTS = {
    "index.lua": (ROOT / "scripts" / "index.lua").read_text(),
    "hello.lua": "local words = require '_words' return function(ctx) ctx:text(words) end",
    "_words.lua": "return 'one'",
    "who.lua": WHO,
}
OPTIONS = ("--dev", "--load-timeout", "4", "--max-vm-memory", "32")

# What is saved over the scripts (None: deleted), and what is said of it.
BROKEN = {
    "syntax error": ({"hello.lua": "\nreturn function(ctx"}, r"hello\.lua:2: "),
    "error raised": ({"hello.lua": "\nerror('not today')"}, r"hello\.lua:2: not today$"),
    "error that is a table": ({"hello.lua": "error({})"}, r"hello\.lua: raises an error that is "),
    "os.exit": ({"hello.lua": "\nos.exit(0)"}, r"hello\.lua:2: "),
    "broken module": ({"_words.lua": "return ("}, r"_words\.lua:1: "),
    "module that raises": ({"_words.lua": "\nerror('no words')"}, r"_words\.lua:2: no words$"),
    "deleted module": ({"_words.lua": None}, r"hello\.lua:1: module '_words' not found"),
    "endless loop": ({"hello.lua": "\nwhile true do end"}, r"hello\.lua:2: takes longer than 4"),
    "endless loop in a module": (
        {"_words.lua": "\nwhile true do pcall(error) end"}, r"_words\.lua:2: takes longer than 4"),
    "wait": ({"hello.lua": "\nrequire('moontrail').sleep(1)"}, r"hello\.lua:2: "),
    "number": ({"hello.lua": "return 7"}, r"hello\.lua:1: returns a number, not a handler"),
    "nothing": ({"hello.lua": ""}, r"hello\.lua:1: returns a nil, not a handler"),
    "empty table": ({"hello.lua": "return {}"}, r"hello\.lua:1: returns an empty table"),
    "no method": ({"hello.lua": "return { GET = 1 }"}, r"hello\.lua:1: has a number for the method"),
    "bytecode": ({"hello.lua": "\x1bLua"}, r"hello\.lua: attempt to load a binary chunk"),
    "one route twice": (
        {"hello/index.lua": says("again")}, r"hello.*\.lua: serves the same paths as .*hello"),
    "memory": (
        {"hello.lua": "\nlocal t, piece = {}, ('x'):rep(999)"
                      " for i = 1, 1e9 do t[i] = piece:rep(9999) .. i end"},
        r"hello\.lua: not enough memory$"),
    "stuck in a C function": (
        {"hello.lua": "local text = ('a'):rep(40000) text:find(('.-'):rep(30) .. 'b')"},
        r"the scripts take more than 4 seconds to load: see --load-timeout$"),
    "killed": ({"hello.lua": "os.execute('kill -9 $PPID')"}, r"signal KILL ended the process "),
}


@pytest.fixture
def folder(tmp_path):
    return write_scripts(tmp_path / "scripts", SCRIPTS)


def change(folder, files):
    for name, text in files.items():
        if text is None:
            (folder / name).unlink()
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            save_by_rename(folder / name, text)


def expect_fault(w, pattern):
    """The old scripts serve on, and it is said once, everywhere, why the new ones do not."""
    w.server.wait_for("error scripts not loaded reason=")
    w.server.wait_until(lambda: w.fetch().header("moontrail-fault"))
    fault, = w.faults
    assert re.search(pattern, fault.rstrip('"')), fault
    response = w.fetch()
    assert (response.status, response.text) == (200, "one")
    assert re.search(pattern, response.header("moontrail-fault"))
    page = unescape(w.fetch("/").text)
    assert response.header("moontrail-fault") in page and "do not load" in page
    assert w.fetch("/none").header("moontrail-fault") == response.header("moontrail-fault")


def expect_recovery(w, text):
    w.server.wait_until(lambda: not w.fetch().header("moontrail-fault"))
    w.expect(text)
    assert "do not load" not in w.fetch("/").text
    assert len(w.faults) == 1


def mend(folder, files):
    """Saves what does load."""
    for name in files:
        if name not in SCRIPTS:
            (folder / name).unlink()
    save_in_place(folder / "hello.lua", SCRIPTS["hello.lua"])
    save_by_rename(folder / "_words.lua", "return 'two'")


@pytest.mark.parametrize("case", BROKEN)
def test_the_old_scripts_serve_on(serve, folder, case):
    files, pattern = BROKEN[case]
    w = serve(folder, *OPTIONS)
    change(folder, files)
    expect_fault(w, pattern)
    mend(folder, files)
    expect_recovery(w, "two")


def test_no_folder(serve, folder, tmp_path):
    w = serve(folder, *OPTIONS)
    folder.rename(tmp_path / "away")
    expect_fault(w, r"scripts: cannot be read: No such file or directory: ")
    write_scripts(tmp_path / "away", {"_words.lua": "return 'two'"})
    (tmp_path / "away").rename(folder)
    expect_recovery(w, "two")


def test_no_folder_nor_the_one_above(serve, tmp_path):
    w = serve(write_scripts(tmp_path / "above" / "scripts", SCRIPTS), *OPTIONS)
    (tmp_path / "above").rename(tmp_path / "away")
    expect_fault(w, r"scripts: cannot be read: No such file or directory: ")
    write_scripts(tmp_path / "away" / "scripts", {"_words.lua": "return 'two'"})
    (tmp_path / "away").rename(tmp_path / "above")
    expect_recovery(w, "two")


def test_no_script_left(serve, folder):
    w = serve(folder, *OPTIONS)
    names = ("index.lua", "hello.lua", "who.lua")
    for name in names:
        (folder / name).rename(folder / f"_{name}")
    expect_fault(w, r"scripts: holds no script")
    for name in names:
        (folder / f"_{name}").rename(folder / name)
    expect_recovery(w, "one")


def test_a_link_to_nothing(serve, folder):
    w = serve(folder, *OPTIONS)
    (folder / "link.lua").symlink_to(folder / "_elsewhere" / "script")
    expect_fault(w, r"link\.lua: No such file or directory$")
    (folder / "link.lua").unlink()
    save_in_place(folder / "_words.lua", "return 'two'")
    expect_recovery(w, "two")


@pytest.mark.parametrize("name, pattern", [
    ("hello.lua", r"hello\.lua: Permission denied$"),
    ("_words.lua", r"hello\.lua:1: module '_words' not found"),
])
def test_what_may_not_be_read(serve, open_folder, monkeypatch, name, pattern):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # it may not look at such a process
    user = ("--user", "nobody") if os.geteuid() == 0 else ()
    write_scripts(open_folder, SCRIPTS | {"api/one.lua": says("one")})
    w = serve(open_folder, *OPTIONS, *user)
    mode = (open_folder / name).stat().st_mode
    (open_folder / name).chmod(0)
    expect_fault(w, pattern)
    (open_folder / name).chmod(mode)
    expect_recovery(w, "one")


def test_a_folder_that_may_not_be_read_is_left_out(serve, open_folder):
    """The rest is loaded; the folder's routes are there again once it may be read."""
    user = ("--user", "nobody") if os.geteuid() == 0 else ()
    write_scripts(open_folder, SCRIPTS | {"api/one.lua": says("one")})
    w = serve(open_folder, *OPTIONS, *user)
    (open_folder / "api").chmod(0)
    w.server.wait_for("warn folder left out .*api")
    w.server.wait_until(lambda: w.fetch("/api/one").status == 404)
    (open_folder / "api").chmod(0o755)
    w.server.wait_until(lambda: w.fetch("/api/one").text == "one")
    assert not w.faults


ELSEWHERE = """
    package.path = '%s/?.lua;' .. package.path
    local words = require 'elsewhere'
    return function(ctx) ctx:text(words) end"""


@pytest.mark.parametrize("case", ["syntax error", "deleted module", "stuck in a C function"])
def test_a_module_elsewhere(serve, tmp_path, case):
    """It is watched still, even though it is not known what was read."""
    outside = write_scripts(tmp_path / "outside", {"elsewhere.lua": "return 'one'"})
    scripts = SCRIPTS | {"hello.lua": ELSEWHERE % outside}
    w = serve(write_scripts(tmp_path / "scripts", scripts), *OPTIONS)
    (text, *_), pattern = list(BROKEN[case][0].values()), BROKEN[case][1]
    change(outside, {"elsewhere.lua": text})
    expect_fault(w, pattern.replace("hello", "elsewhere").replace("_words", "elsewhere")
                 if text else r"module 'elsewhere' not found")
    save_in_place(outside / "elsewhere.lua", "return 'two'")
    expect_recovery(w, "two")


SERVICE = """
    local grpc = require "moontrail.grpc"
    return grpc.service("calls.proto", "test.Calls")"""
PROTO = """
    syntax = "proto3"; package test; import "data.proto";
    service Calls { rpc Echo(Data) returns (Data); }"""
DATA = 'syntax = "proto3"; package test; message Data { string text = 1; }'


@pytest.fixture
def schemas(serve, tmp_path):
    """A server with a gRPC service, and one of its schemas elsewhere."""
    scripts = {f"scripts/{name}": text for name, text in SCRIPTS.items()}
    write_scripts(tmp_path, scripts | {
        "scripts/calls.lua": SERVICE, "scripts/calls.proto": PROTO, "far/data.proto": DATA})
    return serve(tmp_path / "scripts", *OPTIONS, "--proto-path", tmp_path / "far")


@pytest.mark.parametrize("name, text, pattern", [
    ("scripts/calls.proto", "\nsyntax = 3;", r"calls\.proto:2:\d+: "),
    ("far/data.proto", "\nmessage {", r"data\.proto:2:\d+: "),
    ("far/data.proto", None, r"data\.proto"),
])
def test_a_schema(schemas, tmp_path, name, text, pattern):
    good = (tmp_path / name).read_text()
    change(tmp_path, {name: text})
    expect_fault(schemas, pattern)
    save_in_place(tmp_path / name, good)
    expect_recovery(schemas, "one")


def test_a_schema_that_is_yet_to_come(schemas, tmp_path):
    save_in_place(tmp_path / "scripts" / "calls.proto", PROTO.replace("data", "new"))
    expect_fault(schemas, r"calls\.proto:2:\d+: import .*new\.proto")
    save_in_place(tmp_path / "far" / "new.proto", DATA)
    expect_recovery(schemas, "one")


def test_one_fault_after_another(serve, folder):
    w = serve(folder, *OPTIONS)
    for number in range(3):
        save_by_rename(folder / "hello.lua", f"error('fault {number}')")
        w.server.wait_until(
            lambda: f"fault {number}" in (w.fetch().header("moontrail-fault") or ""))
    assert len(w.faults) == 3
    save_by_rename(folder / "hello.lua", says("two"))
    w.expect("two")


def test_without_dev_the_responses_say_nothing(watch, folder):
    w = watch(folder)
    save_by_rename(folder / "hello.lua", "return")
    w.server.wait_for("error scripts not loaded reason=")
    w.settle()
    assert w.fetch().header("moontrail-fault") is None and w.text() == "one"


# Workers that die meanwhile.

NO_SCRIPTS = "error worker has no scripts worker=. pid=.*hello.lua:1: not today"


def kill(server, pid):
    """Kills a worker, and waits for the one in its place."""
    count = len(server.lines("worker started"))
    os.kill(pid, signal.SIGKILL)
    server.wait_until(lambda: len(server.lines("worker started")) == count + 1)


def test_a_worker_that_dies_meanwhile(watch, connect, folder):
    """The one in its place says so, the other serves on, and the fix is for both."""
    w = watch(folder, "-w", "2")
    save_by_rename(folder / "hello.lua", "error('not today')")
    w.server.wait_for("error scripts not loaded reason=")
    old, = set(w.server.workers) - {int(w.text("/who"))}
    kill(w.server, old)
    w.server.wait_until(lambda: len(w.server.lines(NO_SCRIPTS)) == 1)
    statuses = set()
    while statuses != {200, 503}:
        client = connect(w.server.http)
        statuses.add(client.fetch("/hello").status)
        client.close()
    assert w.text() == "one"
    save_by_rename(folder / "hello.lua", says("two"))
    w.server.wait_for("info worker has scripts again")
    for _ in range(20):
        client = connect(w.server.http)
        assert client.fetch("/hello").text == "two"
        client.close()
    w.expect("two")
    assert len(w.faults) == 1


def test_the_only_worker_dies_meanwhile(serve, folder):
    w = serve(folder, *OPTIONS)
    save_by_rename(folder / "hello.lua", "error('not today')")
    w.server.wait_for("error scripts not loaded reason=")
    kill(w.server, w.server.workers[0])
    w.connect()
    response = w.fetch("/any", method="POST", body=b"some")
    fault = response.header("moontrail-fault")
    assert response.status == 503 and fault.endswith("hello.lua:1: not today")
    assert response.text == f"The scripts do not load: {fault}\n"
    save_by_rename(folder / "hello.lua", says("two"))
    w.expect("two")
    assert w.fetch().header("moontrail-fault") is None and len(w.faults) == 1


def test_without_watch_it_is_tried_again_and_again(serve, folder):
    """By the worker alone that has no scripts. Without --dev its responses do not say why."""
    w = serve(folder, "-w", "2")
    save_by_rename(folder / "hello.lua", "error('not today')")
    old, = set(w.server.workers) - {int(w.text("/who"))}
    kill(w.server, old)
    time.sleep(2.5)  # it fails again, for the same reason
    assert len(w.server.lines(NO_SCRIPTS)) == 1 and not w.faults
    save_by_rename(folder / "hello.lua", "error('nor tomorrow')")
    w.server.wait_for("error scripts not loaded reason=.*nor tomorrow")
    save_by_rename(folder / "hello.lua", says("two"))
    w.server.wait_for("info worker has scripts again")
    assert w.text() == "one" and not w.server.lines("info scripts loaded")
    kill(w.server, int(w.text("/who")))
    w.connect()
    assert w.text() == "two"


def test_usr1_ends_the_lack(serve, folder):
    w = serve(folder)
    save_by_rename(folder / "hello.lua", "error('not today')")
    kill(w.server, w.server.workers[0])
    w.connect()
    response = w.fetch()
    assert (response.status, response.text) == (503, "Service Unavailable\n")
    assert response.header("moontrail-fault") is None
    save_by_rename(folder / "hello.lua", says("two"))
    w.server.signal(signal.SIGHUP)
    w.expect("two")
    w.settle()
    assert len(w.server.lines("info worker has scripts again")) == 1


def test_a_drain_without_scripts(serve, folder):
    w = serve(folder)
    save_by_rename(folder / "hello.lua", "error('not today')")
    kill(w.server, w.server.workers[0])
    w.server.renew()
    w.server.wait_for("error configuration not loaded reason=.*not today")
    save_by_rename(folder / "hello.lua", says("two"))
    w.renew()
    assert w.text() == "two"


def test_a_worker_started_later_knows_of_the_fault(serve, folder):
    """The scripts are broken but for those who load them a second time."""
    marker = folder.parent / "marker"
    w = serve(folder, "--dev")
    marker.touch()
    save_by_rename(folder / "hello.lua", f"""
        if os.remove('{marker}') then error('not today') end
        return function(ctx) ctx:text('two') end""")
    w.server.wait_until(lambda: w.fetch().header("moontrail-fault"))
    os.kill(w.server.workers[0], signal.SIGKILL)
    w.server.wait_until(lambda: len(w.server.lines("worker started")) == 2)
    w.connect()
    assert w.text() == "two" and "not today" in w.fetch().header("moontrail-fault")


# Circles.

@pytest.mark.parametrize("scripts, said", [
    ({"index.lua": "require '_b' return print", "_b.lua": "return require '_c'",
      "_c.lua": "return require '_b'"}, "_b requires _c, which requires _b"),
    ({"index.lua": "require '_b' return print", "_b.lua": "return require '_b'"},
     "_b requires itself"),
    ({"index.lua": "require '_b' return print", "_b.lua": "return dofile('{0}/_c.lua')",
      "_c.lua": "return require '_b'"}, "_b requires {0}/_c.lua, which requires _b"),
    ({"index.lua": "dofile('{0}/_b.lua') return print", "_b.lua": "dofile('{0}/_b.lua')"},
     "{0}/_b.lua requires itself")])
def test_a_circle_is_told_in_its_names(tmp_path, scripts, said):
    folder = tmp_path / "scripts"
    write_scripts(folder, {name: text.format(folder) for name, text in scripts.items()})
    done = run("--check", folder)
    assert done.returncode == 1 and done.stderr.endswith(said.format(folder) + "\n")


def test_what_is_no_circle_loads(tmp_path):
    """A module that failed once, one that two others require, a file that runs itself a few times."""
    folder = tmp_path / "scripts"
    write_scripts(folder, {
        "index.lua": f"""
            assert(not pcall(require, "_late"))
            ready, times = true, 0
            require "_late" require "_b" require "_c" dofile "{folder}/_again.lua"
            assert(times == 5)
            return print""",
        "_late.lua": "if not ready then error('not yet') end return {}",
        "_b.lua": "return require '_late'", "_c.lua": "return require '_late'",
        "_again.lua": f"times = times + 1 if times < 5 then dofile '{folder}/_again.lua' end"})
    done = run("--check", folder)
    assert done.returncode == 0, done.stderr


def test_a_circle_of_schemas_is_told_in_its_names(tmp_path):
    folder = write_scripts(tmp_path / "scripts", {
        "index.lua": "require('moontrail.grpc').service('a.proto', 'a.A', {}) return print",
        "a.proto": "syntax = 'proto3'; import 'b.proto';",
        "b.proto": "syntax = 'proto3'; import 'a.proto';"})
    done = run("--check", "--proto-path", folder, folder)
    assert done.returncode == 1
    assert "a.proto" in done.stderr and "b.proto" in done.stderr and "overflow" not in done.stderr
