"""Names of upstreams whose name server is mute, is not there, or fails: what scripts and clients get,
by every way to another server."""
import subprocess

import pytest

from grpc_caller import SCRIPTS as GRPC_SCRIPTS
from grpc_caller import run_caller
from handlers import RUN, run_lua
from name_servers import NAME_ERROR, REFUSED, SERVER_FAILURE, NameServer, any_address, through, told_of
from upstreams import always, response

SCRIPTS = {
    "index.lua": RUN,
    "proxy.lua": "return function(ctx) ctx:proxy('http://known.test:' .. ctx.query, { path = '/' }) end",
    "here.lua": "return function(ctx) ctx:text('here') end",
}
CALL = """
    local ok, e = pcall(function()
        return mt.http.get("http://known.test:PORT/x", { OPTIONS }):body()
    end)
    return ok, e.kind or e, tostring(e)"""
SOON = ("--upstream-connect-timeout", "0.5")


@pytest.fixture
def name_server():
    """One that knows every name, or the test is left out where its port cannot be listened on."""
    try:
        server = NameServer()
    except OSError as problem:
        pytest.skip(f"without a port 53: {problem}")
    yield server
    server.stop()


@pytest.fixture
def asking(start, tmp_path):
    """Starts servers that ask the name server at an address, or leaves the test out where that takes
    more rights than there are."""
    def start_one(address, scripts, *options):
        prefix = through(told_of(tmp_path, address))
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
            pytest.skip("without namespaces of mounts")
        return start(scripts, *options, through=prefix)

    return start_one


def call(client, port, options=""):
    """Whether a script's call succeeds, the kind of its error or its body, and the text."""
    return run_lua(client, CALL.replace("PORT", str(port)).replace("OPTIONS", options)).text.split("|")


def test_a_name_is_found_every_way(name_server, asking, connect, upstream):
    port = upstream(always(response(b"found"))).port
    client = connect(asking(name_server.address, SCRIPTS, "--upstream",
                            f"/up/=http://known.test:{port}").https)
    assert call(client, port)[:2] == ["true", "found"]
    assert client.fetch(f"/proxy?{port}").text == "found"
    assert client.fetch("/up/").text == "found"
    assert name_server.asked.acquire(timeout=30)


def test_a_mute_name_server_is_a_timeout_to_scripts(name_server, asking, connect, upstream):
    """And is asked again: the name is found once it speaks."""
    name_server.code = None
    port = upstream(always(response(b"found"))).port
    client = connect(asking(name_server.address, SCRIPTS).https)
    ok, kind, text = call(client, port, "connect_timeout = 0.3")
    assert (ok, kind) == ("false", "timeout") and "no connection: " in text, text
    ok, kind, text = call(client, port, "timeout = 0.3")
    assert (ok, kind) == ("false", "timeout") and "timed out after 0.3 s" in text, text
    assert name_server.asked.acquire(timeout=30)
    name_server.code = 0
    assert call(client, port)[:2] == ["true", "found"]


@pytest.mark.parametrize("path", ["/up/", "/proxy?"])
def test_a_mute_name_server_is_a_504_to_clients(name_server, asking, connect, upstream, path):
    """While it is waited for, others are served."""
    name_server.code = None
    port = upstream(always(response(b"found"))).port
    server = asking(name_server.address, SCRIPTS, *SOON, "--upstream", f"/up/=http://known.test:{port}")
    client, path = connect(server.https), path + (str(port) if path.endswith("?") else "")
    waits = client.request(path)
    assert name_server.asked.acquire(timeout=30)
    assert client.fetch("/here").text == "here"
    assert client.response(waits).status == 504
    server.wait_for("upstream failed.*connect-timeout.*status=504")
    name_server.code = 0
    server.wait_until(lambda: client.fetch(path).text == "found")


@pytest.fixture
def failing(asking):
    """Starts servers for names that are not found, which are waited for for long."""
    return lambda address, port: asking(
        address, SCRIPTS, "--upstream-max-failures", "0", "--upstream-connect-timeout", "60",
        "--upstream", f"/up/=http://known.test:{port}")


def check_unreachable(client, port):
    """Every way at once, as each may wait for the same name."""
    streams = [client.request(path) for path in ("/up/", f"/proxy?{port}")]
    ok, kind, text = call(client, port, "connect_timeout = 60")
    assert (ok, kind) == ("false", "unreachable") and "no connection: " in text, text
    assert [client.response(stream).status for stream in streams] == [502, 502]


@pytest.mark.parametrize("code", [NAME_ERROR, SERVER_FAILURE, REFUSED])
def test_a_name_server_that_has_no_answer_is_unreachable(name_server, failing, connect, upstream, code):
    """And is asked again by the next call."""
    name_server.code = code
    port = upstream(always(response(b"found"))).port
    server = failing(name_server.address, port)
    client = connect(server.https)
    check_unreachable(client, port)
    assert name_server.asked.acquire(timeout=30)
    name_server.code = 0
    assert call(client, port)[:2] == ["true", "found"]
    assert client.fetch("/up/").text == "found"


def test_a_name_server_that_is_not_there_is_unreachable(failing, connect):
    server = failing(any_address(), 1)
    check_unreachable(connect(server.https), 1)


@pytest.mark.parametrize("code, options, told", [
    (NAME_ERROR, "{}", "UNAVAILABLE: "), (None, "{ timeout = 0.1 }", "DEADLINE_EXCEEDED: "),
    (None, "{}", "UNAVAILABLE: ")])
def test_grpc_clients_are_told_by_status(name_server, asking, connect, code, options, told):
    """Without a deadline, it is the connection's time that runs out."""
    name_server.code = code
    server = asking(name_server.address, GRPC_SCRIPTS)
    text = run_caller(connect(server.https), "h2c://known.test:1",
                      f"return pcall(c.Echo, c, {{}}, {options})", "{ connect_timeout = 1 }")
    assert text.startswith("false|" + told), text
    assert name_server.asked.acquire(timeout=30)
