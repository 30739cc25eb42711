#!/bin/sh
# gRPC through the edge: both hops are HTTP/2, so that both directions flow, and the trailers with
# the call's status arrive. Usage: run.sh [PORT]
port=${1:-0}
scheme=http
set --
. "$(dirname "$0")/../serve.sh"

serve "http://127.0.0.1:$port" --upstream "h2c:${url#http:}"
/usr/bin/python3 "$here/client.py" "${url#http://}"
