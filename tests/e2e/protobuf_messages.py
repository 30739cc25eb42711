"""Random messages for the codec: made by Python's protobuf, told as Lua tables."""
import math
import random
import struct
import subprocess

from optional import need

need("google.protobuf", "protoc")

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor as Field

INTEGERS = {Field.CPPTYPE_INT32: (-2**31, 2**31 - 1), Field.CPPTYPE_INT64: (-2**63, 2**63 - 1),
            Field.CPPTYPE_UINT32: (0, 2**32 - 1), Field.CPPTYPE_UINT64: (0, 2**64 - 1)}
FLOATS = (0.0, -0.0, 1.0, -1.5, 0.1, 5e-324, 1.7e308, math.inf, -math.inf, math.nan)
WORDS = ("", "a", "moon", "é", "\u20ac\U0001f319", "nul\0", "x" * 127, "y" * 128)
DEPTH = 4  # of messages within each other, about


def load_types(folder, file):
    """The message types of a .proto file by their full names, as protoc reads it."""
    done = subprocess.run(["protoc", f"-I{folder}", "--include_imports",
                           "--descriptor_set_out=/dev/stdout", file],
                          check=True, capture_output=True)
    pool = descriptor_pool.DescriptorPool()
    for proto in descriptor_pb2.FileDescriptorSet.FromString(done.stdout).file:
        pool.Add(proto)
    messages = pool.FindFileByName(file).message_types_by_name.values()
    factory = message_factory.MessageFactory(pool)
    return {message.full_name: factory.GetPrototype(message) for message in messages}


def random_scalar(chance, field):
    if field.cpp_type in INTEGERS:
        low, high = INTEGERS[field.cpp_type]
        near = chance.choice((0, 1, low, high, 2 ** chance.randrange(64)))
        return max(low, min(high, chance.choice((near, near - 1, -near))))
    if field.cpp_type in (Field.CPPTYPE_DOUBLE, Field.CPPTYPE_FLOAT):
        value = chance.choice((*FLOATS, chance.uniform(-1e6, 1e6)))
        fits = field.cpp_type == Field.CPPTYPE_DOUBLE or not 3e38 < abs(value) < math.inf
        return value if fits else math.copysign(math.inf, value)
    if field.cpp_type == Field.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if field.cpp_type == Field.CPPTYPE_ENUM:
        return chance.choice(field.enum_type.values).number
    if field.type == Field.TYPE_STRING:
        return chance.choice(WORDS)
    return chance.randbytes(chance.choice((0, 1, 20)))


def is_map(field):
    return bool(field.message_type) and field.message_type.GetOptions().map_entry


def fill_map(chance, field, entries, depth):
    key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    for _ in range(chance.randrange(4)):
        at = random_scalar(chance, key)
        if value.message_type:
            fill(chance, entries[at], depth - 1)
        else:
            entries[at] = random_scalar(chance, value)


def fill_list(chance, field, values, depth):
    for _ in range(chance.choice((0, 1, 2, 20 if depth == DEPTH else 3))):
        if field.message_type:
            fill(chance, values.add(), depth - 2)
        else:
            values.append(random_scalar(chance, field))


def fill(chance, message, depth=DEPTH):
    """Gives some of the fields values; those that are required always."""
    for field in message.DESCRIPTOR.fields:
        required = field.label == Field.LABEL_REQUIRED
        if not required and (chance.random() < 0.5 or field.message_type and depth <= 0):
            continue
        if is_map(field):
            fill_map(chance, field, getattr(message, field.name), depth)
        elif field.label == Field.LABEL_REPEATED:
            fill_list(chance, field, getattr(message, field.name), depth)
        elif field.message_type:
            getattr(message, field.name).SetInParent()
            fill(chance, getattr(message, field.name), depth - 1)
        else:
            setattr(message, field.name, random_scalar(chance, field))
    return message


def scalar_to_lua(field, value):
    if field.cpp_type == Field.CPPTYPE_ENUM:
        names = [v.name for v in field.enum_type.values if v.number == value]
        return f'"{names[0]}"' if names else f"{value}"
    if field.cpp_type in (Field.CPPTYPE_DOUBLE, Field.CPPTYPE_FLOAT):
        return f'float("{struct.pack("<d", value).hex()}")'
    if field.cpp_type == Field.CPPTYPE_BOOL:
        return "true" if value else "false"
    if field.cpp_type == Field.CPPTYPE_STRING:
        data = value.encode() if isinstance(value, str) else value
        return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'
    return f"0x{value % 2**64:x}"


def value_to_lua(field, value):
    return message_to_lua(value) if field.message_type else scalar_to_lua(field, value)


def field_to_lua(field, value):
    if is_map(field):
        key, part = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        return "{%s}" % ",".join(sorted(
            f"[{scalar_to_lua(key, k)}]={value_to_lua(part, value[k])}" for k in value))
    if field.label == Field.LABEL_REPEATED:
        return "{%s}" % ",".join(value_to_lua(field, one) for one in value)
    return value_to_lua(field, value)


def is_read(message, field):
    """Whether the decoded table has the field."""
    return field.label == Field.LABEL_REPEATED or not field.has_presence \
        or message.HasField(field.name)


def message_to_lua(message):
    """The table that the message is to become, as a Lua expression that takes a function float."""
    return "{%s}" % ",".join(f"{field.name}={field_to_lua(field, getattr(message, field.name))}"
                             for field in message.DESCRIPTOR.fields if is_read(message, field))


def random_value(chance, value, depth=3):
    """Gives a google.protobuf.Value one of its kinds."""
    match chance.randrange(6 if depth > 0 else 4):
        case 0:
            value.null_value = 0
        case 1:
            value.number_value = chance.choice((0.0, -1.5, 1e300, 7.0))
        case 2:
            value.string_value = chance.choice(WORDS)
        case 3:
            value.bool_value = chance.random() < 0.5
        case 4:
            value.struct_value.SetInParent()
            for _ in range(chance.randrange(3)):
                random_value(chance, value.struct_value.fields[chance.choice(WORDS)], depth - 1)
        case _:
            value.list_value.SetInParent()
            for _ in range(chance.randrange(3)):
                random_value(chance, value.list_value.values.add(), depth - 1)


def random_time(chance, message):
    """Gives a Timestamp or a Duration what JSON can say."""
    nanos = chance.choice((0, 1, 5000000, 123000, 999999999))
    if message.DESCRIPTOR.name == "Timestamp":
        message.seconds = chance.choice((0, -1, -62135596800, 253402300799,
                                         chance.randrange(-10**10, 10**10)))
        message.nanos = nanos
    else:
        sign = chance.choice((-1, 1))
        message.seconds = sign * chance.choice((0, 1, 315575999999, chance.randrange(10**6)))
        message.nanos = sign * nanos


def mend(chance, message, content):
    """Makes of random messages of the well-known types such as JSON has a text for; an Any holds
    the content."""
    name = message.DESCRIPTOR.full_name
    if name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        random_time(chance, message)
    elif name == "google.protobuf.FieldMask":
        message.paths[:] = chance.sample(("a", "a_b", "a.b_c", "long_name.x"), chance.randrange(4))
    elif name == "google.protobuf.Value":
        message.Clear()
        random_value(chance, message)
    elif name == "google.protobuf.Any":
        message.Clear()
        message.Pack(chance.choice(content))
    else:
        for field, value in message.ListFields():
            if field.name == "nulls":
                message.ClearField("nulls")  # Python writes lists of null, and reads none
            elif is_map(field) and field.message_type.fields_by_name["value"].message_type:
                for key in value:
                    mend(chance, value[key], content)
            elif field.message_type and not is_map(field):
                for one in value if field.label == Field.LABEL_REPEATED else (value,):
                    mend(chance, one, content)


def make(types, count, seed=1):
    """Messages of these types in turn, the same in each run."""
    chance = random.Random(seed)
    kinds = list(types.values())
    return [fill(chance, kinds[i % len(kinds)]()) for i in range(count)]


def damage(chance, data):
    """The bytes with a few of them changed, lost, doubled or cut off."""
    data = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at:at + 1] = chance.randbytes(1)
            case 1:
                del data[at:at + chance.randrange(1, 4)]
            case 2:
                data[at:at] = data[at:at + chance.randrange(1, 20)]
            case 3:
                data[at:at + 1] = bytes((chance.choice((0x7f, 0x80, 0xff)),))
            case _:
                del data[max(at, len(data) - 3):]
    return bytes(data)
