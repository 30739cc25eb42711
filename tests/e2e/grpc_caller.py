"""A handler that calls the gRPC service of grpc_service.py, as the request's code says."""
from grpc_service import PROTO
from handlers import RUN, begin_lua, run_lua

# What it takes to load all of gRPC is no part of a request's time.
LOAD = 'require("moontrail.grpc").client("http://127.0.0.1", "calls.proto", "test.Calls")'
SCRIPTS = {"index.lua": LOAD + RUN, "calls.proto": PROTO}

CLIENT = """
    local grpc = require "moontrail.grpc"
    local c = grpc.client("URL", "calls.proto", "test.Calls", OPTIONS)
    """

# Each message is answered before the next one is sent; and what comes of it.
CHAT = """
    local call, seen = c:Chat(), {}
    for i = 1, 20 do
        call:send { count = i }
        seen[i] = call:recv().count
    end
    call:close_send()
    return table.concat(seen, " "), call:recv()
    """
CHATTED = " ".join(map(str, range(1, 21))) + "|nil"


def _program(url, code, options):
    return CLIENT.replace("URL", url).replace("OPTIONS", options) + code


def run_caller(client, url, code, options="{ verify = false }"):
    """What the code returns, with a client c of the service at the URL."""
    answer = run_lua(client, _program(url, code, options))
    assert answer.status == 200, answer.text
    return answer.text


def begin_caller(client, url, code, options="nil"):
    """Begins the request alone, and gives its stream."""
    return begin_lua(client, _program(url, code, options))


def h2c(server):
    """The address of a server for HTTP/2 by prior knowledge."""
    return server.http.replace("http:", "h2c:")
