#!/bin/sh
# A first look at the whole with curl alone: the demo's scripts, served by the sanitizers' build over both
# versions of HTTP, with a reload, a request that is refused, and an end that leaves nothing alive.
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
log=$tmp/log
server=
trap '[ -z "$server" ] || kill $server 2>/dev/null || true; rm -rf "$tmp"' EXIT

# expect WHAT PATTERN COMMAND...: its output matches.
expect() {
    what=$1 pattern=$2
    shift 2
    out=$("$@" 2>&1) || true
    if printf '%s\n' "$out" | grep -Eq "$pattern"; then
        echo "ok $what"
    else
        printf 'not ok %s: no %s in:\n%s\n' "$what" "$pattern" "$out"
        tail -n 20 "$log"; exit 1
    fi
}

cp -r scripts "$tmp/scripts"
build/test/moontrail -w 1 --watch -l https://127.0.0.1:0 -l http://127.0.0.1:0 "$tmp/scripts" 2>"$log" &
server=$!
until urls=$(sed -n 's/.* ready listen=\([^ ]*\).*/\1/p' "$log") && [ -n "$urls" ]; do
    kill -0 $server 2>/dev/null || { cat "$log"; exit 1; }
    sleep 0.1
done
https=${urls%,*} http=${urls#*,}

expect "HTTP/2 over TLS" "^2 Hello world" curl -sk --http2 -w '%{http_version} ' -o "$tmp/out" "$https/hello" \
    --next -s --http2-prior-knowledge "$http/hello"
expect "HTTP/1.1" "^HTTP/1.1 200" curl -si --http1.1 "$http/hello"
expect "the protocol that a script sees" "HTTP/2" curl -sk --http2 "$https/protocol"
head -c 100000 /dev/zero >"$tmp/body"
expect "an upload that comes back" "^100000 200" curl -sk --http2 --data-binary "@$tmp/body" \
    -o "$tmp/out" -w '%{size_download} %{http_code}' "$https/echo"
expect "no such route" "^HTTP/2 404" curl -ski --http2 "$https/none"
expect "a request that is malformed" "^HTTP/1.1 400" curl -si --http1.1 -H 'Host: a b' "$http/hello"
printf '%s\n' 'return function(ctx) ctx:text("new") end' >"$tmp/scripts/added.lua"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ "$(curl -s "$http/added")" != new ] || break
    sleep 0.5
done
expect "a script that was saved" "^new" curl -s "$http/added"
kill -TERM $server
status=0
wait $server || status=$?
server=
expect "an end that leaves nothing" "^0 stopped" sh -c "echo $status \$(grep -o ' stopped ' '$log' | head -n 1)"
if grep -E 'Sanitizer|runtime error:' "$log"; then exit 1; fi
