"""Requests that end before their handler does, and handlers that fail."""
import pytest

from handlers import FAIL, FAIL_LATE

# Waits in one way or another; what it notices goes to the log, behind the request's path.
WAITER = """
    local mt = require "moontrail"
    return function(ctx)
        local path = ctx.path
        local function note(what) print(path .. " " .. what) end
        local guard <close> = setmetatable({}, { __close = function() note "closed" end })
        ctx:on_abort(function(reason) note("on_abort: " .. reason) end)
        note "begins"
        local _, err = pcall(function() %s end)
        note("raised: " .. err)
        _, err = pcall(mt.sleep, 0)
        note("raised again: " .. err)
        note("aborted: " .. ctx:aborted() .. " on " .. ctx.path)
    end"""

SCRIPTS = {
    "sleep/[id].lua": WAITER % "mt.sleep(3600)",
    "read/[id].lua": WAITER % "while true do ctx:read() end",
    "body/[id].lua": WAITER % "ctx:body()",
    "write/[id].lua": WAITER % "while true do ctx:write(('x'):rep(10000)) end",
    "flush/[id].lua": WAITER % "ctx:write(('x'):rep(1e6)); ctx:flush()",
    "fail.lua": FAIL,
    "fail_late.lua": FAIL_LATE,
    "fail_odd.lua": """
        return function() error({}) end""",
    "keep.lua": """
        local kept
        return function(ctx)
            if not kept then
                kept = ctx
                return ctx:text("kept")
            end
            local ok, err = pcall(kept.write, kept, "x")
            ctx:text(tostring(ok) .. " " .. err)
        end""",
}

WAYS = ["sleep", "read", "body", "write", "flush"]


def begin(server, client, way, ident):
    """Begins a request without end, and waits until its handler waits."""
    client.reading = False
    path = f"/{way}/{ident}"
    stream = client.request(path, "POST", end=False)
    server.wait_for(f"{path} begins")
    if way in ("write", "flush"):
        client.wait(lambda: client.h2.remote_flow_control_window(stream) == 0)
    client.ping()
    return stream


def check_log(server, way, ident, reason):
    path = f"/{way}/{ident}"
    for note in (f"on_abort: {reason}", f"raised: request aborted: {reason}",
                 f"raised again: request aborted: {reason}", f"aborted: {reason} on {path}",
                 "closed"):
        server.wait_for(f'"{path} {note}"')


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("code, reason", [(8, "CANCEL"), (2, "INTERNAL_ERROR"), (99, "0x63")])
def test_the_client_resets(server, client, way, code, reason):
    client.reset(begin(server, client, way, reason), code)
    check_log(server, way, reason, reason)
    assert client.fetch("/keep").status == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_client_vanishes(server, connect, way, scheme):
    client = connect(getattr(server, scheme))
    begin(server, client, way, scheme)
    client.vanish()
    check_log(server, way, scheme, "connection lost")


def test_the_client_says_goodbye_in_the_middle(server, connect):
    client = connect(server.https)
    begin(server, client, "sleep", "goodbye")
    client.close()
    check_log(server, "sleep", "goodbye", "connection lost")


def test_an_error_before_the_headers_gives_a_plain_500(server, client):
    response = client.fetch("/fail")
    assert (response.status, response.text) == (500, "Internal Server Error\n")
    assert response.header("x-never") is None
    server.wait_for(r'error handler failed .* error=".*/fail.lua:5: broke early" '
                    r'traceback="stack traceback:\\n')


def test_an_error_after_the_headers_resets(server, client):
    stream = client.request("/fail_late")
    assert client.response(stream).reset == 2
    assert client.frames(stream) == ["HEADERS", "DATA", "RST_STREAM"]
    server.wait_for(r"error handler failed .*attempt to index a nil value \(local 'nothing'\)")


def test_an_error_that_is_no_string(server, client):
    assert client.fetch("/fail_odd").status == 500
    server.wait_for(r'error handler failed .* error="table: ')


def test_a_kept_request_has_ended(client):
    client.fetch("/keep")
    assert client.fetch("/keep").text == "false request has ended"
