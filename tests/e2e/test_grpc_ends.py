"""How gRPC calls end before their time: deadlines, cancellation, slow readers."""
import time

import pytest

grpc = pytest.importorskip("grpc")

from grpc_service import Data, calls, open_channel, scripts

SCRIPTS = scripts()


@pytest.fixture(params=["https", "http"])
def channel(request, server):
    server.log.clear()
    with open_channel(getattr(server, request.param)) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return calls(channel)


def code_of(call):
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code()


def test_the_handler_stops_at_its_deadline(stub, server):
    begun = time.monotonic()
    assert code_of(lambda: stub.Sleep(Data(count=60), timeout=0.5)) == \
        grpc.StatusCode.DEADLINE_EXCEEDED
    server.wait_for("slept.*false.*deadline exceeded|on_abort.*CANCEL")
    assert time.monotonic() - begun < 20


def test_a_call_knows_what_time_is_left(stub):
    _, call = stub.Echo.with_call(Data(), timeout=100)
    left = float(dict(call.trailing_metadata())["x-deadline"])
    assert 50 < left <= 101  # the client rounds up
    _, call = stub.Echo.with_call(Data())
    assert dict(call.trailing_metadata())["x-deadline"] == "nil"


def test_a_call_that_is_cancelled_before_a_reply(stub, server):
    call = stub.Sleep.future(Data(count=60))
    time.sleep(0.2)
    call.cancel()
    server.wait_for("on_abort.*CANCEL")
    server.wait_for("slept.*false.*request aborted: CANCEL.*CANCEL")


def test_a_call_that_is_cancelled_after_a_reply(stub, server):
    replies = stub.Count(Data(count=1000000, data=bytes(1000)))
    assert next(replies).count == 1
    replies.cancel()
    sent = server.wait_for(r'sent\\t(\d+)')
    assert int(sent[1]) < 1000000
    assert not server.find("grpc call failed|handler failed")


def test_an_error_behind_a_cancellation_is_still_told_of(stub, server):
    call = stub.Sleep.future(Data(count=60, text="behind it"))
    time.sleep(0.2)
    call.cancel()
    server.wait_for("grpc call failed.*behind it")


def test_a_client_that_leaves_ends_its_calls(server):
    server.log.clear()
    channel = open_channel(server.http)
    call = calls(channel).Sleep.future(Data(count=60))
    time.sleep(0.3)
    channel.close()
    server.wait_for("on_abort")
    assert call.done()


def test_a_slow_reader_slows_the_sender(server):
    server.log.clear()
    options = (("grpc.http2.lookahead_bytes", 65536), ("grpc.http2.bdp_probe", 0))
    with open_channel(server.http, *options) as channel:
        replies = calls(channel).Count(Data(count=2000, data=bytes(10000)))
        assert next(replies).count == 1
        time.sleep(0.5)
        assert not server.find("sent")
        assert sum(1 for _ in replies) == 1999
    server.wait_for(r"sent\\t2000")


def test_a_deadline_passes_while_the_reader_does_not_read(server):
    server.log.clear()
    with open_channel(server.http, ("grpc.http2.bdp_probe", 0)) as channel:
        replies = calls(channel).Count(Data(count=1000000, data=bytes(10000)), timeout=1)
        assert next(replies).count == 1
        server.wait_for(r"sent\\t\d+")
        assert code_of(lambda: list(replies)) == grpc.StatusCode.DEADLINE_EXCEEDED


# Tasks beside a handler, when the client is lost.

BESIDE = """
    local mt = require "moontrail"
    local S = require("moontrail.grpc").service("calls.proto", "test.Calls")
    local function read(call) for _ in call:messages() do end end
    local function write(call) while true do call:send { text = "x" } mt.sleep(0.01) end end
    local function ask(call) while not call:cancelled() do mt.sleep(0.001) end call:recv() end
    local function callback(call)
        while not call:cancelled() do mt.sleep(0.001) end
        mt.sleep(0.02)
        call.ctx:on_abort(function(reason) print("told", reason) end)
        call:recv()
    end
    local function late(call) mt.sleep(0.2) call:recv() end
    local function nested(call) mt.sleep(0.1) mt.spawn(late, call) end
    local beside = { read = { read }, write = { write }, both = { read, write }, ask = { ask },
                     callback = { callback }, late = { late }, nested = { nested } }
    function S.Chat(call)
        call.ctx:on_abort(function(reason) print("aborted", reason) end)
        for _, f in ipairs(beside[call.metadata["x-beside"]]) do mt.spawn(f, call) end
        while not call:cancelled() do
            if not call.metadata["x-beside"]:find("^[wb]") then call:send { text = "tick" } end
            mt.sleep(0.001)
        end
    end
    return S"""


@pytest.mark.parametrize("how", ["lost", "reset"])
@pytest.mark.parametrize("beside", ["read", "write", "both", "ask", "callback", "late", "nested"])
def test_tasks_beside_a_handler_end_without_a_word(start, connect, beside, how):
    server = start({**SCRIPTS, "calls.lua": BESIDE})
    client = connect(server.http)
    headers = [("content-type", "application/grpc"), ("te", "trailers"), ("x-beside", beside)]
    streams = [client.request("/test.Calls/Chat", "POST", headers, b"", False) for _ in range(40)]
    for stream in streams:
        client.wait_for_frame(stream, "DATA")
    if how == "lost":
        client.close()
    else:
        for stream in streams:
            client.reset(stream)
        client.ping()
    server.wait_until(lambda: len(server.lines("aborted")) >= 40)
    stopped = {"both": 80, "callback": 40}.get(beside, 40)
    server.wait_until(lambda: len(server.lines("task stopped")) >= stopped)
    if beside == "callback":
        assert len(server.lines("told")) == 40
    assert not server.find(" error ")
