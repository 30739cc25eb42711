#!/bin/sh
# An ordinary web API: routes from files, JSON in and out, errors that say what is wrong. Usage: run.sh [PORT]
first=routes
options="--workers 1" # the todos are in its memory
. "$(dirname "$0")/../serve.sh"

# The status, and the reply's fields in a fixed order.
show() {
    echo "# $*"
    path=$1
    shift
    curl -sk --http2 -o "$tmp/reply" -w '%{http_code} %header{location}\n' "$@" "$url$path" | sed 's/ *$//'
    grep -oE '"[a-z]+":("(\\.|[^"\\])*"|[^,}]+)' "$tmp/reply" | sort || true
}

show /todos -d '{"title":"read the manual"}'
show /todos -d '{"title":"write a handler"}'
show /todos -d '{"name":"?"}'
show /todos/2 -X PUT
show /todos/1 -X DELETE
show /todos/1
show /todos
show /todos -X PATCH
