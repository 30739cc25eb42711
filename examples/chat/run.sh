#!/bin/sh
# A chat by server-sent events, over two workers. Usage: run.sh [PORT]
options="--workers 2"
. "$(dirname "$0")/../serve.sh"

# Readers until each worker has one.
readers=
n=0
while [ "$(cat "$tmp"/reader* 2>/dev/null | grep -a '^data: [01]$' | sort -u | wc -l)" -lt 2 ]; do
    n=$((n + 1))
    curl -skN --http2 "$url" >"$tmp/reader$n" &
    readers="$readers $!"
    until grep -q welcome "$tmp/reader$n"; do
        sleep 0.05
    done
done

for line in "hello" "is anybody there?" "yes, in both workers"; do
    curl -sk --http2 -d "$line" "$url"
    until [ "$(grep -lxF "data: $line" "$tmp"/reader* | wc -l)" = "$n" ]; do
        sleep 0.05
    done
done

for reader in $readers; do
    kill "$reader"
    wait "$reader" 2>/dev/null || :
done
echo "# What each of them has read:"
for i in $(seq "$n"); do
    sed -n '3,$p' "$tmp/reader$i"
    echo "--"
done | sort -u | grep -v '^$'
