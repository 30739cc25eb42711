"""The message codec beside Python's: thousands of random messages, and messages broken at random."""
import random
import struct
import warnings

import pytest
DecodeError = pytest.importorskip("google.protobuf.message").DecodeError

import protobuf_messages as messages
from server import FAULT, ROOT, run

FOLDER = ROOT / "tests/protobuf"

# What the scripts begin with: read gives the next piece, write adds one.
COMMON = """
    local pb = require "moontrail.protobuf"
    local check = dofile("%(folder)s/_check.lua")
    local schema = pb.load("%(file)s", { "%(folder)s" })
    local input, output = io.open("%(data)s", "rb"), io.open("%(data)s.out", "wb")

    local function read()
        local length = input:read(4)
        return length and input:read((string.unpack("<I4", length)))
    end

    local function write(piece)
        output:write(string.pack("<s4", piece))
    end
"""

# Reads pairs of messages and the tables that they are to become; checks them, and writes what the
# codec makes of each table.
TRANSLATE = COMMON + """
    local function float(digits)
        return (string.unpack("<d", check.bytes(digits)))
    end

    for name in read do
        local type, bytes, table = schema:message(name), read(), read()
        local wanted = load("local float = ... return " .. table, name, "t", {})(float)
        local got = type:decode(bytes)
        check.same(got, wanted)
        for _, value in ipairs { got, wanted } do
            write(type:encode(value))
        end
    end
    output:close()
    return check.done"""

# Reads messages that may be broken. Writes, for each, what the codec makes of what it reads, or that
# it refuses.
SURVIVE = COMMON + """
    for name in read do
        local type = schema:message(name)
        local ok, got = pcall(type.decode, type, read())
        if not ok then
            assert(got:find("^" .. name .. "[^\\n]*: "), got)
        end
        write(ok and "read" or "refused")
        write(ok and type:encode(got) or "")
    end
    output:close()
    return check.done"""


def pack(data):
    return struct.pack("<I", len(data)) + data


def unpack(data):
    at = 0
    while at < len(data):
        length, = struct.unpack_from("<I", data, at)
        yield data[at + 4:at + 4 + length]
        at += 4 + length


def run_script(script, folder, file, pieces):
    """Runs a script on the pieces and gives what it wrote."""
    data = folder / "pieces"
    data.write_bytes(b"".join(map(pack, pieces)))
    path = folder / "script.lua"
    path.write_text(script % {"folder": FOLDER, "file": file, "data": data})
    done = run("--check", path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert not FAULT.search(done.stderr), done.stderr
    return list(unpack((folder / "pieces.out").read_bytes()))


def same(a, b):
    return messages.message_to_lua(a) == messages.message_to_lua(b)


@pytest.mark.parametrize("file, count", [("everything.proto", 3000), ("old.proto", 1500)])
def test_each_codec_reads_what_the_other_writes(file, count, tmp_path):
    made = messages.make(messages.load_types(FOLDER, file), count)
    pieces = [piece for one in made for piece in (
        one.DESCRIPTOR.full_name.encode(), one.SerializeToString(),
        messages.message_to_lua(one).encode())]
    written = run_script(TRANSLATE, tmp_path, file, pieces)
    assert len(written) == 2 * len(made)
    for i, data in enumerate(written):
        assert same(type(made[i // 2]).FromString(data), made[i // 2]), made[i // 2]


def read_by_python(kind, data):
    """What Python makes of the bytes, without what it does not know; None when it refuses them."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            message = kind.FromString(data)
        except DecodeError:
            return None
    message.DiscardUnknownFields()
    return None if warned else message  # it only warns of a group that ends without a beginning


def test_both_refuse_the_same_broken_messages(tmp_path):
    types = messages.load_types(FOLDER, "everything.proto")
    chance = random.Random(2)
    broken = [(type(one), messages.damage(chance, one.SerializeToString()))
              for one in messages.make(types, 1500, seed=2) for _ in range(8)]
    written = run_script(SURVIVE, tmp_path, "everything.proto", [
        piece for kind, data in broken for piece in (kind.DESCRIPTOR.full_name.encode(), data)])
    refused = 0
    for i, (kind, data) in enumerate(broken):
        verdict, got = written[2 * i:2 * i + 2]
        wanted = read_by_python(kind, data)
        assert verdict == (b"refused" if wanted is None else b"read"), (kind, data.hex())
        refused += wanted is None
        assert wanted is None or same(kind.FromString(got), wanted), (kind, data.hex())
    assert len(broken) / 10 < refused < len(broken) * 9 / 10
