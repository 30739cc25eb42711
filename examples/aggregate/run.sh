#!/bin/sh
# A handler that asks three servers at once, and makes one page of their answers. Usage: run.sh [PORT]
port=${1:-0}
set --
scheme=http
first=weather.lua
. "$(dirname "$0")/../serve.sh"
export WEATHER="$url"
serve http://127.0.0.1:0 "$here/events.lua"
export EVENTS="h2c:${url#http:}"
serve http://127.0.0.1:0 "$here/fares.lua"
export FARES="h2c:${url#http:}"
serve "https://127.0.0.1:$port" "$here/handler.lua"

echo "# Each takes half a second:"
curl -sk --http2 "$url/bonn"

echo
echo "# None of them gives an answer:"
curl -sk --http2 "$url/atlantis"
