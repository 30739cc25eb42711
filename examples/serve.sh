# Read by each run.sh: serves the handler.lua beside it and sets $url; at the end it stops the
# server, and shows its log if that was no success. $1 is the port, a free one when it is not given;
# $MOONTRAIL the program, build/moontrail when it is not set; $scheme https, unless it is set.
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
: >"$tmp/log"
"${MOONTRAIL:-$here/../../build/moontrail}" --listen "${scheme:-https}://127.0.0.1:${1:-0}" \
    "$here/handler.lua" 2>"$tmp/log" &
server=$!

stop() {
    status=$?
    kill "$server" 2>/dev/null
    wait "$server" || { status=1; cat "$tmp/log" >&2; }
    rm -rf "$tmp"
    exit "$status"
}
trap stop EXIT
trap 'exit 1' INT TERM

until url=$(sed -n 's/.* ready listen=\([^ ]*\).*/\1/p' "$tmp/log") && [ -n "$url" ]; do
    kill -0 "$server" 2>/dev/null || exit 1
    sleep 0.1
done

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
