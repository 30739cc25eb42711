#!/bin/sh
# Counts requests over two workers, and lets each user vote so often. Usage: run.sh [PORT]
options="--workers 2"
. "$(dirname "$0")/../serve.sh"

echo "# Twenty visits, each by a connection of its own:"
i=0
while [ $i -lt 20 ]; do
    curl -sk --http2 "$url/home" >"$tmp/last"
    i=$((i + 1))
done
cat "$tmp/last"

echo
echo "# Four votes of one user, one of another:"
for user in moon moon moon moon sun; do
    curl -sk --http2 -X POST -H "x-user: $user" "$url"
done
