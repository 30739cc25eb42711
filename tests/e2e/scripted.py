"""Code of Lua that tests run in a server's script, and what it gives."""
import json

# Runs the code that the body has, and answers with what it returns as JSON.
SCRIPT = """
    local mt, crypto, json = require "moontrail", require "moontrail.crypto", require "moontrail.json"
    return function(ctx)
        local code = assert(load("local ctx, mt, crypto, json = ... " .. ctx:body(), "=run"))
        local results = table.pack(pcall(code, ctx, mt, crypto, json))
        for i = 1, results.n do
            if results[i] == nil then
                results[i] = json.null
            elseif type(results[i]) == "table" and results[i].kind then
                results[i] = { kind = results[i].kind, limit = results[i].limit }
            end
        end
        results.n = nil
        ctx:json(json.array(results))
    end"""


class Raised(Exception):
    """What a script has raised."""


def run_on(client, code):
    """What the code returns, as a list where that is more than one value; raises what it raises."""
    response = client.fetch("/", "POST", body=code.encode())
    assert response.status == 200, response.text
    done, *results = json.loads(response.text)
    if not done:
        raise Raised(results[0])
    return results if len(results) > 1 else (results or [None])[0]


def lua(data):
    """Bytes or text as a string of Lua."""
    data = data.encode() if isinstance(data, str) else data
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def lua_json(value):
    """A value as one of Lua."""
    return f"json.decode({lua(json.dumps(value))})"
