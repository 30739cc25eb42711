"""The configuration file, and that the documents name the options as the program does."""
import os
import pwd
import re
import signal
import subprocess

import pytest

from http1 import Http1
from server import ROOT, run, write_scripts
from upstreams import free_port

HANDLER = "return function(ctx) ctx:text('hello') end"
OPTION = re.compile(r"^  (?:-\w, |    )--([a-z-]+)(?: (\S+))? ", re.M)
COMMANDS = {"config", "check", "openapi", "version", "help"}  # for the command line alone

# A value that an option with this argument takes, as Lua.
VALUES = {"": "true", "N": "7", "BYTES": "70000", "MIB": "64", "SECONDS": "1.5", "URL":
          '{ "http://127.0.0.1:0" }', "NAME=URL": '"a=http://127.0.0.1:1"', "[PREFIX=]URL": '"/a/=http://127.0.0.1:1"', "FILE": '"some.file"', "LEVEL": '"warn"', "NAME": '"nobody"', "DIR": '"."'}
CHOICES = {"store": '"memory:"', "log-format": '"json"', "access-log-format": '"json"'}


def options():
    """Each option that --help lists, by name, with its argument."""
    return dict(OPTION.findall(run("--help").stdout))


@pytest.fixture
def config(tmp_path):
    """Writes a configuration file."""
    def write(text):
        file = tmp_path / "moontrail.lua"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file
    return write


@pytest.fixture
def check(config, tmp_path):
    """Loads a configuration, with one script beside it."""
    scripts = write_scripts(tmp_path / "scripts", {"index.lua": HANDLER})
    return lambda text, *args: run("--check", "-c", config(text), *args, scripts)


def check_refusal(done, file, *parts):
    """One line on stderr, with the file's name and all of the parts; exit status 1."""
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.startswith("moontrail: ") and done.stderr.count("\n") == 1, done.stderr
    for part in (str(file), *parts):
        assert part in done.stderr


# What a file may say.

def fields(name, value, certificate):
    """An option in a table; a certificate never goes without its key, and the user is one who can read."""
    if name == "user":
        return f'user = "{pwd.getpwuid(os.geteuid()).pw_name}"'
    if name in ("cert", "key"):
        return f'cert = "{certificate.cert}", key = "{certificate.key}"'
    return f'["{name}"] = {value}'


def test_every_option_of_help_goes_into_a_file(check, local_certificate):
    listed = options()
    assert COMMANDS < set(listed) and len(listed) > 30
    for name, argument in listed.items():
        if name in COMMANDS:
            continue
        value = CHOICES.get(name) or VALUES[argument]
        for spelling in (name, name.replace("-", "_")):
            table = fields(spelling, value, local_certificate)
            done = check(f"return {{ {table} }}")
            assert (done.returncode, done.stderr) == (0, ""), table


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_commands_do_not_go_into_a_file(check, config, name):
    done = check(f"return {{ {name} = true }}")
    check_refusal(done, config(""), f"{name} is for the command line alone")


def test_scripts_and_listeners_of_a_file(start, config, connect, tmp_path):
    write_scripts(tmp_path / "here", {"index.lua": HANDLER})
    file = config(f'return {{ listen = "http://127.0.0.1:0", scripts = "{tmp_path}/here" }}')
    server = start(tmp_path / "here", "-c", file, listen=())
    assert len(server.urls) == 1
    assert connect(server.http).fetch("/").text == "hello"
    done = run("--check", "-c", file)
    assert done.stdout.endswith(f"{tmp_path}/here/index.lua\n")


@pytest.mark.parametrize("way", [signal.SIGHUP, signal.SIGUSR2])
def test_a_kept_socket_that_takes_no_ipv4_is_told(start, config, way):
    """What it takes was settled when it was bound."""
    port = free_port()
    both = f'"http://[::]:{port}", "http://0.0.0.0:{port}"'
    file = config(f"return {{ listen = {{ {both} }} }}")
    server = start({"index.lua": HANDLER}, "-c", file, listen=())
    config(f'return {{ listen = {{ "http://[::]:{port}" }} }}')
    server.signal(way)
    server.wait_for(rf"socket kept listen=\[::\]:{port} hint=.*takes no IPv4")
    config(f"return {{ listen = {{ {both} }} }}")


def test_an_address_whose_place_a_kept_socket_has_names_it(start, config):
    port = free_port()
    file = config(f'return {{ listen = "http://[::]:{port}" }}')
    server = start({"index.lua": HANDLER}, "-c", file, listen=())
    config(f'return {{ listen = {{ "http://[::]:{port}", "http://0.0.0.0:{port}" }} }}')
    server.signal(signal.SIGHUP)
    server.wait_for(rf"cannot listen on 0.0.0.0:{port}: the socket at \[::\]:{port}.*takes IPv4 too")
    with Http1(f"http://127.0.0.1:{port}") as client:
        assert client.fetch("/").text == "hello"


def test_certificates_of_a_file_go_in_pairs(start, config, certificates, connect):
    one, two = certificates["one.test"], certificates["two.test"]
    file = config(f'return {{ cert = {{ "{one.cert}", "{two.cert}" }},'
                  f'         key = {{ "{one.key}", "{two.key}" }} }}')
    server = start({"index.lua": HANDLER}, "-c", file)
    for name in certificates:
        client = connect(server.https, server_name=name)
        assert client.fetch("/").text == "hello"
        pem = client.socket.getpeercert(binary_form=True)
        assert name.encode() in pem


def test_limits_of_a_file_are_in_force(start, config, connect):
    server = start({"index.lua": HANDLER}, "-c", config("return { max_header_fields = 8 }"))
    client = connect(server.https)
    assert client.fetch("/").status == 200
    assert client.fetch("/", headers=[(f"x-{i}", "1") for i in range(10)]).status == 431


def test_flags_win_wherever_they_stand(start, config, connect):
    file = config('return { max_header_fields = 2, listen = "http://127.0.0.1:1" }')
    server = start({"index.lua": HANDLER}, "--max-header-fields", "50", "-c", file)
    assert len(server.urls) == 2
    assert connect(server.https).fetch("/").status == 200


def test_a_file_is_a_program(check):
    done = check('local n = 0 for i = 1, 7 do n = n + i end return { max_streams = n,'
                 'log_level = os.getenv("NO_SUCH_NAME") or "info" }')
    assert (done.returncode, done.stderr) == (0, "")


# What it may not.

WRONG = {
    "unknown": ("colour = 1", '"colour" is unknown'),
    "a slip": ("max_strems = 1", "max-strems", "max-streams"),
    "a number as text": ('max_streams = "7"', "max-streams", "whole number", '"7"'),
    "a fraction": ("max_streams = 7.5", "max-streams", "whole number", "7.5"),
    "zero": ("max_streams = 0", "max-streams is above 0"),
    "negative": ("grace = -1", "grace", "seconds", "-1"),
    "not a number": ("grace = 0/0", "grace", "seconds"),
    "infinite": ("grace = math.huge", "grace", "seconds", "inf"),
    "a switch as text": ('dev = "yes"', "dev is true or false", '"yes"'),
    "a text as number": ("access_log = 1", "access-log is a text", "not 1"),
    "a function": ("grace = print", "grace", "a function"),
    "a list": ('log_level = { "info" }', "log-level is one of debug, info, warn, error", "a list"),
    "no choice": ('log_format = "xml"', "log-format is one of text, json", '"xml"'),
    "an empty list": ("listen = {}", "listen is a text or a list of texts"),
    "a list of numbers": ("listen = { 80 }", "listen is a list of texts, and holds a number"),
    "a table with keys": ('listen = { url = "x" }', "listen is a text, or a list"),
    "a NUL": (r'access_log = "a\0b"', "access-log holds a NUL byte"),
    "a newline": (r'log_format = "a\nb"', "log-format", '"a b"'),
    "twice": ("max_streams = 1, ['max-streams'] = 1", "max-streams is given twice"),
    "no name": ('"listen"', "names of options"),
    "a certificate alone": ('cert = "a.pem"', "cert and key come in pairs: 1 and 0"),
}


@pytest.mark.parametrize("table, parts", [(t, p) for t, *p in WRONG.values()], ids=WRONG)
def test_a_wrong_setting(check, config, table, parts):
    check_refusal(check(f"return {{ {table} }}"), config(""), *parts)


BROKEN = {
    "syntax": ("return {\n\n", ":3: "),
    "raises": ("\nerror 'no luck'", ":2: no luck"),
    "raises a table": ("error {}", "raises an error that is no string"),
    "exits": ("\nos.exit(0)", ":2: os.exit"),
    "returns nothing": ("local x = 1", "returns a nil"),
    "bytecode": (b"\x1bLua\x54\x00\x19\x93", "binary chunk"),
}


@pytest.mark.parametrize("text, parts", [(t, p) for t, *p in BROKEN.values()], ids=BROKEN)
def test_a_broken_file(check, config, text, parts):
    check_refusal(check(text), config(""), *parts)


def test_a_missing_file():
    check_refusal(run("-c", "/nowhere.lua"), "/nowhere.lua", "No such file or directory")


def test_a_loop_ends(check, config):
    check_refusal(check("while true do pcall(error) end"), config(""), ":1: runs for more than")


def test_help_needs_no_file():
    assert run("-c", "/nowhere.lua", "--help").returncode == 0


# The documents.

DOCUMENTS = {"configuration.md": "markdown", "moontrail.1": "man"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_in_step(name):
    text = (ROOT / "docs" / name).read_text()
    made = subprocess.run([ROOT / "build/tests/docs/manual", DOCUMENTS[name]], input=text,
                          capture_output=True, text=True, check=True).stdout
    assert made == text, "make docs brings it in step"
    for option in options():
        assert f"--{option}" in text.replace("\\-", "-")


def test_the_example_of_the_documents_loads(config):
    example = re.search(r"```lua\n(.*?)```", (ROOT / "docs/configuration.md").read_text(), re.S)[1]
    done = run("--check", "-c", config(example), ROOT / "scripts")
    assert (done.returncode, done.stderr) == (0, "")
    man = (ROOT / "docs/moontrail.1").read_text()
    example = re.search(r"^\.RS\n(.*?)^\.RE", man, re.S | re.M)[1]
    done = run("--check", "-c", config(example), ROOT / "scripts")
    assert (done.returncode, done.stderr) == (0, "")
