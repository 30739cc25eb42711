"""Other programs that scripts run: what they are given, what becomes of them, and that none of them
outlives whoever wanted it."""
import itertools
import os
import re
import signal
from pathlib import Path

import pytest

from handlers import RUN, begin_lua, run_lua
from reloading import says
from server import Server, write_scripts

SCRIPTS = {"index.lua": RUN}

MIB = 1 << 20


# Processes.

NUMBERS = itertools.count(100000 + os.getpid() * 1000)


@pytest.fixture
def idle():
    """A time to sleep that no other process does: by it one is found."""
    return str(next(NUMBERS))


def found(word):
    """The processes, zombies left out, that have a word on their command line."""
    pids = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in file.read_bytes().split(b"\0"):
                pids.append(int(file.parent.name))
        except OSError:
            pass
    return pids


def zombies(server):
    """The workers' children that were not reaped."""
    states = []
    for worker in server.workers:
        children = Path(f"/proc/{worker}/task/{worker}/children")
        for pid in children.read_text().split():
            try:
                states.append(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0])
            except OSError:
                pass
    return states.count("Z")


@pytest.fixture(autouse=True)
def no_zombie(request):
    """None is left once a test is over."""
    yield
    if "server" in request.fixturenames:
        server = request.getfixturevalue("server")
        server.wait_until(lambda: zombies(server) == 0)


def wait_for_programs(server, word, count):
    server.wait_until(lambda: len(found(word)) == count)


# What it gives.

def test_exit_status_and_outputs(client):
    assert run_lua(client, """
        local r = mt.exec { "sh", "-c", "printf one; printf two >&2; exit 7" }
        return r.code, r.signal, r.stdout, r.stderr""").text == "7|nil|one|two"


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGSEGV", "SIGUSR1", "SIGRTMIN"])
def test_ended_by_a_signal(client, name):
    number = getattr(signal, name).value
    assert run_lua(client, f"""
        local r = mt.exec {{ "sh", "-c", "printf x; kill -{number} $$" }}
        return r.code, r.signal, r.stdout""").text == f"nil|{name}|x"


def test_input(client):
    assert run_lua(client, """
        return mt.exec({ "cat" }, { stdin = "a\\0b" }).stdout == "a\\0b", mt.exec({ "cat" }).stdout,
            mt.exec({ "wc", "-c" }, { stdin = "" }).stdout:match("%d+")""").text == "true||0"


def test_arguments_are_not_for_a_shell(client):
    assert run_lua(client, """
        return mt.exec({ "printf", "%s;", "$HOME", "a b", "'", "`id`", "", 1, 2.5 }).stdout
        """).text == "$HOME;a b;';`id`;;1;2.5;"


def test_much_in_both_directions_at_once(client):
    assert run_lua(client, f"""
        local much = ("0123456789abcde\\n"):rep(1024):rep({2 * MIB // 16384})
        mt.sleep(0)
        local r = mt.exec({{ "tee", "/dev/stderr" }}, {{ stdin = much }})
        return r.code, r.stdout == much, r.stderr == much""").text == "0|true|true"


def test_a_program_that_reads_nothing(client):
    assert run_lua(client, """
        local r = mt.exec({ "true" }, { stdin = ("x"):rep(1024):rep(1024) })
        local some = mt.exec({ "head", "-c", "3" }, { stdin = ("x"):rep(1024):rep(1024) })
        return r.code, r.stdout, some.code, some.stdout""").text == "0||0|xxx"


def test_a_program_that_closes_its_outputs_and_goes_on(client):
    assert run_lua(client, """
        local r = mt.exec { "sh", "-c", "printf x; exec >&- 2>&-; sleep 0.2; exit 3" }
        return r.code, r.stdout""").text == "3|x"


def test_environment(start, connect):
    server = start({"index.lua": RUN}, env={**os.environ, "KEPT": "kept", "GONE": "gone"})
    assert run_lua(connect(server.https), """
        local r = mt.exec({ "sh", "-c", "echo $KEPT,${GONE-none},$NEW,$NUMBER,$LIKE" },
            { env = { GONE = false, NEW = "a b", NUMBER = 7, LIKE = "x=y" } })
        local same = mt.exec { "sh", "-c", "echo $KEPT,$GONE" }
        return r.stdout, same.stdout""").text == "kept,none,a b,7,x=y\n|kept,gone\n"


def test_folder_to_work_in(client, tmp_path):
    (tmp_path / "own").write_text("#!/bin/sh\npwd")
    (tmp_path / "own").chmod(0o755)
    assert run_lua(client, f"""
        return mt.exec({{ "./own" }}, {{ cwd = "{tmp_path}" }}).stdout""").text == f"{tmp_path}\n"


def test_where_it_is_looked_for(client, tmp_path):
    """In the PATH that it is given; the first that can be run is taken."""
    for folder, mode in (("a", 0o644), ("b", 0o755), ("c", 0o755)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own").write_text(f"#!/bin/sh\necho {folder}")
        (tmp_path / folder / "own").chmod(mode)
    (tmp_path / "file").touch()
    path = ":".join(f"{tmp_path}/{name}" for name in ("file", "none", "a", "b", "c"))
    assert run_lua(client, f"""
        local r = mt.exec({{ "own" }}, {{ env = {{ PATH = "{path}:/bin" }} }})
        local _, e = pcall(mt.exec, {{ "own" }}, {{ env = {{ PATH = false }} }})
        return r.stdout, e.code, mt.exec({{ "true" }}, {{ env = {{ PATH = false }} }}).code
        """).text == "b\n|ENOENT|0"


@pytest.mark.parametrize("argv, options, code, text", [
    ('"no-such-program"', "", "ENOENT",
     "no-such-program cannot be started: No such file or directory"),
    ('"/no/such/program"', "", "ENOENT", "cannot be started: No such file or directory"),
    ('"/etc/passwd"', "", "EACCES", "/etc/passwd cannot be started: Permission denied"),
    ('"/tmp"', "", "EACCES", "Permission denied"),
    ('"true"', 'cwd = "/no/such"', "ENOENT",
     "true cannot be started in /no/such: No such file or directory"),
    ('"true"', 'cwd = "/etc/passwd"', "ENOTDIR", "in /etc/passwd: Not a directory"),
    ('"true", ("x"):rep(1024):rep(1024)', "", "E2BIG", "Argument list too long"),
], ids=["name", "path", "no program", "folder", "cwd", "cwd is a file", "too much"])
def test_what_cannot_be_started(server, client, argv, options, code, text):
    before = len(list(Path(f"/proc/{server.workers[0]}/fd").iterdir()))
    for function in ("exec", "process"):
        assert re.fullmatch(rf"false\|system\|{code}\|.*{text}", run_lua(client, f"""
            local ok, e = pcall(mt.{function}, {{ {argv} }}, {{ {options} }})
            return ok, e.kind, e.code, e""").text)
    assert len(list(Path(f"/proc/{server.workers[0]}/fd").iterdir())) == before


@pytest.mark.parametrize("call, problem", [
    ("mt.exec()", "bad argument #1 to 'exec' (table expected, got nil)"),
    ("mt.exec 'ls'", "bad argument #1 to 'exec' (table expected, got string)"),
    ("mt.exec {}", "bad argument #1 to 'exec' (no program is named)"),
    ("mt.exec { '' }", "bad argument #1 to 'exec' (the program has no name)"),
    ("mt.exec { {} }", "the program is a string, not a table"),
    ("mt.exec { 'ls', true }", "argument 1 is a string, not a boolean"),
    ("mt.exec { 'ls', 'a\\0b' }", "argument 1 has a NUL in it"),
    ("mt.exec({ 'ls' }, 1)", "bad argument #2 to 'exec' (table expected, got number)"),
    ("mt.exec({ 'ls' }, { input = '' })", "a program has no option input"),
    ("mt.exec({ 'ls' }, { 'x' })", "a program has no option number"),
    ("mt.exec({ 'ls' }, { stdin = 1 })", "stdin is a string, not a number"),
    ("mt.exec({ 'ls' }, { timeout = 0 })", "timeout is not above 0, or over 1e8 seconds"),
    ("mt.exec({ 'ls' }, { timeout = '1' })", "timeout is a number of seconds, not a string"),
    ("mt.exec({ 'ls' }, { limit = 1.5 })", "limit is a whole number of bytes, not a number"),
    ("mt.exec({ 'ls' }, { limit = -1 })", "limit is below 0"),
    ("mt.exec({ 'ls' }, { cwd = {} })", "cwd is a string, not a table"),
    ("mt.exec({ 'ls' }, { cwd = '/\\0' })", "cwd has a NUL in it"),
    ("mt.exec({ 'ls' }, { env = 'A=1' })", "env is a table, not a string"),
    ("mt.exec({ 'ls' }, { env = { A = true } })", "A is a string, not a boolean"),
    ("mt.exec({ 'ls' }, { env = { 'A' } })", "the name of a variable is a string, not a number"),
    ("mt.exec({ 'ls' }, { env = { ['A=B'] = '1' } })", '"A=B" is no name of a variable'),
    ("mt.exec({ 'ls' }, { env = { [''] = '1' } })", '"" is no name of a variable'),
    ("mt.process { 'cat' }:read(0)", "bad argument #1 to 'read' (not above 0)"),
    ("mt.process { 'cat' }:write(true)", "bad argument #1 to 'write' (string expected, got boolean)"),
    ("mt.process { 'cat' }:kill('TERM')", "bad argument #1 to 'kill' (not a signal)"),
    ("mt.process { 'cat' }:kill(65)", "bad argument #1 to 'kill' (not a signal)"),
    ("mt.process { 'cat' }:kill(-9)", "bad argument #1 to 'kill' (not a signal)"),
    ("local p = mt.process { 'cat' } p:finish() p:write('x')",
     "the input of this process has ended"),
    ("local p = mt.process { 'cat' } p:close() p:close() p:read()", "cat: the process is closed"),
    ("mt.process { 'cat' }.wait(mt)", "bad argument #1 to 'wait' (process expected, got table)"),
])
def test_misuse(client, call, problem):
    text = run_lua(client, f"return select(2, pcall(function() {call} return 'nothing' end))").text
    assert text == f"run:1: {problem}" or text.endswith(": " + problem), text


def test_while_a_script_loads(start, connect):
    server = start({"index.lua": """
        local mt = require "moontrail"
        local _, problem = pcall(mt.exec, { "true" })
        local _, other = pcall(mt.process, { "true" })
        return function(ctx) ctx:text(problem .. "|" .. other) end"""})
    assert connect(server.https).fetch("/").text == "|".join(
        2 * ["cannot wait while a script loads"])


# What it is given of us.

SHOW = """for f in /proc/self/fd/*; do [ -e $f ] && echo ${f##*/}; done | sort -u | xargs;
    grep -E ^Sig.Blk:\\|^SigIgn:\\|^SigBlk: /proc/self/status | cut -f2 | sort -u;
    ps -o pid=,pgid=,sid=,tty= $$"""


def test_three_descriptors_default_signals_and_a_group_of_its_own(start, connect, tmp_path):
    """Whatever the script has open, and whoever started the server has ignored."""
    (tmp_path / "show.sh").write_text(SHOW)
    server = start({"index.lua": RUN}, preexec_fn=lambda: [
        signal.signal(number, signal.SIG_IGN) for number in (signal.SIGQUIT, signal.SIGTSTP)])
    text = run_lua(connect(server.https), f"""
        kept = io.open("/dev/null")
        return mt.exec({{ "sh", "{tmp_path}/show.sh" }}).stdout""").text
    descriptors, signals, process = text.splitlines()
    assert set(descriptors.split()) <= {"0", "1", "2", "3"}  # the last is the folder's own
    assert set(signals) == {"0"}
    pid, group, session, terminal = process.split()
    assert pid == group == session and terminal == "?"


# How it ends.

def test_a_program_that_never_ends(server, client, idle):
    assert run_lua(client, f"""
        local ok, e = pcall(mt.exec, {{ "sleep", "{idle}" }}, {{ timeout = 0.2 }})
        return ok, e.kind, e""").text == "false|timeout|sleep: not done after 0.2 s"
    wait_for_programs(server, idle, 0)


STUBBORN = "trap '' TERM; echo ready; while :; do sleep %s; done"


def test_a_program_that_ignores_the_request_to_end(server, client, idle):
    """Its whole group is killed, whoever of it has ended already."""
    assert run_lua(client, f"""
        local ok, e = pcall(mt.exec, {{ "sh", "-c", "{STUBBORN % idle}" }}, {{ timeout = 0.2 }})
        return ok, e.kind""").text == "false|timeout"
    wait_for_programs(server, idle, 0)


def test_children_are_ended_with_it(server, client, idle):
    """They have closed its outputs, and are seen by nobody."""
    stream = begin_lua(client, f"""
        mt.exec {{ "sh", "-c",
            "(trap '' TERM; exec sleep {idle} >/dev/null 2>&1) & sleep {idle}" }}""")
    wait_for_programs(server, idle, 2)
    client.reset(stream)
    wait_for_programs(server, idle, 0)


def test_children_that_hold_its_outputs_are_within_its_time(server, client, idle):
    assert run_lua(client, f"""
        local ok, e = pcall(mt.exec, {{ "sh", "-c", "sleep {idle} &" }}, {{ timeout = 0.3 }})
        return ok, e.kind""").text == "false|timeout"
    wait_for_programs(server, idle, 0)


def test_a_program_that_says_too_much(client):
    assert run_lua(client, """
        local ok, e = pcall(mt.exec, { "yes" })
        local _, f = pcall(mt.exec, { "sh", "-c", "yes >&2" }, { limit = 1000 })
        return ok, e.kind, e.limit, e, f""").text == (
            f"false|limit|output|yes: more than {16 * MIB} bytes of output"
            "|sh: more than 1000 bytes of output")


def test_a_limit_is_what_may_come(client):
    assert run_lua(client, """
        return #mt.exec({ "printf", "%s", ("x"):rep(100) }, { limit = 100 }).stdout,
            (pcall(mt.exec, { "printf", "%s", ("x"):rep(101) }, { limit = 100 })),
            mt.exec({ "true" }, { limit = 0 }).code""").text == "100|false|0"


def test_a_flood_that_nobody_reads_waits(server, client):
    """The server holds no more of it than fits into the queue."""
    assert run_lua(client, """
        local p = mt.process { "sh", "-c", "yes & echo $! >&2; wait" }
        local pid = p:read_error():match("%d+")
        local before, now
        repeat
            before = now
            mt.sleep(0.2)
            now = io.open("/proc/" .. pid .. "/io"):read("a"):match("wchar: (%d+)")
        until now == before
        return tonumber(now) < 300000, #p:read() > 0""").text == "true|true"
    server.wait_until(lambda: not found("yes"))


@pytest.mark.parametrize("ends", [
    'mt.spawn(function() mt.exec { "sleep", "IDLE" } end):cancel()',
    'local t = mt.spawn(function() mt.exec { "sleep", "IDLE" } end) mt.sleep(0.2) t:cancel()',
    'pcall(mt.all, function() mt.exec { "sleep", "IDLE" } end, function() mt.sleep(0.2) error "x" end)',
    'mt.spawn(function() kept = mt.process { "sleep", "IDLE" } end)',
    'do local p <close> = mt.process { "sleep", "IDLE" } end',
    'mt.process({ "sleep", "IDLE" }):close()',
    'mt.process { "sleep", "IDLE" } mt.sleep(0.1)',
    'ctx:deadline(0.2) pcall(mt.exec, { "sleep", "IDLE" }) ctx:deadline(nil)',
    'mt.process { "sleep", "IDLE" } error "failed"',
    'mt.process { "sleep", "IDLE" } ctx:reset()',
], ids=["cancelled at once", "cancelled", "another fails", "task ends", "goes out of scope", "closed",
        "request ends", "deadline", "request fails", "request is reset"])
def test_what_ends_a_program(server, client, idle, ends):
    client.response(begin_lua(client, ends.replace("IDLE", idle)))
    wait_for_programs(server, idle, 0)


def test_a_joined_task_leaves_its_process(client):
    assert run_lua(client, """
        local p = mt.spawn(function() return mt.process { "cat" } end):join()
        p:finish("here")
        return p:read(), p:wait()""").text == "here|0"


@pytest.mark.parametrize("leaves", ["reset", "vanish"])
def test_the_client_leaves(server, connect, idle, leaves):
    client = connect(server.https)
    for way in (f'mt.exec {{ "sleep", "{idle}" }}',
                f'local p = mt.process {{ "sleep", "{idle}" }} p:read()',
                f'local p = mt.process {{ "sleep", "{idle}" }} p:wait()',
                f'local p = mt.process {{ "sleep", "{idle}" }} p:write(("x"):rep(1024):rep(1024))'):
        stream = begin_lua(client, way)
    wait_for_programs(server, idle, 4)
    if leaves == "reset":
        for number in range(stream - 6, stream + 1, 2):
            client.reset(number)
    else:
        client.vanish()
    wait_for_programs(server, idle, 0)


def test_the_client_of_http1_leaves(server, http1, idle):
    client = http1(server.http)
    client.request("/", headers=[("run", f'mt.exec {{ "sleep", "{idle}" }}')])
    wait_for_programs(server, idle, 1)
    client.close()
    wait_for_programs(server, idle, 0)


# Many.

def test_sixty_four_at_once(server, client):
    """Each waits for all of them."""
    waiting = [begin_lua(client, f"""
        local p = mt.process {{ "cat" }}
        p:write("{number}")
        local text = p:read()
        count = (count or 0) + 1
        repeat mt.sleep(0.01) until count >= 64
        p:finish("!")
        local rest = p:read()
        return text, rest, p:wait()""") for number in range(64)]
    for number, stream in enumerate(waiting):
        assert client.response(stream).text == f"{number}|!|0"
    run_lua(client, "count = nil")
    server.wait_until(lambda: zombies(server) == 0)


def test_one_after_the_other_leaves_nothing(server, client):
    """Of a request that does not wait for the collector, or close what is over."""
    run_lua(client, 'mt.exec { "true" }')
    folder = Path(f"/proc/{server.workers[0]}/fd")
    before = len(list(folder.iterdir()))
    assert run_lua(client, f"""
        collectgarbage("stop")
        for number = 1, 50 do
            local p = mt.process {{ "echo", number }}
            p:finish()
            while p:read() or p:read_error() do end
            p:wait()
        end
        local count = 0
        for _ in io.popen("ls {folder}"):lines() do count = count + 1 end
        collectgarbage("restart")
        return count < {before + 5}""").text == "true"


# Talking.

def test_a_dialogue(client):
    assert run_lua(client, """
        local p <close> = mt.process { "sh", "-c", "while read line; do echo got $line; done; echo end" }
        local said = {}
        for i = 1, 3 do
            assert(p:write("line ", i, "\\n"))
            said[i] = p:read()
        end
        p:finish()
        return said[1] .. said[2] .. said[3], p:read(), p:read(), p:wait()""").text == (
            "got line 1\ngot line 2\ngot line 3\n|end\n|nil|0")


def test_a_writer_waits_for_a_slow_program(client):
    assert run_lua(client, """
        local p <close> = mt.process { "sh", "-c", "sleep 0.2; wc -c" }
        local takes = p:finish(("x"):rep(1024):rep(1024))
        return takes, p:read():match("%d+"), p:wait()""").text == f"true|{MIB}|0"


def test_a_program_that_closes_its_input(client):
    assert run_lua(client, """
        local p <close> = mt.process { "sh", "-c", "exec <&-; echo closed; sleep 0.3" }
        p:read()
        local first = p:write(("x"):rep(1024):rep(1024))
        return first, p:write("x"), p:finish("x"), p:wait()""").text == "false|false|false|0"


def test_one_task_reads_while_another_writes(client):
    assert run_lua(client, """
        local p <close> = mt.process { "tee", "/dev/stderr" }
        local function drain(read)
            local size = 0
            for piece in function() return read(p) end do size = size + #piece end
            return size
        end
        local out, err = mt.all(function() return drain(p.read) end,
            function() return drain(p.read_error) end,
            function() for _ = 1, 100 do p:write(("x"):rep(10000)) end p:finish() end)
        return out, err, p:wait()""").text == "1000000|1000000|0"


def test_a_second_reader_or_writer_raises(client):
    assert run_lua(client, """
        local p <close> = mt.process { "sleep", "10" }
        local tasks = { mt.spawn(function() p:read() end),
            mt.spawn(function() p:write(("x"):rep(1024):rep(1024)) end) }
        mt.sleep(0)
        local _, one = pcall(p.read, p)
        local _, two = pcall(p.write, p, "x")
        return one, two""").text == (
            "another task is reading this output|another task is writing to this process")


def test_pieces_are_as_small_as_asked(client):
    assert run_lua(client, """
        local p <close> = mt.process { "printf", "abcdef" }
        p:wait()
        return p:read(4), p:read(4), p:read(4), p:read()""").text == "abcd|ef|nil|nil"


def test_signals(client):
    assert run_lua(client, """
        local ends = {}
        for _, sent in ipairs { "SIGINT", 10, "SIGRTMIN+1" } do
            local p = mt.process { "sleep", "1000" }
            p:kill(sent)
            ends[#ends + 1] = select(2, p:wait())
            p:kill()
        end
        return table.unpack(ends)""").text == "SIGINT|SIGUSR1|SIGRTMIN+1"


def test_who_waits_learns_of_the_end_by_others(client):
    assert run_lua(client, """
        local p = mt.process { "sleep", "1000" }
        local late = mt.process({ "sleep", "1000" }, { timeout = 0.1 })
        local large = mt.process({ "yes" }, { limit = 10 })
        local function try(of, method)
            return function() return tostring(select(2, pcall(of[method], of))) end
        end
        return mt.all(try(p, "wait"), try(p, "read"), function() mt.sleep(0.1) p:close() end,
            try(late, "wait"), try(late, "read_error"), try(large, "wait"), try(large, "read"))
        """).text.replace("run:1: ", "") == (
            "sleep: the process is closed|sleep: the process is closed|nil"
            "|sleep: not done after 0.1 s|sleep: not done after 0.1 s"
            "|yes: more than 10 bytes of output|yes: more than 10 bytes of output")


# The server's end, and that of its scripts.

KEEPS = """
    local mt = require "moontrail"
    mt.spawn(function() mt.exec { "sh", "-c", "%s" } end)
    return function(ctx) mt.exec { "sleep", "%s" } end"""


def test_scripts_that_are_loaded_anew_take_their_programs_along(watch, tmp_path, idle):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "hello.lua").write_text(KEEPS % (STUBBORN % idle, idle))
    (tmp_path / "s" / "other.lua").write_text(says("old"))
    w = watch(tmp_path / "s")
    wait_for_programs(w.server, idle, 1)
    (tmp_path / "s" / "hello.lua").unlink()
    (tmp_path / "s" / "other.lua").write_text(says("new"))
    w.expect("new", "/other")
    wait_for_programs(w.server, idle, 0)


@pytest.mark.parametrize("stubborn", [False, True])
def test_the_server_stops(start, connect, idle, stubborn):
    command = STUBBORN % idle if stubborn else f"exec sleep {idle}"
    server = start({"index.lua": KEEPS % (command, idle)}, "--grace", "0.3")
    connect(server.http).request("/")
    wait_for_programs(server, idle, 2)
    server.stop()
    assert found(idle) == []


def test_the_worker_dies(start, connect, idle):
    """What its programs have started goes with them."""
    server = start({"index.lua": KEEPS % (f"sleep {idle}; true", idle)})
    connect(server.http).request("/")
    wait_for_programs(server, idle, 2)
    os.kill(server.workers[0], signal.SIGKILL)
    wait_for_programs(server, idle, 0)


def test_the_master_dies(tmp_path, connect, idle):
    scripts = write_scripts(tmp_path, {"index.lua": KEEPS % ("true", idle)})
    server = Server(scripts, "--grace", "0.3")
    connect(server.http).request("/")
    wait_for_programs(server, idle, 1)
    server.kill()
    wait_for_programs(server, idle, 0)
    assert server.find("error master lost") and not server.find("Sanitizer")
