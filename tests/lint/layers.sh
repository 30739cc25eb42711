#!/bin/sh
# The layers: a folder includes only itself and those above it, and each outside library is known to
# one place. Prints each include that breaks a rule; fails if there is one.
set -eu
cd "$(dirname "$0")/../.."
broken=0

# allow FOLDER PATTERN: quoted includes in FOLDER match the pattern.
allow() {
    found=$(grep -n '^#include "' "$1"/*.[ch]* 2>/dev/null | grep -Ev "#include \"($2)" || true)
    [ -z "$found" ] || { echo "$found: not a layer that $1 may include"; broken=1; }
}

# only HEADERS PLACES: no file outside the places includes these.
only() {
    found=$(grep -rnE "^#include <($1)" server lua --include='*.[ch]' --include='*.cc' | grep -Ev "^($2)" || true)
    [ -z "$found" ] || { echo "$found: belongs to $2 alone"; broken=1; }
}

allow server/core 'core/'
allow server/http '(core|http)/'
allow server/h2 '(core|http|h2)/'
allow server/h1 '(core|http|h1)/'
allow server/net '(core|http|h1|h2|net)/'
allow server/proxy '(core|http|h1|h2|net|proxy)/'
allow server/proc '(core|http|h1|h2|net|proxy|proc)/'
allow lua '(core|http|lua)/|net/timer\.h'

only 'nghttp2/' 'server/h2/'
only 'openssl/' 'server/net/'
only 'ares' 'server/proxy/'
only 'lua\.h|lua\.hpp|lauxlib\.h|lualib\.h' 'lua/'
only 'yajl/' 'lua/'
only 'google/' 'lua/protobuf'
only 'ev\.h' 'server/((net|proc)/|main\.c)'
only 'sys/inotify\.h|signal\.h|sys/wait\.h' 'server/proc/'

# What a log line is worth is for those who know the peer or the script to say.
found=$(grep -ln 'core/log\.h' server/http/*.[ch] || true)
[ -z "$found" ] || { echo "$found: http does not log"; broken=1; }

exit $broken
