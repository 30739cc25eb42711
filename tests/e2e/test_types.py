"""The typings for editors: lua/types/moontrail.lua has what the runtime has, and no more."""
import json
import re

import pytest

from server import ROOT

TYPES = ROOT / "lua/types/moontrail.lua"

# Tables that scripts pass or get, which the runtime has under no name.
PLAIN = {"moontrail.tls", "moontrail.cookie_options", "moontrail.zlib.deflate_options",
         "moontrail.zlib.inflate_options", "moontrail.protobuf.bounds",
         "moontrail.protobuf.service", "moontrail.protobuf.method", "moontrail.grpc.detail",
         "moontrail.grpc.options"}

# Answers with each name of the API and its kind, by class.
WALK = """
    local mt, zlib, pb = require "moontrail", require "moontrail.zlib", require "moontrail.protobuf"
    local schema = pb.parse('syntax = "proto3"; message A {}', "a.proto")
    local classes

    local function add(class, names)
        local kinds = {}
        for name, value in pairs(names) do
            kinds[name] = type(value) == "function" and "function" or "field"
            if type(value) == "table" then
                add(class .. "." .. name, value)
            end
        end
        classes[class] = kinds
    end

    -- The metatable of a call has a function as its __index, which looks into its methods.
    local function call_names()
        local metatable = getmetatable(require("moontrail.grpc.call").new())
        local names = { ctx = true, metadata = true, compressed = true }
        for i = 1, 9 do
            local name, value = debug.getupvalue(metatable.__index, i)
            for key, method in pairs(name == "methods" and value or {}) do
                names[key] = method
            end
        end
        return names
    end

    return function(ctx)
        classes = {}
        local task = mt.spawn(function() end)
        for name in pairs(package.preload) do
            if name:find("^moontrail") and not name:find("^moontrail%.grpc%.") then
                add(name, require(name))
            end
        end
        local _, names = debug.getupvalue(getmetatable(ctx).__index, 1)
        add("moontrail.ctx", names)
        add("moontrail.grpc.call", call_names())
        add("moontrail.task", debug.getmetatable(task).__index)
        add("moontrail.zlib.deflate", debug.getmetatable(zlib.deflate()).__index)
        add("moontrail.zlib.inflate", debug.getmetatable(zlib.inflate()).__index)
        add("moontrail.protobuf", pb)
        add("moontrail.protobuf.schema", debug.getmetatable(schema).__index)
        add("moontrail.protobuf.message", debug.getmetatable(schema:message("A")).__index)
        ctx:json(classes)
    end"""

SCRIPTS = {"index.lua": WALK}


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


def test_every_function_has_a_comment():
    assert len(FUNCTIONS) == len(re.findall("^function ", TYPES.read_text(), re.M))


@pytest.mark.parametrize("name", ["moontrail.grpc", "moontrail.json", "moontrail.protobuf",
                                  "moontrail.zlib"])
def test_a_module_below_is_found_under_its_name(name):
    file = ROOT / "lua/types" / (name.replace(".", "/") + ".lua")
    assert f"---@type {name}\n" in file.read_text()
