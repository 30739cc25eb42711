#!/bin/sh
# Runs test programs of cmocka, as many at a time as there are processors, and counts:
# run.sh NAME PROGRAM... What fails is shown whole.
set -u
name=$1
shift
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' sh -c '
    kept=$2/$(echo "$1" | tr / :)
    "$1" >"$kept" 2>&1 || { cat "$kept"; echo "not ok $1"; echo >>"$2/failures"; }' sh '{}' "$out"

passed=$(cat "$out"/*:* | awk '/^\[  PASSED  \]/ { sum += $4 } END { print sum + 0 }')
failed=$(cat "$out/failures" 2>/dev/null | wc -l)
echo "$name: $passed passed, $failed programs failed"
[ "$failed" = 0 ]
