#!/bin/sh
# Calls a service of gRPC by the URLs that its .proto gives to it. Usage: run.sh [PORT]
scheme=http
options="--workers 1" # each has books of its own
. "$(dirname "$0")/../serve.sh"

# ask WORD...: shows the words, and what curl makes of them.
ask() {
    echo "# curl $*"
    path=$1
    shift
    curl -s -w '\n' "$@" "$url$path"
}

ask /v1/shelves/moon/books/1
ask '/v1/shelves/-/books?author=Jules+Verne'
ask /v1/shelves/sea/books -d '{"title": "The Sea-Wolf", "authors": ["Jack London"]}'
ask /v1/shelves/sea/books/4:lend -d '{"reader": "Ada"}'
ask /v1/shelves/sea/books/4:lend -d '{"reader": "Bob"}'
ask /v1/shelves/sea/books/4 -X DELETE
ask /v1/shelves/sea/books/4
ask '/v1/shelves/sea/books?year=1904'
ask /v1/shelves/moon/books/2/cover

echo "# The same by Connect:"
ask /library.v1.Library/GetBook -d '{"name": "shelves/moon/books/1"}' -H 'content-type: application/json'

echo "# What moontrail --openapi tells of it:"
"${MOONTRAIL:-$here/../../build/moontrail}" --openapi "$here/handler.lua" | grep '^    "/v1'
