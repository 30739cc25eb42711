"""Honest clients that might be taken for attackers, and must not be."""
import subprocess

from attacker import block, fields_of, headers, request
from handlers import BIG, ECHO, PARK, SIZE
from rawframes import (ACK, CANCEL, PREFACE, data, frame, ping, priority, reset, settings,
                       window_update)

pytest_plugins = ["figures"]

SCRIPTS = {
    "hello.lua": """
        return function(ctx) ctx:text("hello\\n") end""",
    "park.lua": PARK,
    "refuse.lua": """
        return function(ctx) ctx:reset("CANCEL") end""",
    "echo.lua": ECHO,
    "size.lua": SIZE,
    "big.lua": BIG,
    "messages.lua": """
        return function(ctx)
            for i = 1, tonumber(ctx.query) do
                ctx:write(("message %d"):format(i))
                ctx:flush()
            end
        end""",
}


def expect_no_warning(s):
    assert not s.lines(" (warn|error) "), "\n".join(s.server.log)


def expect_answer(attacker, stream, path="/hello"):
    attacker.send(request(stream, path))
    assert attacker.status(stream) == 200


def test_browser_that_cancels_a_hundred_streams_at_once(siege):
    with siege("honest: 100 cancels at once") as s:
        for client in s.waves():
            numbers = range(1, 201, 2)
            client.send(*[request(n, "/park") for n in numbers])
            client.settle()
            client.send(*[reset(n, CANCEL) for n in numbers])
            expect_answer(client, 201)
            s.expect_unharmed(client)
        expect_no_warning(s)


def test_resets_without_a_limit(siege):
    """nghttp2 has a limit of its own, of 1000 and then 33 a second."""
    with siege("honest: resets allowed", "--max-resets", 0, "--max-control-frames", 0) as s:
        for client in s.waves():
            for n in range(1, 5001, 2):
                client.send(request(n, "/park"), reset(n, CANCEL))
            expect_answer(client, 5001)
            s.expect_unharmed(client)
        expect_no_warning(s)


def test_h2load_at_full_tilt(siege):
    with siege("honest: h2load") as s:
        done = subprocess.run(
            ["h2load", "-n", "50000", "-c", "10", "-m", "100", s.server.https + "/hello"],
            capture_output=True, text=True, timeout=60)
        assert "50000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout + done.stderr
        expect_no_warning(s)


def acknowledge_twice(client, stream):
    """Reads a response, and answers each DATA frame with WINDOW_UPDATEs of stream and
    connection."""
    answered = 0
    while not client.has_ended(stream) and not client.is_over():
        client.read(0.05)
        fresh = client.of_type("DATA")[answered:]
        answered += len(fresh)
        client.send(*[window_update(where, max(1, len(f.payload)))
                      for f in fresh for where in (stream, 0)])


def test_client_that_acknowledges_each_frame_twice(siege):
    with siege("honest: two WINDOW_UPDATEs for each DATA") as s:
        client = s.attack()
        for stream, path, size in ((1, "/big?256", 256 * 65536), (3, "/messages?2000", 22893)):
            client.send(request(stream, path))
            acknowledge_twice(client, stream)
            assert len(client.body(stream)) == size
        s.expect_unharmed(client)
        expect_no_warning(s)


def test_patience_of_the_honest(siege):
    """What lasts longer than the timeouts, and is none of their business; all at once, to save
    time."""
    options = [word for name in ("write", "header", "preface", "handshake")
               for word in (f"--{name}-timeout", 1)]
    with siege("honest: idle streams, frames in flight", *options) as s:
        bidi, tardy = s.attack(), s.attack()
        bidi.send(request(1, "/echo", "POST", end=False), data(1, b"one"))
        bidi.wait(lambda: bidi.body(1) == b"one")
        # Of a stream that the server has reset, all this may still be under way.
        tardy.send(request(1, "/refuse", "POST", end=False))
        tardy.reset_code(1)
        tardy.send(data(1, b"more"), window_update(1, 10), priority(1, 0),
                   headers(1, block(("x-trailer", "late"))))
        tardy.send(request(3, "/refuse", "POST", end=False))
        tardy.reset_code(3)
        tardy.send(data(3, b"more"), reset(3, CANCEL))
        for client in (bidi, tardy):
            client.wait(client.is_over, 1.25)  # the timeouts and more pass meanwhile
            client.send(ping())
            client.wait(client.is_over, 1.25)
        bidi.send(data(1, b" two", end=True))
        bidi.wait(lambda: bidi.has_ended(1))
        assert bidi.body(1) == b"one two"
        expect_answer(tardy, 5)
        s.expect_unharmed(tardy)
        expect_no_warning(s)


def test_upload_by_the_window_of_before_settings(siege):
    """A client that has not seen SETTINGS yet has a window of 65535 bytes."""
    with siege("honest: upload ahead of SETTINGS", "--stream-window", 1000) as s:
        for client in s.waves(greets=False):
            client.write(PREFACE + settings())
            client.send(request(1, "/size", "POST", end=False),
                        *[data(1, bytes(13107)) for _ in range(4)], data(1, bytes(13107), end=True))
            assert client.status(1) == 200
            client.send(frame("SETTINGS", ACK))
            s.expect_unharmed(client)
            assert client.body(1) == b"65535"
        expect_no_warning(s)


def test_header_block_in_many_frames_where_allowed(siege):
    with siege("honest: many CONTINUATIONs allowed", "--max-continuations", 100) as s:
        for client in s.waves():
            whole = block(*fields_of("/hello"), ("x-long", "x" * 200))
            pieces = [whole[i:i + 3] for i in range(0, len(whole), 3)]
            assert len(pieces) > 50
            client.send(headers(1, pieces[0], last=False),
                        *[frame("CONTINUATION", 0, 1, piece) for piece in pieces[1:-1]],
                        frame("CONTINUATION", 4, 1, pieces[-1]))
            assert client.status(1) == 200
            s.expect_unharmed(client)
        expect_no_warning(s)
