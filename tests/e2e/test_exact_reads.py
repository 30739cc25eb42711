"""ctx:read_exactly, ctx:request_header and ctx.fields: what a framed protocol is read with."""
import pytest

SCRIPTS = {
    "sizes.lua": """
        return function(ctx)
            local sizes = {}
            local piece = ctx:read_exactly(tonumber(ctx.query))
            while piece do
                sizes[#sizes + 1] = #piece
                piece = ctx:read_exactly(tonumber(ctx.query))
            end
            ctx:text(table.concat(sizes, " "))
        end""",
    "whole.lua": """
        return function(ctx)
            ctx:write(ctx:read_exactly(1 << 20) or "nothing")
            assert(ctx:read_exactly(1) == nil)
        end""",
    "prefix.lua": """
        return function(ctx)
            local length = ctx:read_exactly(1):byte()
            ctx:write(ctx:read_exactly(length), "|", ctx:read(), "|", tostring(ctx:read_exactly(2)))
        end""",
    "wrong.lua": """
        return function(ctx)
            local _, problem = pcall(ctx.read_exactly, ctx, 0)
            ctx:text(problem)
        end""",
    "head.lua": """
        return function(ctx)
            local a, b, none = ctx:request_header("X-A", "x-b", "x-c")
            assert(none == nil and a == ctx.headers["x-a"])
            local names = {}
            for _, pair in ipairs(ctx.fields) do
                names[#names + 1] = pair[1] .. "=" .. pair[2]
            end
            ctx:text(a .. ";" .. b .. ";" .. table.concat(names, ","))
        end""",
}

BODY = bytes(range(256)) * 1000


@pytest.mark.parametrize("size", [5000, 40000, 70000, 255999, 256000, 256001])
def test_pieces_have_the_size_that_was_asked_for(client, size):
    response = client.fetch(f"/sizes?{size}", "POST", body=BODY)
    whole, rest = divmod(len(BODY), size)
    assert [int(word) for word in response.text.split()] == [size] * whole + [rest] * (rest > 0)


def test_a_long_piece_is_whole(client):
    assert client.fetch("/whole", "POST", body=BODY).body == BODY


def test_a_length_tells_how_much_follows(client):
    assert client.fetch("/prefix", "POST", body=b"\x03abcdef").text == "abc|def|nil"


def test_pieces_that_arrive_byte_by_byte_make_one(client):
    stream = client.request("/prefix", "POST", end=False)
    for byte in b"\x05hello":
        client.h2.send_data(stream, bytes([byte]))
        client.flush()
    client.h2.send_data(stream, b"rest", end_stream=True)
    client.flush()
    assert client.response(stream).text == "hello|rest|nil"


def test_there_is_nothing_to_read_behind_the_end(client):
    assert client.fetch("/whole", "POST").text == "nothing"


def test_a_size_is_above_0(client):
    assert "not above 0" in client.fetch("/wrong", "POST", body=b"x").text


def test_request_headers_by_name_and_in_order(client):
    headers = [("x-a", "1"), ("x-b", "2"), ("x-a", "3")]
    assert client.fetch("/head", headers=headers).text == "1, 3;2;x-a=1,x-b=2,x-a=3"
