"""A change of the scripts, however it is made, is what the next requests see."""
import os
import re
import shutil
import signal
import stat
import time
from random import Random

import pytest

from handlers import WAIT
from reloading import QUIET, save_as_vim, save_by_rename, save_in_place, says
from server import run, write_scripts

SCRIPTS = {
    "hello.lua": says("one"),
    "words.lua": "return function(ctx) ctx:text(require('_words')) end",
    "_words.lua": "return 'few'",
    "api/users.lua": says("users"),
    "wait.lua": WAIT,
}


@pytest.fixture
def folder(tmp_path):
    return write_scripts(tmp_path / "scripts", SCRIPTS)


# Saving.

@pytest.mark.parametrize("save", [save_in_place, save_by_rename, save_as_vim])
def test_a_save_is_seen(watch, folder, save):
    w = watch(folder)
    for text in ("two", "three", "four"):
        save(folder / "hello.lua", says(text))
        w.expect(text)
    assert not w.faults


def test_a_slow_writer_is_waited_for(watch, folder):
    w = watch(folder)
    with open(folder / "hello.lua", "w", encoding="utf-8") as file:
        for piece in ("return function(ctx)", " ctx:text(", "'two') end"):
            file.write(piece)
            file.flush()
            time.sleep(0.1)
    w.expect("two")
    assert not w.faults


def test_saves_one_upon_another(watch, folder):
    """Each file is empty for a while, and hardly ever taken for broken: only where the system has
    emptied it and not said so yet."""
    w, times = watch(folder), Random(1)
    for number in range(100):
        with open(folder / "hello.lua", "w", encoding="utf-8") as file:
            time.sleep(times.uniform(0, 0.03))
            file.write(says(number))
        time.sleep(times.uniform(0, 0.06))
    w.expect("99")
    assert len(w.faults) < 5


def test_a_file_that_is_never_closed_is_read(watch, folder):
    w = watch(folder)
    with open(folder / "hello.lua", "w", encoding="utf-8") as file:
        file.write(says("two"))
        file.flush()
        w.expect("two")


def test_a_single_script_is_watched(watch, tmp_path):
    write_scripts(tmp_path, {"only.lua": says("one"), "other.lua": "broken"})
    w = watch(tmp_path / "only.lua")
    save_by_rename(tmp_path / "only.lua", says("two"))
    w.expect("two", "/any")
    save_in_place(tmp_path / "other.lua", "still broken")
    assert w.settle() == 1


def test_without_watch_nothing_happens(serve, folder):
    w = serve(folder)
    save_in_place(folder / "hello.lua", says("two"))
    assert w.settle() == 0 and w.text() == "one"


# Files and folders.

def test_files_made_moved_and_deleted(watch, folder):
    w = watch(folder)
    save_in_place(folder / "new.lua", says("new"))
    w.expect("new", "/new")
    (folder / "new.lua").rename(folder / "api" / "moved.lua")
    w.expect("new", "/api/moved")
    assert w.fetch("/new").status == 404
    (folder / "api" / "moved.lua").unlink()
    w.expect("Not Found\n", "/api/moved")
    assert not w.faults


def test_folders_made_renamed_and_removed(watch, folder):
    w = watch(folder)
    (folder / "deep" / "er").mkdir(parents=True)
    save_in_place(folder / "deep" / "er" / "one.lua", says("one"))
    w.expect("one", "/deep/er/one")
    (folder / "deep").rename(folder / "deeper")
    w.expect("one", "/deeper/er/one")
    save_in_place(folder / "deeper" / "er" / "one.lua", says("two"))
    w.expect("two", "/deeper/er/one")
    shutil.rmtree(folder / "deeper")
    w.expect("Not Found\n", "/deeper/er/one")
    assert w.text() == "one"


def test_the_whole_folder_is_replaced(watch, folder, tmp_path):
    w = watch(folder)
    write_scripts(tmp_path / "next", SCRIPTS | {"hello.lua": says("two")})
    folder.rename(tmp_path / "before")
    (tmp_path / "next").rename(folder)
    w.expect("two")
    save_in_place(folder / "hello.lua", says("three"))
    w.expect("three")


def test_a_burst_as_of_a_checkout(watch, folder):
    """200 files, each of which is removed and made, with folders."""
    w = watch(write_scripts(folder, {f"many/{n}.lua": says("old") for n in range(100)}))
    for n in range(100):
        (folder / "many" / f"{n}.lua").unlink()
        (folder / "more" / str(n)).mkdir(parents=True)
        save_in_place(folder / "more" / str(n) / "index.lua", says(f"new {n}"))
    for n in (0, 50, 99):
        w.expect(f"new {n}", f"/more/{n}")
        assert w.fetch(f"/many/{n}").status == 404
    assert not w.faults and w.settle() < 20


def test_a_link_to_the_scripts_is_turned(watch, tmp_path):
    """As deployments do: the folder, and one above it, by one rename."""
    for number in (1, 2):
        write_scripts(tmp_path / f"release{number}" / "scripts", {"hello.lua": says(number)})
    current = tmp_path / "current"
    current.symlink_to("release1")
    w = watch(current / "scripts")
    save_in_place(tmp_path / "release1" / "scripts" / "hello.lua", says("one"))
    w.expect("one")
    (tmp_path / "fresh").symlink_to("release2")
    (tmp_path / "fresh").rename(current)
    w.expect("2")
    save_in_place(tmp_path / "release2" / "scripts" / "hello.lua", says("two"))
    w.expect("two")


def test_links_within_the_scripts(watch, folder, tmp_path):
    for name in ("red", "blue"):
        write_scripts(tmp_path / name, {"colour.lua": says(name)})
    w = watch(folder)
    (folder / "linked").symlink_to(tmp_path / "red")
    w.expect("red", "/linked/colour")
    save_in_place(tmp_path / "red" / "colour.lua", says("dark red"))
    w.expect("dark red", "/linked/colour")
    (tmp_path / "fresh").symlink_to(tmp_path / "blue")
    (tmp_path / "fresh").rename(folder / "linked")
    w.expect("blue", "/linked/colour")


def test_links_that_lead_round_are_no_trap(watch, folder):
    w = watch(folder)
    for name in ("_round", "_and_round"):
        (folder / name).symlink_to(folder)
    save_in_place(folder / "hello.lua", says("two"))
    w.expect("two")


# Modules, and what lies elsewhere.

def test_a_module(watch, folder):
    w = watch(folder)
    assert w.text("/words") == "few"
    save_by_rename(folder / "_words.lua", "return 'many'")
    w.expect("many", "/words")


ELSEWHERE = {
    "require": "package.path = '%s/?.lua;' .. package.path local text = require 'elsewhere'",
    "dofile": "local text = dofile('%s/elsewhere.lua')",
    "loadfile": "local text = loadfile('%s/elsewhere.lua')()",
    "watch": """
        local path = '%s/elsewhere.lua'
        require('moontrail').watch(path)
        local file <close> = io.open(path)
        local text = load(file:read('a'))()""",
}


@pytest.mark.parametrize("how", ELSEWHERE)
def test_a_file_elsewhere(watch, tmp_path, how):
    outside = write_scripts(tmp_path / "outside", {"elsewhere.lua": "return 'one'"})
    script = ELSEWHERE[how] % outside + " return function(ctx) ctx:text(text) end"
    w = watch(write_scripts(tmp_path / "scripts", {"hello.lua": script}))
    assert w.text() == "one"
    save_by_rename(outside / "elsewhere.lua", "return 'two'")
    w.expect("two")
    save_in_place(outside / "elsewhere.lua", "return 'three'")
    w.expect("three")
    count = w.settle()
    save_in_place(outside / "other.lua", "return 'four'")
    assert w.settle() == count


def test_a_module_that_comes_before_another(watch, tmp_path):
    """The folder that require searches first does not even exist at the start."""
    script = """
        package.path = '{0}/first/inner/?.lua;{0}/second/?.lua'
        local text = require 'part.words'
        return function(ctx) ctx:text(text) end""".format(tmp_path)
    write_scripts(tmp_path / "second", {"part/words.lua": "return 'second'"})
    w = watch(write_scripts(tmp_path / "scripts", {"hello.lua": script}))
    assert w.text() == "second"
    write_scripts(tmp_path / "first", {"inner/part/words.lua": "return 'first'"})
    w.expect("first")


# What is no reason to load anew.

def test_other_files_are_no_reason(watch, folder):
    w = watch(folder)
    for name in ("notes.txt", ".hello.lua.swp", "hello.lua~", "4913", "api/data.json"):
        save_in_place(folder / name, "anything")
    assert w.settle() == 0


def test_a_handler_that_writes_files_is_no_reason(watch, tmp_path):
    w = watch(write_scripts(tmp_path / "scripts", {"hello.lua": f"""
        return function(ctx)
            local file <close> = io.open("{tmp_path}/scripts/data.json", "a")
            file:write("[]")
            ctx:text("written")
        end"""}))
    for _ in range(100):
        assert w.text() == "written"
    assert w.settle() == 0


# Orders at the same time.

def test_hup_loads_anew(serve, folder):
    w = serve(folder, "-w", "2")
    save_in_place(folder / "hello.lua", says("two"))
    w.server.signal(signal.SIGHUP)
    w.server.wait_for("info scripts loaded workers=2")
    assert w.text() == "two"


def test_each_worker_draws_numbers_of_its_own(serve, folder):
    """Though they load at the same time, and have the same addresses."""
    scripts = write_scripts(folder, {"draw.lua": "print('drew', math.random(0)) return print"})
    w = serve(scripts, "-w", "4")
    for _ in range(3):
        before = w.loads
        w.server.signal(signal.SIGHUP)
        w.server.wait_until(lambda: w.loads > before)
    drawn = w.server.lines("drew")
    assert len(drawn) >= 16 and len({re.search("drew.*", line)[0] for line in drawn}) == len(drawn)


def test_changes_while_a_reload_is_proved(watch, folder):
    """They are gathered into one reload more."""
    w = watch(write_scripts(folder, {"slow.lua": "os.execute('sleep 0.3') return print"}))
    for number in range(20):
        save_by_rename(folder / "hello.lua", says(number))
        w.server.signal(signal.SIGHUP)
        time.sleep(0.02)
    w.expect("19")
    assert w.settle() <= 6 and not w.faults


def test_a_fix_is_not_held_up_by_scripts_that_hang_as_they_load(watch, folder):
    w = watch(folder, "--load-timeout", "60")
    save_by_rename(folder / "hello.lua", "while true do end")
    time.sleep(QUIET)
    save_by_rename(folder / "hello.lua", says("fixed"))
    w.expect("fixed")
    assert not w.faults


def test_hup_keeps_watching(watch, folder):
    w = watch(folder)
    for number in range(3):
        save_by_rename(folder / "hello.lua", says(f"as {number}"))
        w.renew()
        w.expect(f"as {number}")
        save_in_place(folder / "hello.lua", says(f"after {number}"))
        w.expect(f"after {number}")


def test_nothing_is_loaded_once_it_drains(watch, folder):
    w = watch(folder)
    stream = w.client.request("/wait", "POST", end=False)
    w.client.wait(lambda: w.client.so_far(stream).body == b"begun")
    w.server.signal(signal.SIGTERM)
    w.server.wait_for("info stopping")
    save_in_place(folder / "hello.lua", says("two"))
    w.server.signal(signal.SIGHUP)
    assert w.settle() == 0
    w.client.send(stream, b" and ended", end=True)
    assert w.client.response(stream).text == "begun and ended"
    assert w.server.wait() == 0


def test_a_drain_while_a_reload_is_proved(watch, folder):
    w = watch(write_scripts(folder, {"slow.lua": "os.execute('sleep 1') return print"}))
    save_in_place(folder / "hello.lua", says("two"))
    time.sleep(0.3)
    w.server.signal(signal.SIGTERM)
    assert w.server.wait() == 0
    assert not w.faults


# Links, and folders above.

def turn(link, target):
    """As deployments do: a new link takes the old one's name."""
    fresh = link.with_name(".fresh")
    fresh.symlink_to(target)
    fresh.rename(link)


def write_releases(folder, files):
    """Two of them, whose files differ by a number, and a link to the first."""
    for number in (1, 2):
        write_scripts(folder / "releases" / str(number),
                      {name: text % number for name, text in files.items()})
    (folder / "current").symlink_to("releases/1")
    return folder / "current"


SAYS_NUMBER = "return function(ctx) ctx:text('%d') end"


@pytest.mark.parametrize("scripts, text", [
    ("s", "current/s"), ("s", "{}/current/s"), ("s", "releases/../current/s"), ("s/only.lua", None)])
def test_a_link_that_the_text_of_another_leads_through(watch, tmp_path, scripts, text):
    current = write_releases(tmp_path, {"s/hello.lua": SAYS_NUMBER, "s/only.lua": SAYS_NUMBER})
    (tmp_path / "s").symlink_to((text or "current/s").format(tmp_path))
    w = watch(tmp_path / scripts)
    assert w.text() == "1"
    turn(current, "releases/2")
    w.expect("2")
    turn(current, "releases/1")
    w.expect("1")


def test_links_from_within_the_scripts_through_others(watch, folder, tmp_path):
    current = write_releases(tmp_path, {"s/hello.lua": SAYS_NUMBER, "lib/part.lua": "return '%d'"})
    (folder / "one.lua").symlink_to("../current/s/hello.lua")
    (folder / "sub").symlink_to("../current/s")
    (folder / "_lib").symlink_to("../current/lib")
    write_scripts(folder, {"part.lua": "return function(ctx) ctx:text(require('_lib.part')) end"})
    w = watch(folder)
    for number in ("2", "1"):
        turn(current, f"releases/{number}")
        for path in ("/one", "/sub/hello", "/part"):
            w.expect(number, path)


def test_scripts_as_kubernetes_mounts_them(watch, tmp_path):
    folder = tmp_path / "mounted"
    for number in (1, 2):
        write_scripts(folder / f"..{number}", {"hello.lua": SAYS_NUMBER % number,
                                               "_part.lua": f"return '{number}'"})
    (folder / "..data").symlink_to("..1")
    for name in ("hello.lua", "_part.lua"):
        (folder / name).symlink_to(f"..data/{name}")
    write_scripts(folder, {"part.lua": "return function(ctx) ctx:text(require('_part')) end"})
    w = watch(folder)
    turn(folder / "..data", "..2")
    w.expect("2")
    w.expect("2", "/part")


def test_a_watched_file_behind_links(watch, folder, tmp_path):
    current = write_releases(tmp_path, {"data/words": "%d"})
    (tmp_path / "words").symlink_to("current/data/words")
    write_scripts(folder, {"hello.lua": f"""
        require('moontrail').watch('{tmp_path}/words')
        local file <close> = io.open('{tmp_path}/words')
        local text = file:read('a')
        return function(ctx) ctx:text(text) end"""})
    w = watch(folder)
    turn(current, "releases/2")
    w.expect("2")


def test_a_chain_whose_middle_is_missing_for_a_moment(watch, folder, tmp_path):
    current = write_releases(tmp_path, {"s/hello.lua": SAYS_NUMBER})
    (folder / "sub").symlink_to("../current/s")
    w = watch(folder)
    assert w.text("/sub/hello") == "1"
    current.unlink()
    w.expect("Not Found\n", "/sub/hello")
    current.symlink_to("releases/2")
    w.expect("2", "/sub/hello")


def test_a_folder_above_the_scripts_is_replaced(watch, tmp_path):
    for name, number in (("app", 1), ("app.new", 2)):
        write_scripts(tmp_path / name / "web" / "scripts", {"hello.lua": SAYS_NUMBER % number})
    w = watch(tmp_path / "app" / "web" / "scripts")
    (tmp_path / "app").rename(tmp_path / "app.old")
    (tmp_path / "app.new").rename(tmp_path / "app")
    w.expect("2")


@pytest.mark.parametrize("path", ["('a/'):rep(2040) .. 'x'", "('/'):rep(4000) .. 'x'",
                                  "('a/'):rep(100000)", "('n'):rep(5000)", "''", "'a\\nb'",
                                  "('../'):rep(1300) .. 'x'"])
def test_no_name_harms_the_master(watch, folder, path):
    w = watch(write_scripts(folder, {"odd.lua": f"""
        local mt = require "moontrail"
        mt.watch({path})
        package.path = {path} .. "?.lua;" .. package.path
        pcall(require, "nowhere")
        return print"""}))
    save_in_place(folder / "hello.lua", says("two"))
    w.expect("two")
    assert w.server.process.poll() is None


# A folder that lives.

def test_what_is_no_script_is_passed_over(watch, folder):
    """Dead links, loops of links, sockets, names that are no text."""
    (folder / "README").symlink_to("/nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "self").symlink_to(".")
    (folder / "api" / "up").symlink_to("..")
    (folder / "node_modules").mkdir()
    for number in range(50):
        (folder / "node_modules" / f"dead{number}").symlink_to(f"../gone{number}")
    os.mkfifo(folder / "pipe")
    os.mknod(folder / "socket", 0o600 | stat.S_IFSOCK)
    with open(os.fsencode(folder) + b"/\xff\xfe.txt", "w", encoding="utf-8"):
        pass
    w = watch(folder)
    assert w.text() == "one" and w.text("/api/users") == "users"
    assert w.fetch("/self/hello").status == 404
    left_out = w.server.lines("warn folder left out .*leads back")
    assert len(left_out) == 2  # said once, whoever loads
    save_in_place(folder / "hello.lua", says("two"))
    w.expect("two")
    assert not w.faults


@pytest.mark.parametrize("make, reason", [
    (lambda path: path.symlink_to("/nowhere"), "No such file"),
    (lambda path: path.symlink_to(path.name), "symbolic links"),
    (os.mkfifo, "is no file")])
def test_what_names_itself_a_script_and_is_none_is_told(tmp_path, make, reason):
    folder = write_scripts(tmp_path / "scripts", SCRIPTS)
    make(folder / "x.lua")
    done = run("--check", folder)
    assert done.returncode == 1 and "x.lua: " in done.stderr and reason in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_folder_that_workers_may_not_read_is_left_out(start, connect, open_folder, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # it may not look at such a process
    scripts = write_scripts(open_folder / "scripts", SCRIPTS)
    (scripts / "lost+found").mkdir(mode=0o700)
    server = start(scripts, "--user", "nobody")
    assert connect(server.https).fetch("/hello").text == "one"
    server.wait_for("warn folder left out .*lost.found.*Permission denied")
    done = run("--check", "--user", "nobody", scripts)
    assert done.returncode == 0 and "folder left out" in done.stderr
    (scripts / "hello.lua").chmod(0o600)
    done = run("--check", "--user", "nobody", scripts)
    assert done.returncode == 1 and "Permission denied" in done.stderr


def test_no_save_is_lost_while_other_files_go(watch, folder):
    assets = folder / "assets"
    assets.mkdir()
    w = watch(folder)
    for turn_number in range(5):
        for number in range(500):
            (assets / f"{number}.png").touch()
        save_in_place(folder / "hello.lua", says(turn_number))
        for number in range(500):
            (assets / f"{number}.png").unlink()
        w.expect(str(turn_number))
    assert not w.faults


def test_a_reload_that_failed_is_tried_once_more(watch, folder, tmp_path):
    """What it failed for may be gone by then, and no event tells."""
    write_scripts(folder, {"hello.lua": f"""
        local tries = io.open("{tmp_path}/tries", "a")
        tries:write("x") tries:close()
        local count = #io.open("{tmp_path}/tries"):read("a")
        if count == 3 then error("for a moment") end
        return function(ctx) ctx:text("tried") end"""})
    w = watch(folder)
    assert w.text() == "tried"
    save_in_place(folder / "words.lua", says("words"))
    w.expect("words", "/words")
    assert len(w.faults) == 1


def test_a_fault_that_stays_is_told_once(watch, folder):
    w = watch(folder)
    save_in_place(folder / "hello.lua", "broken")
    w.server.wait_for("scripts not loaded")
    w.settle()
    assert len(w.faults) == 1
    save_in_place(folder / "hello.lua", says("two"))
    w.expect("two")
