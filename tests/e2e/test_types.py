"""The typings for editors: lua/types/moontrail.lua has what the runtime has, and no more."""
import json
import re

import pytest

from handlers import WALK
from server import ROOT

TYPES = ROOT / "lua/types/moontrail.lua"

# Tables that scripts pass or get, which the runtime has under no name.
PLAIN = {"moontrail.tls", "moontrail.error", "moontrail.cookie_options", "moontrail.wrap_options", "moontrail.proxy_options", "moontrail.process_options", "moontrail.exec_result",
         "moontrail.socket.options", "moontrail.socket.keep_options", "moontrail.socket.tls_options", "moontrail.socket.tls",
         "moontrail.zlib.deflate_options",
         "moontrail.zlib.inflate_options", "moontrail.protobuf.bounds", "moontrail.protobuf.json_options",
         "moontrail.protobuf.service", "moontrail.protobuf.method", "moontrail.protobuf.field",
         "moontrail.grpc.detail",
         "moontrail.grpc.options", "moontrail.grpc.client_options", "moontrail.grpc.call_options",
         "moontrail.grpc.retry", "moontrail.grpc.gateway_options",
         "moontrail.grpc.status", "moontrail.http.options", "moontrail.every_options",
         "moontrail.redis.options", "moontrail.redis.transaction_options",
         "moontrail.redis.batch", "moontrail.redis.message", "moontrail.redis.subscription",
         "moontrail.sql.options", "moontrail.sql.result", "moontrail.sql.listener",
         "moontrail.sql.notification", "moontrail.sql.copy", "moontrail.sql.transaction_options",
         "moontrail.limit_options", "moontrail.store.set_options", "moontrail.store.ttl_options"}

SCRIPTS = {"index.lua": WALK}
SERVER_OPTIONS = ("--max-cpu", "20")


def read_types(text):
    """The classes of a file of typings: from each name to its kind."""
    classes, variables, current = {}, {}, None
    for line in text.splitlines():
        if match := re.match(r"---@class ([\w.]+)", line):
            current = classes.setdefault(match[1], {})
        elif match := re.match(r"---@field (\w+)", line):
            current[match[1]] = "field"
        elif match := re.match(r"local (\w+) = {}", line):
            variables[match[1]] = current
        elif match := re.match(r"function (\w+)[.:](\w+)\(", line):
            variables[match[1]][match[2]] = "function"
    return classes


def flatten(classes):
    return {f"{class_}.{name} is a {kind}" for class_, names in classes.items()
            for name, kind in names.items()}


def test_typings_and_runtime_have_the_same_names(client):
    response = client.fetch("/")
    assert response.status == 200
    served, typed = json.loads(response.text), read_types(TYPES.read_text())
    assert PLAIN <= typed.keys(), PLAIN - typed.keys()
    for name in PLAIN:
        del typed[name]
    assert served.keys() == typed.keys()
    served, typed = flatten(served), flatten(typed)
    assert sorted(served - typed) == [], "the typings lack what the runtime has"
    assert sorted(typed - served) == [], "the runtime lacks what the typings have"


# Each function with the comment above it.
FUNCTIONS = re.findall(r"((?:^---.*\n)+)^function ([\w.:]+)\((.*)\) end$", TYPES.read_text(), re.M)


@pytest.mark.parametrize("comment, parameters", [(c, p) for c, _, p in FUNCTIONS],
                         ids=[name for _, name, _ in FUNCTIONS])
def test_a_function_tells_what_it_does_and_takes(comment, parameters):
    assert re.match(r"---[^@]", comment)
    told = re.findall(r"^---@param ([\w.]+)", comment, re.M)
    assert told == re.findall(r"[\w.]+", parameters)
    for parameter in re.findall(r"^---@param (.*)", comment, re.M):
        words = re.sub(r"table<.*?>|fun\(.*?\)(: \S+)?", "TYPE", parameter).split()
        assert len(words) > 2, f"what is {parameter}?"


def test_every_function_has_a_comment():
    assert len(FUNCTIONS) == len(re.findall("^function ", TYPES.read_text(), re.M))


@pytest.mark.parametrize("name", ["moontrail.base64", "moontrail.grpc", "moontrail.json", "moontrail.protobuf",
                                  "moontrail.redis", "moontrail.resty", "moontrail.sql",
                                  "moontrail.store", "moontrail.zlib"])
def test_a_module_below_is_found_under_its_name(name):
    file = ROOT / "lua/types" / (name.replace(".", "/") + ".lua")
    assert f"---@type {name}\n" in file.read_text()
