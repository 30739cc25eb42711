"""The message codec beside Python's: thousands of random messages, and messages broken at random."""
import random
import struct
import warnings

import pytest
DecodeError = pytest.importorskip("google.protobuf.message").DecodeError
json_format = pytest.importorskip("google.protobuf.json_format")

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


# Reads pairs of messages and their JSON. Checks that both say the same, and writes what the codec
# makes of each, in each way.
JSON = COMMON + """
    local ways = { {}, { names = "proto", enums = "number" }, { defaults = true } }
    for name in read do
        local type, bytes, text = schema:message(name), read(), read()
        local wanted = type:decode(bytes)
        check.same(type:from_json(text), wanted)
        for _, way in ipairs(ways) do
            write(type:to_json(wanted, way))
        end
    end
    output:close()
    return check.done"""

# Reads texts that may be broken. Writes, for each, the message that is read, or that it is refused.
SURVIVE_JSON = COMMON + """
    for name in read do
        local type = schema:message(name)
        local ok, got = pcall(type.from_json, type, read())
        assert(ok or tostring(got):find("^" .. name .. "[^\\n]*%%(line %%d+, byte %%d+%%)$"), got)
        write(ok and "read" or "refused")
        write(ok and type:encode(got) or "")
    end
    output:close()
    return check.done"""


def make_for_json(file, count, seed):
    """Random messages that have a text in JSON, and that text."""
    types = messages.load_types(FOLDER, file)
    chance = random.Random(seed)
    made = messages.make(types, count, seed)
    content = [one for one in made if one.DESCRIPTOR.name in ("Names", "Tree", "Scalars")][:20]
    for one in made:
        messages.mend(chance, one, content)
    pool = next(iter(types.values())).DESCRIPTOR.file.pool
    return [(one, json_format.MessageToJson(one, descriptor_pool=pool, indent=None)) for one in made]


@pytest.mark.parametrize("file, count", [("everything.proto", 2000), ("known.proto", 2000),
                                         ("old.proto", 500)])
def test_each_codec_reads_the_json_that_the_other_writes(file, count, tmp_path):
    made = make_for_json(file, count, 3)
    pool = made[0][0].DESCRIPTOR.file.pool
    written = run_script(JSON, tmp_path, file, [piece for one, text in made for piece in (
        one.DESCRIPTOR.full_name.encode(), one.SerializeToString(), text.encode())])
    assert len(written) == 3 * len(made)
    for i, text in enumerate(written):
        one = made[i // 3][0]
        got = json_format.Parse(text.decode(), type(one)(), descriptor_pool=pool)
        assert same(got, one), (text, one)


def damage_text(chance, text):
    """The text with a few characters changed, lost, doubled, or put in."""
    for _ in range(chance.randrange(1, 3)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(5):
            case 0:
                text = text[:at] + chance.choice('{}[]",:\\0129.-eE tfn_A\t') + text[at + 1:]
            case 1:
                text = text[:at] + text[at + chance.randrange(1, 4):]
            case 2:
                text = text[:at] + text[at:at + chance.randrange(1, 20)] + text[at:]
            case 3:
                text = text[:at] + chance.choice(("null", "1", '"', "{}", " ", "e1", ".0")) + text[at:]
            case _:
                text = text[:max(at, len(text) - 3)]
    return text


def test_what_is_read_of_broken_json_is_what_python_reads(tmp_path):
    chance = random.Random(4)
    broken = [(one, damage_text(chance, text))
              for file in ("known.proto",) for one, text in make_for_json(file, 400, 5)
              for _ in range(8)]
    pool = broken[0][0].DESCRIPTOR.file.pool
    written = run_script(SURVIVE_JSON, tmp_path, "known.proto", [
        piece for one, text in broken for piece in (one.DESCRIPTOR.full_name.encode(),
                                                    text.encode())])
    read = 0
    for i, (one, text) in enumerate(broken):
        verdict, got = written[2 * i:2 * i + 2]
        if verdict == b"read":
            wanted = json_format.Parse(text, type(one)(), descriptor_pool=pool)
            assert same(type(one).FromString(got), wanted), text
            read += 1
    assert len(broken) / 50 < read < len(broken) / 2
