"""gRPC services whose files change as they are called."""
import re
import subprocess
import threading
from contextlib import contextmanager

import pytest

grpc = pytest.importorskip("grpc")

from grpc_extras import HEALTH, Check, Reflection, name_of
from grpc_service import Protos, open_channel
from server import PATIENCE, write_scripts

SCRIPTS = {
    "names.lua": """
        local grpc = require "moontrail.grpc"
        local Names = grpc.service("names.proto", "names.Names")
        local word = require("_words").word
        local function name(request)
            return { text = table.concat({ "script 0", word, request.own, request.far }, ", ") }
        end
        function Names.Name(request) return name(request) end
        function Names.Chat(call)
            for request in call:messages() do call:send(name(request)) end
        end
        return Names""",
    "_words.lua": "return { word = 'module 0' }",
    "names.proto": """
        syntax = "proto3";
        package names;
        import "far/away.proto";
        enum Own { PROTO_0 = 0; }
        message Request { Own own = 1; Far far = 2; }
        message Reply { string text = 1; }
        service Names {
          rpc Name(Request) returns (Reply);
          rpc Chat(stream Request) returns (stream Reply);
        }""",
    "far/away.proto": """
        syntax = "proto3";
        package names;
        enum Far { IMPORT_0 = 0; }""",
}
# What each file gives to the reply, with the number of its edit.
MARKS = {"names.lua": "script %d", "_words.lua": "module %d", "names.proto": "PROTO_%d",
         "far/away.proto": "IMPORT_%d"}
PROTOS = Protos(**{"names": SCRIPTS["names.proto"], "far/away": SCRIPTS["far/away.proto"]})
Request = PROTOS.message("names.Request")


class Service:
    """The service, and its files for editing."""

    def __init__(self, folder, server, workers):
        self.folder, self.server, self._workers = folder, server, workers
        self._edits = dict.fromkeys(SCRIPTS, 0)

    @property
    def text(self):
        """What a call is answered with."""
        return ", ".join(mark % self._edits[name] for name, mark in MARKS.items())

    def save(self, name, text):
        """Saves a file, and waits until all workers have it; gives how many lines the log had."""
        since = len(self.server.log)
        fresh = self.folder / "fresh~"
        fresh.write_text(text)
        fresh.rename(self.folder / name)
        self.server.wait_for("scripts (not )?loaded", since=since)
        return since

    def edit(self, name):
        self._edits[name] += 1
        text = SCRIPTS[name].replace(MARKS[name] % 0, MARKS[name] % self._edits[name])
        since = self.save(name, text)
        self.server.wait_for(f"scripts loaded workers={self._workers}$", since=since)

    def break_proto(self):
        """Saves what is no .proto, in its third line."""
        return self.save("names.proto", 'syntax = "proto3";\npackage names;\nmessage 5 {}\n')

    def heal(self):
        self.edit("names.proto")

    @contextmanager
    def channel(self):
        """A connection of its own."""
        with open_channel(self.server.https, ("grpc.use_local_subchannel_pool", 1)) as channel:
            yield channel

    def ask(self, channel):
        return PROTOS.stub(channel, "names.Names").Name(Request(), timeout=PATIENCE).text


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def service(request, start, tmp_path):
    folder = write_scripts(tmp_path / "scripts", SCRIPTS)
    server = start(folder, "--dev", "--log-level", "info", "-w", str(request.param))
    return Service(folder, server, request.param)


class Callers:
    """Threads, each with a connection of its own, that call from their start to their end."""

    def __init__(self, service, count=4):
        self._service, self._over = service, threading.Event()
        self.texts, self.failures, self.count = set(), [], 0
        self._threads = [threading.Thread(target=self._call) for _ in range(count)]

    def _call(self):
        with self._service.channel() as channel:
            while not self._over.is_set():
                try:
                    self.texts.add(self._service.ask(channel))
                    self.count += 1
                except grpc.RpcError as error:
                    self.failures.append(error)

    def wait_for_more(self):
        """Waits until each caller has most likely been answered."""
        more = self.count + 10 * len(self._threads)
        self._service.server.wait_until(lambda: self.count >= more or self.failures)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *error):
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_edit_under_load_fails_no_call(service, name):
    expected = {service.text}
    with Callers(service) as callers:
        for _ in range(3):
            service.edit(name)
            expected.add(service.text)
            callers.wait_for_more()
            with service.channel() as channel:
                assert service.ask(channel) == service.text
    assert not callers.failures
    assert callers.texts == expected


def test_edits_of_every_file_under_h2load(service, tmp_path):
    (tmp_path / "request").write_bytes(bytes(5))
    load = subprocess.Popen(
        ["h2load", "-n", "8000", "-c", "4", "-m", "5", "--rps", "500", "-d", tmp_path / "request",
         "-H", "content-type: application/grpc", "-H", "te: trailers",
         service.server.https + "/names.Names/Name"], stdout=subprocess.PIPE, text=True)
    while load.poll() is None:
        for name in SCRIPTS:
            service.edit(name)
    out = load.stdout.read()
    assert "8000 succeeded, 0 failed, 0 errored, 0 timeout" in out
    assert "8000 2xx" in out
    assert not service.server.lines("grpc call failed")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_call_goes_on_as_it_began(service, name):
    before = service.text
    with service.channel() as channel:
        go, over = threading.Semaphore(1), threading.Event()

        def requests():
            while go.acquire() and not over.is_set():
                yield Request()
        replies = PROTOS.stub(channel, "names.Names").Chat(requests())
        assert next(replies).text == before
        for _ in range(2):
            service.edit(name)
            assert service.ask(channel) == service.text != before
            go.release()
            assert next(replies).text == before
        over.set()
        go.release()
        assert list(replies) == [] and replies.code() == grpc.StatusCode.OK


def described(channel, version, name):
    """The enums of a file, as reflection tells of them."""
    file = Reflection(channel, version).file(file=name)
    return [value.name for enum in file.enum_type for value in enum.value]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.parametrize("name", ["names.proto", "far/away.proto"])
def test_reflection_tells_at_once_what_is_new(service, version, name):
    with service.channel() as channel:
        for edit in range(3):
            assert described(channel, version, name) == [MARKS[name] % edit]
            service.edit(name)


def test_a_service_comes_and_goes(service):
    script = service.folder / "more.lua"
    write_scripts(service.folder, {"more.proto": "syntax = 'proto3'; message M {} "
                                   "service More { rpc Do(M) returns (M); }"})
    loaded = len(service.server.lines("scripts loaded"))
    with service.channel() as channel:
        def names():
            listed = Reflection(channel, "v1").ask(list="*").services.service
            return {one.name for one in listed}
        check = HEALTH.stub(channel, "grpc.health.v1.Health").Check
        assert "More" not in names()
        script.write_text("return require('moontrail.grpc').service('more.proto', 'More')")
        service.server.wait_until(
            lambda: len(service.server.lines("scripts loaded")) == loaded + 1)
        assert "More" in names()
        assert name_of(check(Check(service="More"))) == "SERVING"
        script.unlink()
        service.server.wait_until(
            lambda: len(service.server.lines("scripts loaded")) == loaded + 2)
        assert "More" not in names()
        with pytest.raises(grpc.RpcError) as raised:
            check(Check(service="More"))
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("name", SCRIPTS)
def test_health_is_watched_across_a_reload(service, name):
    with service.channel() as channel:
        stub = HEALTH.stub(channel, "grpc.health.v1.Health")
        watches = [stub.Watch(Check(service=name)) for name in ("", "names.Names", "none")]
        expected = ["SERVING", "SERVING", "SERVICE_UNKNOWN"]
        assert [name_of(next(watch)) for watch in watches] == expected
        service.edit(name)
        assert name_of(stub.Check(Check(service="names.Names"))) == "SERVING"
        again = [stub.Watch(Check(service=name)) for name in ("", "names.Names", "none")]
        assert [name_of(next(watch)) for watch in again] == expected
        assert not any(watch.done() for watch in watches)
        for watch in watches + again:
            watch.cancel()


def test_a_broken_proto_is_told_of_and_the_old_one_serves(service):
    place = r"names\.proto:3:9: "
    with Callers(service) as callers, service.channel() as channel:
        since = service.break_proto()
        line = service.server.wait_for(f"error scripts not loaded .*{place}", since=since).string
        assert str(service.folder) in line and "names.lua:3: " in line
        callers.wait_for_more()
        reply, call = PROTOS.stub(channel, "names.Names").Name.with_call(Request())
        assert reply.text == service.text
        assert re.search(place, dict(call.initial_metadata())["moontrail-fault"])
        assert described(channel, "v1", "names.proto") == ["PROTO_0"]
        service.heal()
        reply, call = PROTOS.stub(channel, "names.Names").Name.with_call(Request())
        assert reply.text == service.text
        assert "moontrail-fault" not in dict(call.initial_metadata())
        callers.wait_for_more()
    assert not callers.failures
    assert len(service.server.lines("scripts not loaded")) == 1


def test_a_missing_import_is_seen_when_it_comes_back(service):
    away = service.folder / "far/away.proto"
    away.unlink()
    fault = service.server.wait_for("error scripts not loaded .*").string
    assert re.search(r"names\.proto:4:\d+: .*far/away\.proto", fault), fault
    with service.channel() as channel:
        assert service.ask(channel) == service.text
        service.edit("far/away.proto")
        assert service.ask(channel) == service.text


def test_what_another_file_lacks_is_mended_there(service):
    """The fault lies in names.proto, which is not the file that changes last."""
    away = SCRIPTS["far/away.proto"]
    since = service.save("far/away.proto", away.replace("enum Far", "enum Near"))
    service.server.wait_for(r'names\.proto:6:40: ."Far." is not defined', since=since)
    service.edit("far/away.proto")
    with service.channel() as channel:
        assert service.ask(channel) == service.text


def test_a_file_that_comes_before_another_is_seen(service, tmp_path):
    """Folders are searched in their order, imports in each of them."""
    script = SCRIPTS["names.lua"].replace(
        "local Names", f'grpc.path = "{tmp_path}/first;{tmp_path}/second" local Names')
    write_scripts(tmp_path / "second", {"far/away.proto": SCRIPTS["far/away.proto"]})
    (tmp_path / "first/far").mkdir(parents=True)
    (service.folder / "far/away.proto").unlink()
    service.server.wait_for("scripts not loaded")
    service.save("names.lua", script)
    service.server.wait_for("scripts loaded")
    since = len(service.server.log)
    write_scripts(tmp_path / "first", {
        "far/away.proto": SCRIPTS["far/away.proto"].replace("IMPORT_0", "IMPORT_1")})
    service.server.wait_for("scripts loaded", since=since)
    with service.channel() as channel:
        assert service.ask(channel).endswith("PROTO_0, IMPORT_1")
