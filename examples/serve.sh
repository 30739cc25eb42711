# Read by each run.sh: serves the handler.lua beside it and sets $url; at the end it stops the
# server, and shows its log if that was no success. $1 is the port, a free one when it is not given;
# $MOONTRAIL the program, build/moontrail when it is not set; $scheme https, unless it is set; $first
# the file, unless that is handler.lua; $options what else it is told.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
servers=
log=$tmp/log

stop() {
    status=$?
    for server in $servers; do
        kill "${server%%:*}" 2>/dev/null
        wait "${server%%:*}" || { status=1; cat "${server#*:}" >&2; }
    done
    rm -rf "$tmp"
    exit "$status"
}
trap stop EXIT
trap 'exit 1' INT TERM

# serve LISTEN ARGUMENT...: starts a server, and sets $url and $log, the file that it writes its log
# to. The one started last is stopped first.
serve() {
    log=$log+
    : >"$log"
    "${MOONTRAIL:-$here/../../build/moontrail}" --listen "$@" 2>"$log" &
    servers="$!:$log $servers"
    until url=$(sed -n 's/.* ready listen=\([^ ]*\).*/\1/p' "$log") && [ -n "$url" ]; do
        kill -0 "$!" 2>/dev/null || exit 1
        sleep 0.1
    done
}

serve "${scheme:-https}://127.0.0.1:${1:-0}" ${options:-} "$here/${first:-handler.lua}"

# From what nghttp -nv writes, the frames that carry the response, with their fields but the date.
frames() {
    awk '
        / recv \(stream_id=/ && $5 != "date:" {
            sub(/^.*stream_id=[0-9]+\)/, "   ")
            fields = fields $0 "\n"
        }
        / recv (HEADERS|DATA) frame / {
            print $4 (/flags=0x0[15]/ ? " END_STREAM" : "")
            printf "%s", fields
            fields = ""
        }
        / recv RST_STREAM frame / {
            getline
            sub(/^.*error_code=/, "")
            sub(/\(.*/, "")
            print "RST_STREAM " $0
        }'
}
