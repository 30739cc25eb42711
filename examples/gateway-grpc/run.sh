#!/bin/sh
# A gRPC server behind a gateway, called by curl in each protocol that needs no client of its own.
# Usage: run.sh [PORT]
port=${1:-0}
scheme=http
first=backend
set --
. "$(dirname "$0")/../serve.sh"

BACKEND="h2c:${url#http:}" serve "http://127.0.0.1:$port" "$here/front"

echo "Connect, which is JSON by POST:"
curl -s -H 'content-type: application/json' -d '{"name": "shelves/1/books/moon"}' \
    "$url/example.Library/Find"
echo
echo "The path of its google.api.http:"
curl -s "$url/v1/shelves/1/books/sea"
echo
echo "A stream, a line each:"
curl -s "$url/v1/shelves/1/books"
echo "What is not there:"
curl -s -w '\n%{http_code}\n' "$url/v1/shelves/1/books/none"
echo "gRPC, as it is, and gRPC-Web; the status is behind the reply:"
printf '\0\0\0\0\26\n\24shelves/1/books/moon' >"$tmp/request"
curl -s --http2-prior-knowledge -H 'content-type: application/grpc' --data-binary "@$tmp/request" \
    -D "$tmp/head" -o /dev/null "$url/example.Library/Find"
grep -o 'grpc-status: [0-9]*' "$tmp/head"
curl -s -H 'content-type: application/grpc-web' --data-binary "@$tmp/request" \
    "$url/example.Library/Find" | grep -a -o 'grpc-status: [0-9]*'
echo "A page of https://app.example may call it:"
curl -s -D - -o /dev/null -X OPTIONS -H 'origin: https://app.example' \
    -H 'access-control-request-method: POST' "$url/example.Library/Find" |
    grep -i -o 'access-control-allow-origin: [^[:space:]]*'
