#!/bin/sh
# The layers and the rooms: a folder includes only itself and those that lie below it, and each outside
# library is known to one place. Prints each include that breaks a rule; fails if there is one.
set -eu
cd "$(dirname "$0")/../.."
broken=0

# allow FOLDER PATTERN: quoted includes in FOLDER and below match the pattern.
allow() {
    found=$(grep -rnH '^#include "' "$1" --include='*.[ch]' --include='*.cc' | grep -Ev "#include \"($2)" || true)
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
allow server/socket '(core|http|h1|h2|net|proxy|socket)/'
allow server/store 'core/|net/(timer|descriptor)\.h|store/'
allow server/program '(core|net|program)/'
allow server/proc/options '(core|http|h1|h2|net|proxy|store|proc/options)/'
allow server/proc/worker '(core|http|h1|h2|net|proxy|store|proc/(options|worker))/'
allow server/proc/master '(core|http|h1|h2|net|proxy|store|proc)/'

# The rooms of lua/, from the lowest.
below='(core|http)/|net/(timer|descriptor|names)\.h|store/|lua/('
# How errors are raised is a file that stands by itself: modules have it too.
for room in lua/modules/*; do
    case $room in
    # What waits stands on the runtime.
    lua/modules/store | lua/modules/sqlite | lua/modules/postgres) allow "$room" "${below}modules|runtime)/" ;;
    *) allow "$room" 'core/|lua/(modules/|runtime/error_value\.h)' ;;
    esac
done
allow lua/protobuf 'core/|lua/(protobuf/|modules/utf8\.h)'
allow lua/runtime "${below}modules|runtime)/"
allow lua/ctx "${below}modules|runtime|ctx)/"
allow lua/client "socket/|${below}modules|runtime|ctx|client)/"
allow lua/process "program/|${below}modules|runtime|ctx|process)/"
allow lua/scripts "${below}modules|runtime|ctx|client|process|scripts)/"
found=$(grep -n '^#include "' lua/*.[ch] | grep -Ev '#include "(core/|lua/config\.h)' || true)
[ -z "$found" ] || { echo "$found: the configuration file's reader includes core alone"; broken=1; }
found=$(ls -d lua/*.c lua/*.cc lua/*/ 2>/dev/null |
    grep -Ev '^lua/(config\.c|(runtime|ctx|client|process|scripts|modules|protobuf|moontrail|types)/)$' || true)
[ -z "$found" ] || { echo "$found: belongs into a room"; broken=1; }

only 'nghttp2/' 'server/h2/'
only 'openssl/' '(server/net|lua/modules/digest)/'
only 'ares' 'server/net/resolver\.c'
only 'lua\.h|lua\.hpp|lauxlib\.h|lualib\.h' 'lua/'
only 'yajl/' 'lua/modules/json/'
only 'google/' 'lua/protobuf/'
only '(postgresql/)?libpq-fe\.h' 'lua/modules/postgres/'
only 'sqlite3\.h' 'lua/modules/sqlite/'
only 'lmdb\.h' 'server/store/table\.h'
only 'pthread\.h' 'server/(core/pool\.c|store/robust\.h)'
only 'ev\.h' 'server/((net|proc)/|main\.c)'
only 'sys/inotify\.h' 'server/proc/'
only 'sys/wait\.h' 'server/(proc|program)/'
# Threads block signals, and a holder of a lock that is stopped is killed.
only 'signal\.h' 'server/((proc|program)/|core/pool\.c|store/robust\.c)'

# What a log line is worth is for those who know the peer or the script to say.
found=$(grep -ln 'core/log\.h' server/http/*.[ch] || true)
[ -z "$found" ] || { echo "$found: http does not log"; broken=1; }

exit $broken
