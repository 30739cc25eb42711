"""Interceptors: what they see of a call, what they make of it, and the statuses that they raise."""
import pytest

from rpc import ALL, PROTO, call

KINDS = {"Echo": 1, "Count": 1, "Sum": 2, "Chat": 2}

SERVICE = """
    local grpc = require "moontrail.grpc"
    local function outer(call, next)
        call:header("x-order", "outer")
        if call.metadata["x-deny"] then grpc.error("PERMISSION_DENIED", "not you") end
        if call.metadata["x-break"] then error("broken") end
        if call.metadata["x-answer"] then return { text = "made up" } end
        local reply = next()
        call:trailer("x-reply", type(reply))
        if call.metadata["x-twice"] then next() end
        if call.metadata["x-late"] then grpc.error("ABORTED", "too late") end
        if call.metadata["x-change"] then return { text = "changed " .. reply.text } end
        return reply
    end
    local function inner(call, next)
        call:header("x-order", "inner")
        call:header("x-request", type(call.request) .. (call.request and call.request.text or ""))
        call:header("x-seen", call.protocol .. " " .. call.codec .. " " .. call.method)
        return next()
    end
    local Rpc = grpc.service("rpc.proto", "test.Rpc", { intercept = { outer, inner } })
    function Rpc.Echo(request, call) call:header("x-order", "method") return request end
    function Rpc.Count(request, call) for _ = 1, request.count do call:send(request) end end
    function Rpc.Sum(call)
        local text = ""
        for request in call:messages() do text = text .. request.text end
        return { text = text }
    end
    function Rpc.Chat(call) for request in call:messages() do call:send(request) end end
    return Rpc"""

SCRIPTS = {"rpc.proto": PROTO, "rpc.lua": SERVICE}


@pytest.fixture(params=ALL, ids=repr)
def protocol(request):
    return request.param


@pytest.fixture
def make(server, connect, protocol):
    client = connect(server.http)

    def make_one(method, *flags):
        messages = [protocol.message(text=text, count=2) for text in "ab"[:KINDS[method]]]
        return call(client, protocol, method, *messages, headers=[(flag, "1") for flag in flags])

    return make_one


def values(fields, name):
    return [value for key, value in fields if key == name]


def test_a_call_passes_through_them(make, protocol):
    for method, count in KINDS.items():
        outcome = make(method)
        assert (outcome.code, outcome.texts) == ("ok", {
            "Echo": ["a"], "Count": ["a", "a"], "Sum": ["ab"], "Chat": ["a", "b"]}[method])
        order = values(outcome.headers, "x-order")
        assert order == ["outer", "inner"] + ["method"] * (method == "Echo")
        assert values(outcome.headers, "x-request") == ["tablea" if count == 1 else "nil"]
        name = protocol.name.removesuffix("-text")
        assert values(outcome.headers, "x-seen") == [f"{name} {protocol.codec} test.Rpc/{method}"]
        assert values(outcome.trailers, "x-reply") == [
            "table" if method in ("Echo", "Sum") else "nil"]


def test_what_they_return_goes_out(make):
    assert make("Echo", "x-change").texts == ["changed a"]
    assert make("Sum", "x-change").texts == ["changed ab"]
    assert make("Echo", "x-answer").texts == ["made up"]


def test_their_statuses_are_the_calls(make):
    for method in KINDS:
        outcome = make(method, "x-deny")
        assert (outcome.code, outcome.message) == ("permission_denied", "not you")
        assert outcome.replies == []
        outcome = make(method, "x-late")
        assert (outcome.code, outcome.message) == ("aborted", "too late")


def test_next_runs_once(make, server):
    for method in KINDS:
        outcome = make(method, "x-twice")
        assert (outcome.code, outcome.message) == ("unknown", "the handler failed")
    assert server.find("rpc.lua:10: next was called before")


def test_an_error_of_theirs_is_the_handlers(make, server):
    outcome = make("Echo", "x-break")
    assert (outcome.code, outcome.message) == ("unknown", "the handler failed")
    assert server.find("grpc call failed.*rpc.lua:6: broken")


def test_one_function(start, connect, protocol):
    service = SERVICE.replace("{ outer, inner }", "outer")
    client = connect(start({**SCRIPTS, "rpc.lua": service}).http)
    outcome = call(client, protocol, "Echo", protocol.message(text="a"))
    assert values(outcome.headers, "x-order") == ["outer", "method"]
