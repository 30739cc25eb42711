"""gRPC clients of a handler, where the other server is gone, or answers what it should not."""
import ssl
import threading
import time

import pytest

from grpc_caller import SCRIPTS, begin_caller, h2c, run_caller
from grpc_service import scripts
from server import PATIENCE, write_scripts
from upstreams import Http2Upstream, always, free_port, response

ECHO = "return pcall(c.Echo, c, {})"


@pytest.fixture
def speak(upstream):
    """Starts an upstream of HTTP/2: answer(connection, h2, event) for events of the kind named."""
    def start(kind, answer):
        def on_event(connection, speaker, event):
            if type(event).__name__ == kind:
                answer(connection, speaker, event)

        return upstream(on_event, kind=Http2Upstream)

    return start


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# No connection.

def test_a_server_that_cannot_be_reached(client):
    url = f"h2c://127.0.0.1:{free_port()}"
    text = run_caller(client, url, ECHO)
    assert text.startswith(f"false|UNAVAILABLE: POST {url}/test.Calls/Echo: no connection: ")


def test_a_server_that_goes_away(client, speak):
    other = speak("RequestReceived", lambda connection, *_: connection.vanish())
    text = run_caller(client, other.h2c, ECHO)
    assert text.startswith("false|UNAVAILABLE: ") and "connection lost" in text


def test_a_server_of_http_1(client, upstream):
    text = run_caller(client, upstream(always(response(b"hello"))).url, ECHO)
    assert text.startswith("false|UNAVAILABLE: "), text


def test_a_server_that_agrees_on_http_1_alone(client, upstream, certificates):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates["one.test"].cert, certificates["one.test"].key)
    context.set_alpn_protocols(["http/1.1"])
    other = upstream(always(response(b"hello")), tls=context)
    assert run_caller(client, other.url, ECHO).startswith("false|UNAVAILABLE: ")


def test_too_many_calls(start, connect, tmp_path):
    inner = start(write_scripts(tmp_path / "inner", scripts()))
    server = start(SCRIPTS, "--upstream-max-connections", "1", "--upstream-max-streams", "1",
                   "--upstream-max-waiting", "1")
    text = run_caller(connect(server.https), h2c(inner), """
        local tasks = {}
        for i = 1, 3 do
            tasks[i] = mt.spawn(function() return c:Sleep({ count = 60 }, { timeout = 1 }) end)
            mt.sleep(0.2)
        end
        local results = {}
        for i, task in ipairs(tasks) do results[i] = tostring(select(2, pcall(task.join, task))) end
        return table.unpack(results)""")
    assert text == "DEADLINE_EXCEEDED: deadline exceeded|" * 2 + \
        f"UNAVAILABLE: POST {h2c(inner)}/test.Calls/Sleep: " \
        "refused: too many calls wait for a connection to it"


# Resets.

@pytest.mark.parametrize("code, status", [
    (0, "INTERNAL"), (7, "UNAVAILABLE"), (8, "CANCELLED"), (11, "RESOURCE_EXHAUSTED"),
    (12, "PERMISSION_DENIED"), (99, "INTERNAL")])
def test_a_stream_that_is_reset(client, speak, code, status):
    other = speak("RequestReceived",
                  lambda _, speaker, event: speaker.reset_stream(event.stream_id, code))
    text = run_caller(client, other.h2c, ECHO)
    assert text.startswith(f"false|{status}: "), text


def test_a_call_that_is_cancelled_resets_its_stream(client, speak):
    other = speak("RequestReceived", lambda *_: None)
    text = run_caller(client, other.h2c, """
        local call = c:Count {}
        mt.sleep(0.1)
        call:cancel()
        return pcall(call.recv, call)""")
    assert text == "false|CANCELLED: the call was cancelled"
    wait_until(lambda: other.resets == [(1, 8)])


def test_a_call_in_time_that_is_over_resets_its_stream(client, speak):
    other = speak("RequestReceived", lambda *_: None)
    text = run_caller(client, other.h2c, "return pcall(c.Echo, c, {}, { timeout = 0.1 })")
    assert text == "false|DEADLINE_EXCEEDED: deadline exceeded"
    wait_until(lambda: other.resets == [(1, 8)])


def test_a_request_that_is_aborted_ends_its_calls(client, speak):
    asked = threading.Event()
    other = speak("RequestReceived", lambda *_: asked.set())
    stream = begin_caller(client, other.h2c, "c:Echo {}")
    assert asked.wait(PATIENCE)
    client.reset(stream)
    wait_until(lambda: other.resets == [(1, 8)])


# What goes out.

def test_the_fields_of_a_call(client, speak):
    seen = []
    other = speak("RequestReceived", lambda _, speaker, event: (
        seen.extend(event.headers), speaker.reset_stream(event.stream_id, 8)))
    run_caller(client, other.h2c, """
        pcall(c.Echo, c, {}, { timeout = 7, metadata = {
            ["x-many"] = { "one", 2 }, ["x-any-bin"] = "\\0\\255" } })""",
               '{ compression = "gzip" }')
    fields = dict(seen)
    assert fields.pop("grpc-timeout") == "7000m"
    assert fields.pop("user-agent").startswith("grpc-lua-moontrail/")
    assert fields == {
        ":method": "POST", ":scheme": "http", ":path": "/test.Calls/Echo",
        ":authority": f"127.0.0.1:{other.port}", "te": "trailers", "content-length": "25",
        "content-type": "application/grpc", "grpc-encoding": "gzip",
        "grpc-accept-encoding": "identity, deflate, gzip", "x-many": "2", "x-any-bin": "AP8"}
    assert [value for name, value in seen if name == "x-many"] == ["one", "2"]


@pytest.mark.parametrize("seconds, field", [
    ("0.25", "250m"), ("99999", "99999000m"), ("100000", "100000S"), ("1e9", None),
    ("math.huge", None)])
def test_the_timeout_in_eight_digits(client, speak, seconds, field):
    seen = []
    other = speak("RequestReceived", lambda _, speaker, event: (
        seen.extend(event.headers), speaker.end_stream(event.stream_id)))
    run_caller(client, other.h2c, f"""
        local call = c:Chat({{ timeout = {seconds} }})
        mt.sleep(0.1)
        return pcall(call.recv, call)""")
    assert dict(seen).get("grpc-timeout") == field


# What comes back.

def answer_with(headers, body=b"", trailers=None):
    """Answers a request, once it is whole."""
    def answer(_connection, speaker, event):
        whole = not body and trailers is None
        speaker.send_headers(event.stream_id, headers, end_stream=whole)
        if not whole:
            speaker.send_data(event.stream_id, body, end_stream=trailers is None)
        if trailers is not None:
            speaker.send_headers(event.stream_id, trailers, end_stream=True)
    return answer


GRPC = [(":status", "200"), ("content-type", "application/grpc")]
OK = [("grpc-status", "0")]


@pytest.mark.parametrize("answer, status", [
    (answer_with([(":status", "503")]), "UNAVAILABLE: the server answered with HTTP status 503"),
    (answer_with([(":status", "503"), ("grpc-status", "8"), ("grpc-message", "full")]),
     "RESOURCE_EXHAUSTED: full"),
    (answer_with([(":status", "404")]), "UNIMPLEMENTED: the server answered with HTTP status 404"),
    (answer_with([(":status", "200"), ("content-type", "text/html")]),
     'UNKNOWN: the server answered with "text/html"'),
    (answer_with([(":status", "200"), ("content-type", "application/grpc+json")]),
     'INTERNAL: the server answered with "application/grpc+json"'),
    (answer_with([(":status", "200"), ("content-type", "application/grpc-web+proto")]),
     'UNKNOWN: the server answered with "application/grpc-web+proto"'),
    (answer_with(GRPC + [("grpc-encoding", "br")]),
     "INTERNAL: the server answered in the encoding br"),
    (answer_with(GRPC), "UNKNOWN: the server has given no status"),
    (answer_with(GRPC + [("grpc-status", "x")]), "UNKNOWN: the server has given no status"),
    (answer_with(GRPC + [("grpc-status", "7"), ("grpc-message", "no%21 50%25 %zz")]),
     "PERMISSION_DENIED: no! 50% %zz"),
    (answer_with(GRPC + OK), "UNIMPLEMENTED: the response has no message"),
    (answer_with(GRPC, b"\0\0\0\0\0" * 2, OK),
     "UNIMPLEMENTED: the response has more than one message"),
    (answer_with(GRPC, b"\0\0\0", OK), "INTERNAL: the stream ends within the head of a message"),
    (answer_with(GRPC, b"\0\0\0\0\5ab", OK), "INTERNAL: the stream ends within a message"),
    (answer_with(GRPC, b"\0\0\0\0\2\xff\xff", OK), "INTERNAL: a message cannot be read: "),
    (answer_with(GRPC, b"\1\0\0\0\2ab", OK), "INTERNAL: a message is compressed"),
    (answer_with(GRPC, b"\0\xff\xff\xff\xff", OK), "RESOURCE_EXHAUSTED: the message is larger"),
    (answer_with(GRPC, b"\2\0\0\0\2ab", OK), "INTERNAL: a message has the flags 2"),
    (answer_with(GRPC, b"\0\0\0\0\0"), "UNKNOWN: the server has given no status"),
    (answer_with(GRPC, b"\0\0\0\0\0", [("grpc-status", "99999999999999999999")]),
     "UNKNOWN: the server has given no status"),
    (answer_with(GRPC, b"\0\0\0\0\0", [("grpc-status", "5"), (
        "grpc-status-details-bin", "CAUaAv//")]), "NOT_FOUND: "),
])
def test_what_no_server_should_answer(client, speak, answer, status):
    text = run_caller(client, speak("StreamEnded", answer).h2c, ECHO)
    assert text.startswith(f"false|{status}"), text


def test_a_reset_when_the_time_is_over_is_the_deadline(client, speak):
    def answer(_connection, speaker, event):
        time.sleep(0.2)  # as a server does that keeps the time itself, and is first
        speaker.reset_stream(event.stream_id, 8)

    text = run_caller(client, speak("RequestReceived", answer).h2c, """
        return pcall(c.Echo, c, {}, { timeout = 0.2 })""")
    assert text == "false|DEADLINE_EXCEEDED: deadline exceeded"


def test_a_head_alone_is_no_metadata(client, speak):
    other = speak("StreamEnded", answer_with(GRPC + [("x-a", "b"), ("grpc-status", "9")]))
    assert run_caller(client, other.h2c, """
        local call = c:Count {}
        return next(call.metadata), call.trailers["x-a"], call:status()""") == "nil|b|9||nil"


# A status in a head that is not all of the response.

MESSAGE = b"\0\0\0\0\2\x10\7"  # count: 7
NO_STATUS = "UNKNOWN: the server has given no status"


@pytest.mark.parametrize("code, text", [("8", "full"), ("0", "")])
@pytest.mark.parametrize("body, trailers, status", [
    (MESSAGE, [("grpc-status", "9"), ("grpc-message", "late")], "FAILED_PRECONDITION: late"),
    (b"", [("grpc-status", "9"), ("grpc-message", "late")], "FAILED_PRECONDITION: late"),
    (MESSAGE, None, NO_STATUS),
    (MESSAGE, [("x-a", "b")], NO_STATUS),
], ids=["a message", "trailers alone", "no trailers", "trailers without a status"])
def test_a_status_in_a_head_that_is_not_all_means_nothing(
        client, speak, code, text, body, trailers, status):
    head = GRPC + [("grpc-status", code), ("grpc-message", text)]
    other = speak("StreamEnded", answer_with(head, body, trailers))
    assert run_caller(client, other.h2c, ECHO) == "false|" + status


@pytest.mark.parametrize("more", [[], [("x-a", "b")]])
def test_empty_data_behind_a_head_is_no_trailers_only(client, speak, more):
    def answer(connection, speaker, event):
        speaker.send_headers(event.stream_id, GRPC + [("grpc-status", "8")] + more)
        connection.write(speaker.data_to_send())
        time.sleep(0.05)
        speaker.end_stream(event.stream_id)

    assert run_caller(client, speak("StreamEnded", answer).h2c, ECHO) == "false|" + NO_STATUS


def test_a_stream_keeps_its_messages_behind_a_status_in_the_head(client, speak):
    other = speak("StreamEnded", answer_with(
        GRPC + [("grpc-status", "8"), ("x-a", "b")], MESSAGE * 3, OK))
    assert run_caller(client, other.h2c, """
        local call, counts = c:Count {}, {}
        for reply in call:messages() do counts[#counts + 1] = reply.count end
        return table.concat(counts, " "), call.metadata["x-a"], call:status()
        """) == "7 7 7|b|0||nil"


def test_trailers_only_with_another_http_status_and_a_body_is_the_http_status(client, speak):
    other = speak("StreamEnded", answer_with(
        [(":status", "503"), ("grpc-status", "8"), ("content-type", "text/html")], b"<p>"))
    assert run_caller(client, other.h2c, ECHO) == \
        "false|UNAVAILABLE: the server answered with HTTP status 503"


# What a failed call keeps.

FIRST = GRPC + [("x-first", "one"), ("x-first", "two"), ("x-any-bin", "AP8")]
LATE = [("grpc-status", "9"), ("x-late", "three")]
KEPT = """
    local ok, e = pcall(function() {} end)
    local bytes = e.headers and e.headers["x-any-bin"]
    local first, late = (e.headers or {{}})["x-first"], (e.metadata or {{}})["x-late"]
    return ok, e.code, first and table.concat(first, " "), bytes == "\\0\\255", late"""
UNARY = "c:Echo {}"
CLIENT_STREAM = "local call = c:Sum() call:close_send() call:recv()"
SERVER_STREAM = "for _ in c:Count({}):messages() do end"


@pytest.mark.parametrize("code", [UNARY, CLIENT_STREAM, SERVER_STREAM, "c:Count({}):recv()"])
@pytest.mark.parametrize("body", [b"", b"\0\0\0\0\0"])
def test_a_call_that_fails_keeps_its_headers(client, speak, code, body):
    if body and code.endswith("recv()"):
        code = "local call = c:Count {} call:recv() call:recv()"
    other = speak("StreamEnded", answer_with(FIRST, body, LATE))
    assert run_caller(client, other.h2c, KEPT.format(code)) == "false|9|one two|true|three"


@pytest.mark.parametrize("code", [UNARY, CLIENT_STREAM])
@pytest.mark.parametrize("body, status", [
    (b"\0\0\0\0\0" * 2, 12), (b"", 12), (b"\0\0\0\0\2\xff\xff", 13), (b"\0\0", 13)])
def test_headers_are_kept_whoever_finds_the_fault(client, speak, code, body, status):
    other = speak("StreamEnded", answer_with(FIRST, body, OK))
    assert run_caller(client, other.h2c, KEPT.format(code)) == f"false|{status}|one two|true|nil"


@pytest.mark.parametrize("code", [
    "c:Echo({{}}, {{ timeout = 0.5 }})",
    "local call = c:Sum {{ timeout = 0.5 }} call:close_send() call:recv()",
    "for _ in c:Count({{}}, {{ timeout = 0.5 }}):messages() do end",
    "local call = c:Chat {{ timeout = 0.5 }} mt.sleep(1) call:recv()"])
def test_headers_are_kept_when_the_time_is_over_behind_them(client, speak, code):
    other = speak("RequestReceived",
                  lambda _, speaker, event: speaker.send_headers(event.stream_id, FIRST))
    assert run_caller(client, other.h2c, KEPT.format(code.format())) == \
        "false|4|one two|true|nil"


def test_headers_of_a_stream_that_is_reset_behind_them(client, speak):
    def answer(_connection, speaker, event):
        speaker.send_headers(event.stream_id, FIRST)
        speaker.reset_stream(event.stream_id, 8)

    other = speak("RequestReceived", answer)
    assert run_caller(client, other.h2c, KEPT.format(UNARY)) == "false|1|one two|true|nil"


def test_a_call_that_fails_before_any_head_has_no_headers(client, speak):
    other = speak("RequestReceived",
                  lambda _, speaker, event: speaker.reset_stream(event.stream_id, 8))
    assert run_caller(client, other.h2c, KEPT.format(UNARY)) == "false|1|nil|false|nil"


def test_the_metadata_of_trailers_only_is_that_of_the_trailers(client, speak):
    other = speak("StreamEnded", answer_with(GRPC + LATE))
    assert run_caller(client, other.h2c, """
        local _, e = pcall(c.Echo, c, {})
        return next(e.headers), e.metadata["x-late"]""") == "nil|three"
