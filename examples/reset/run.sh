#!/bin/sh
# Shows what a client receives of streams that are reset. Usage: run.sh [PORT]
. "$(dirname "$0")/../serve.sh"

echo "# Before the answer:"
nghttp -nv "$url/busy" 2>&1 | frames

echo
echo "# In the middle of it:"
nghttp -nv "$url/broken" 2>&1 | frames

echo
echo "# The same with curl, which reports the half as an error:"
curl -sk --http2 "$url/broken" || echo " exit status $?"

echo
echo "# After it, which ends an upload that nobody reads:"
head -c 1000000 /dev/zero >"$tmp/upload"
nghttp -nv -d "$tmp/upload" "$url/enough" 2>&1 | frames
