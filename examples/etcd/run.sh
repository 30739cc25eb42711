#!/bin/sh
# Keys of an etcd server over HTTP: read, set for some time, watched. Usage: run.sh [PORT]
# It starts an etcd of its own, Debian's etcd-server, unless ETCD names one (h2c://HOST:PORT).
kept=$(mktemp -d)
if [ -z "${ETCD:-}" ]; then
    etcd --data-dir "$kept/data" --listen-client-urls http://127.0.0.1:0 \
        --advertise-client-urls http://127.0.0.1:0 --listen-peer-urls http://127.0.0.1:0 \
        --logger zap --log-outputs stderr 2>"$kept/log" &
    own=$!
    until address=$(sed -n 's/.*serving client traffic.*"address":"\([^"]*\)".*/\1/p' "$kept/log") &&
        [ -n "$address" ]; do
        kill -0 "$own" || exit 1
        sleep 0.1
    done
    export ETCD="h2c://$address"
fi
first=routes
. "$(dirname "$0")/../serve.sh"

end_etcd() {
    status=$?
    [ -z "${own:-}" ] || kill "$own"
    rm -r "$kept"
    return "$status"
}
trap 'end_etcd; stop' EXIT

call() {
    echo "# $*"
    path=$1
    shift
    curl -sk --http2 -w ' %{http_code}\n' "$@" "$url$path"
}

# wait_for LINE: until what listens to the key has it.
wait_for() {
    until grep -qx "$1" "$kept/changes"; do sleep 0.1; done
}

curl -skN --http2 "$url/changes/moon" >"$kept/changes" &
listener=$!
until [ -s "$kept/changes" ]; do sleep 0.1; done

call /keys/moon
call /keys/moon -X PUT -d full
call /keys/moon
call /keys/moon -X PUT -d new
call /keys/moon -X DELETE
call /keys/moon -X DELETE
call '/keys/moon?ttl=soon' -X PUT -d brief
call '/keys/moon?ttl=1' -X PUT -d brief
wait_for 'set brief'
until [ "$(tail -n 1 "$kept/changes")" = gone ]; do sleep 0.1; done
call /keys/moon

echo "# what has been told of it"
kill "$listener"
cat "$kept/changes"
