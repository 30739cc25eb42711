#!/bin/sh
# Shows the trailers of handler.lua, as a client sees them and as frames. Usage: run.sh [PORT]
. "$(dirname "$0")/../serve.sh"

echo "# The head, the body, the trailers:"
curl -sk --http2 -i "$url/?rows=3" | tr -d '\r' | sed -e '/^date:/d' -e 's/ *$//'

echo
echo "# Without a body, the trailers are a second HEADERS frame behind the first:"
nghttp -nv "$url/?rows=0" 2>&1 | frames
