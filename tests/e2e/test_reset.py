"""Streams that the handler resets."""
import pytest

CODES = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
         "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
         "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"]

SCRIPTS = {
    "code/[code].lua": """
        return function(ctx)
            ctx:reset(math.tointeger(ctx.params.code) or ctx.params.code)
        end""",
    "default.lua": """
        return function(ctx)
            ctx:reset()
        end""",
    "unsent.lua": """
        return function(ctx)
            ctx:header("x-never", "sent")
            ctx:write("discarded")
            ctx:append_trailer("discarded", "too")
            ctx:reset(3)
        end""",
    "flushed.lua": """
        return function(ctx)
            ctx:write("kept")
            ctx:flush()
            ctx:write("discarded")
            ctx:reset(3)
        end""",
    "finished.lua": """
        return function(ctx)
            ctx:append_trailer("sent", "first")
            ctx:finish("whole")
            ctx:reset(3)
        end""",
    "twice.lua": """
        return function(ctx)
            ctx:on_abort(function(reason) print("twice aborted " .. reason) end)
            ctx:reset(3)
            ctx:reset(4)
            print("twice says " .. ctx:aborted() .. ", " .. select(2, pcall(ctx.write, ctx, "x")))
        end""",
    "unread.lua": """
        return function(ctx)
            ctx:text("enough")
        end""",
    "refused.lua": """
        return function(ctx)
            local refused = not pcall(ctx.reset, ctx, "NO_SUCH") and not pcall(ctx.reset, ctx, -1)
                and not pcall(ctx.reset, ctx, 1 << 32) and not pcall(ctx.reset, ctx, {})
            ctx:text(refused and not ctx:aborted() and "unharmed" or "harmed")
        end""",
    "wait.lua": """
        return function(ctx)
            ctx:text(ctx:body())
        end""",
}


@pytest.mark.parametrize("code", [*CODES, "14", "255", "2147483648", "4294967295"])
def test_by_name_and_number(client, code):
    number = CODES.index(code) if code in CODES else int(code)
    assert client.fetch(f"/code/{code}").reset == number
    assert client.fetch(f"/code/{number}").reset == number


def test_default_is_cancel(client):
    assert client.fetch("/default").reset == CODES.index("CANCEL")


@pytest.mark.parametrize("path, frames", [
    ("/unsent", ["RST_STREAM"]),
    ("/flushed", ["HEADERS", "DATA", "RST_STREAM"]),
    ("/finished", ["HEADERS", "DATA", "HEADERS END_STREAM", "RST_STREAM"])])
def test_frames_up_to_the_reset(client, path, frames):
    stream = client.request(path)
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.frames(stream) == frames
    assert client.reset_code(stream) == 3


def test_flushed_bytes_arrive(client):
    assert client.fetch("/flushed").body == b"kept"


def test_the_second_changes_nothing(server, client):
    assert client.fetch("/twice").reset == 3
    server.wait_for("twice aborted reset")
    server.wait_for("twice says reset, request aborted: reset")


def test_a_bad_code_raises_and_does_nothing(client):
    assert client.fetch("/refused").text == "unharmed"


def test_an_answer_before_the_upload_ends_it_with_no_error(client):
    stream = client.request("/unread", "POST", end=False)
    client.wait_for_frame(stream, "RST_STREAM")
    assert client.frames(stream)[-2:] == ["DATA END_STREAM", "RST_STREAM"]
    assert client.reset_code(stream) == CODES.index("NO_ERROR")
    assert client.so_far(stream).text == "enough"


def test_other_streams_of_the_connection_go_on(client):
    waiting = client.request("/wait", "POST", end=False)
    assert client.fetch("/default").reset is not None
    client.send(waiting, b"still here", end=True)
    assert client.response(waiting).text == "still here"
