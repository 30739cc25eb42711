#!/bin/sh
# moontrail in front of moontrail: the client speaks HTTP/2 to the edge, and the edge HTTP/1.1, or
# HTTP/2 where it is told so, to the server behind it. Usage: run.sh [PORT]
port=${1:-0}
scheme=http
set --
. "$(dirname "$0")/../serve.sh"
inner=$url

show() {
    curl -sk --http2 -i "$url/" | tr -d '\r' | sed -e '/^date:/d' -e 's/ *$//'
}

echo "# Behind the edge, HTTP/1.1:"
serve "https://127.0.0.1:$port" --upstream "$inner"
show

echo
echo "# Behind the edge, HTTP/2:"
serve "https://127.0.0.1:0" --upstream "h2c:${inner#http:}"
show
