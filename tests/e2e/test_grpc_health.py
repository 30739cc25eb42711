"""Health and reflection, which come with every gRPC service."""
import os
import signal
from contextlib import ExitStack

import pytest

grpc = pytest.importorskip("grpc")

from client import Client
from grpc_extras import HEALTH, Check, Reflection, name_of
from grpc_service import PROTO, open_channel, scripts

EXTENDED = """
    syntax = "proto2";
    package extended;
    import "google/protobuf/empty.proto";
    message Base { extensions 100 to 200; }
    extend Base { optional string more = 150; optional string most = 151; }
    service Other { rpc Do(Base) returns (google.protobuf.Empty); }"""

SCRIPTS = {
    **scripts(),
    "extended.proto": EXTENDED,
    "other.lua": """
        local grpc = require "moontrail.grpc"
        return grpc.service("extended.proto", "extended.Other")""",
    "hidden.proto": PROTO.replace("package test;", "package hidden;"),
    "hidden.lua": """
        local grpc = require "moontrail.grpc"
        return grpc.service("hidden.proto", "hidden.Calls", { health = false, reflection = false })
        """,
    "set.lua": """
        local grpc = require "moontrail.grpc"
        return function(ctx) grpc.health.set(ctx:args().service, ctx:args().status) end""",
}


@pytest.fixture
def channel(server):
    with open_channel(server.http) as channel:
        yield channel


@pytest.fixture
def health(channel):
    return HEALTH.stub(channel, "grpc.health.v1.Health")


@pytest.mark.parametrize("service", ["", "test.Calls", "extended.Other"])
def test_what_is_served_is_healthy(health, service):
    assert name_of(health.Check(Check(service=service))) == "SERVING"


def test_list_tells_of_each_service(health, connect, server):
    def listed():
        request = HEALTH.message("grpc.health.v1.HealthListRequest")()
        return {name: name_of(response)
                for name, response in health.List(request).statuses.items()}

    before = listed()
    assert before.items() >= {"": "SERVING", "test.Calls": "SERVING"}.items()
    assert "hidden.Calls" not in before
    assert connect(server.https).fetch("/set?service=a.New&status=NOT_SERVING").status == 200
    assert listed() == {**before, "a.New": "NOT_SERVING"}


def test_too_many_services_to_list(start, connect):
    server = start({**scripts(), "many.lua": """
        local grpc = require "moontrail.grpc"
        for i = 1, 999 do grpc.health.set("many." .. i, "SERVING") end
        return function(ctx) ctx:text("set") end"""})
    with open_channel(server.http) as channel, pytest.raises(grpc.RpcError) as raised:
        HEALTH.stub(channel, "grpc.health.v1.Health").List(
            HEALTH.message("grpc.health.v1.HealthListRequest")())
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("service", ["test.None", "hidden.Calls", "calls"])
def test_an_unknown_service_is_not_found(health, service):
    with pytest.raises(grpc.RpcError) as raised:
        health.Check(Check(service=service))
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND


def test_watch_tells_of_each_change(health, connect, server):
    client = connect(server.https)
    watch = health.Watch(Check(service="new.Service"))
    other = health.Watch(Check(service="new.Service"))
    assert name_of(next(watch)) == name_of(next(other)) == "SERVICE_UNKNOWN"
    for status in ("SERVING", "NOT_SERVING", "SERVING"):
        assert client.fetch(f"/set?service=new.Service&status={status}").status == 200
        assert name_of(next(watch)) == name_of(next(other)) == status
    other.cancel()
    assert name_of(health.Check(Check(service="new.Service"))) == "SERVING"
    client.fetch("/set?service=new.Service&status=UNKNOWN")
    assert name_of(next(watch)) == "UNKNOWN"
    watch.cancel()


def test_a_status_that_is_none(connect, server):
    assert connect(server.https).fetch("/set?service=x&status=GOOD").status == 500


@pytest.fixture(params=["v1", "v1alpha"])
def reflection(request, channel):
    return Reflection(channel, request.param)


def test_services_are_listed(reflection):
    services = {service.name for service in reflection.ask(list="*").services.service}
    assert services == {
        "test.Calls", "extended.Other", "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}


@pytest.mark.parametrize("symbol, file", [
    ("test.Calls", "calls.proto"),
    ("test.Calls.Echo", "calls.proto"),
    ("test.Data", "calls.proto"),
    ("test.Data.text", "calls.proto"),
    ("extended.more", "extended.proto"),
    ("google.protobuf.Empty", "google/protobuf/empty.proto"),
    ("grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"),
])
def test_a_symbol_leads_to_its_file(reflection, symbol, file):
    assert reflection.file(symbol=symbol).name == file
    assert reflection.file(file=file).name == file


def test_a_file_describes_what_is_in_it(reflection):
    described = reflection.file(symbol="test.Calls")
    assert [field.name for field in described.message_type[0].field] == ["text", "count", "data"]
    chat = next(method for method in described.service[0].method if method.name == "Chat")
    assert chat.client_streaming and chat.server_streaming


def test_extensions(reflection):
    assert reflection.file(extension=("extended.Base", 150)).name == "extended.proto"
    numbers = reflection.ask(numbers_of="extended.Base").numbers
    assert (numbers.type, sorted(numbers.number)) == ("extended.Base", [150, 151])


@pytest.mark.parametrize("asked, code", [
    ({"symbol": "test.Nothing"}, 5),
    ({"file": "no.proto"}, 5),
    ({"symbol": "hidden.Calls"}, 5),
    ({"extension": ("extended.Base", 160)}, 5),
    ({"numbers_of": "no.Type"}, 5),
    ({}, 3),
])
def test_what_is_not_known(reflection, asked, code):
    assert reflection.ask(**asked).error.code == code


def test_both_can_be_turned_off(start):
    server = start({"calls.proto": PROTO, "hidden.lua": SCRIPTS["hidden.lua"].replace(
        "hidden.proto", "calls.proto").replace("hidden.Calls", "test.Calls")})
    with open_channel(server.http) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            HEALTH.stub(channel, "grpc.health.v1.Health").Check(Check())
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(grpc.RpcError) as raised:
            Reflection(channel, "v1").ask(list="*")
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


# Over workers.


def test_a_status_is_that_of_all_workers(start):
    server = start(SCRIPTS, "--workers", "3")
    with ExitStack() as stack:
        channels = [stack.enter_context(open_channel(server.http)) for _ in range(12)]
        stubs = [HEALTH.stub(one, "grpc.health.v1.Health") for one in channels]
        watches = [stub.Watch(Check(service="test.Calls")) for stub in stubs]
        assert {name_of(next(watch)) for watch in watches} == {"SERVING"}
        with Client(server.http) as client:
            assert client.fetch("/set?service=test.Calls&status=NOT_SERVING").status == 200
            assert {name_of(next(watch)) for watch in watches} == {"NOT_SERVING"}
            assert {name_of(stub.Check(Check(service="test.Calls"))) for stub in stubs} == {
                "NOT_SERVING"}
            assert client.fetch("/set?service=test.Calls&status=SERVING").status == 200
        assert {name_of(next(watch)) for watch in watches} == {"SERVING"}
        for watch in watches:
            watch.cancel()


def test_a_worker_that_takes_another_s_place_knows_what_was_set(start):
    server = start(SCRIPTS, "--workers", "2")
    with Client(server.http) as client:
        assert client.fetch("/set?service=test.Calls&status=NOT_SERVING").status == 200
    for pid in server.workers[:1]:
        os.kill(pid, signal.SIGKILL)
    server.wait_until(lambda: len(server.lines("worker started")) == 3)
    for _ in range(8):
        with open_channel(server.http) as channel:
            check = HEALTH.stub(channel, "grpc.health.v1.Health").Check
            assert name_of(check(Check(service="test.Calls"))) == "NOT_SERVING"


def test_a_worker_that_drains_is_not_serving(start):
    """What a server says of itself lies on no other."""
    server = start(SCRIPTS, "--workers", "1", "--grace", "2", "--store", "redis://127.0.0.1:1")
    with open_channel(server.http) as channel:
        stub = HEALTH.stub(channel, "grpc.health.v1.Health")
        watch, unknown = stub.Watch(Check(service="test.Calls")), stub.Watch(Check(service="none"))
        assert (name_of(next(watch)), name_of(next(unknown))) == ("SERVING", "SERVICE_UNKNOWN")
        server.signal(signal.SIGTERM)
        assert name_of(next(watch)) == "NOT_SERVING"
        watch.cancel()
        unknown.cancel()


def test_a_call_that_began_before_a_reload_is_told_of_the_drain(start):
    server = start(SCRIPTS, "--workers", "1", "--grace", "2")
    with open_channel(server.http) as channel:
        watches = []
        for turn in range(3):
            watches.append(HEALTH.stub(channel, "grpc.health.v1.Health").Watch(
                Check(service="test.Calls")))
            assert name_of(next(watches[-1])) == "SERVING"
            if turn < 2:
                server.signal(signal.SIGHUP)
                server.wait_until(lambda: len(server.lines("scripts loaded")) > turn)
        server.signal(signal.SIGTERM)
        assert [name_of(next(watch)) for watch in watches] == 3 * ["NOT_SERVING"]
        for watch in watches:
            watch.cancel()
