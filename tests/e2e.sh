#!/bin/sh
# Runs the end-to-end tests: what no other process can disturb in two halves side by side, then the rest
# by itself.
set -u
cd "$(dirname "$0")/e2e"

run() {
    /usr/bin/python3 -m pytest -q -p no:cacheprovider "$@"
}

codec=$(echo test_protobuf*.py test_grpc_transcoding.py test_conformance.py)
calls=$(echo test_rpc*.py)
ignored=
for file in $codec $calls; do
    ignored="$ignored --ignore=$file"
done

mkdir -p ../../build
run $codec >../../build/e2e-codec.log 2>&1 &
codec_run=$!
status=0
run $calls || status=1
wait "$codec_run" || status=1
cat ../../build/e2e-codec.log
run $ignored . || status=1
exit "$status"
