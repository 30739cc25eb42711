#!/bin/sh
# A web API on SQL: notes in SQLite, or in whatever DATABASE_URL names, such as
# postgres://user@host/notes. Usage: run.sh [PORT]
first=routes
options="--workers 2"
kept=$(mktemp -d)
export DATABASE_URL="${DATABASE_URL:-sqlite:$kept/notes.db}"
. "$(dirname "$0")/../serve.sh"

# The status, and the reply's fields in a fixed order, without ids, which differ between databases.
show() {
    echo "# $*"
    path=$1
    shift
    curl -sk --http2 -o "$tmp/reply" -w '%{http_code} %header{location}\n' "$@" "$url$path" | sed 's/ *$//'
    grep -oE '"[a-z]+":("(\\.|[^"\\])*"|[^,}]+)|^\[".*' "$tmp/reply" | grep -v '"id"' | sort
}

show /notes -d '{"title":"moon","text":"It has trails."}'
show /notes -d '{"title":"moon","text":"Once more."}'
show /import -d '[{"title":"tide","text":"Twice a day."},{"title":"dust"}]'
show /import -d '[{"title":"sea","text":"Salt."},{"title":"moon"}]'
show '/notes?q=MO'
show /notes/1 -X PUT -d '{"text":"It has many trails."}'
show /notes/1
show /export
show /notes/1 -X DELETE
show /notes/1
rm -r "$kept"
