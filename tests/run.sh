#!/bin/sh
# Runs test programs of cmocka, one after the other, and counts: run.sh NAME PROGRAM... What fails is shown whole.
set -u
name=$1
shift
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0
for program; do
    if "$program" >"$out" 2>&1; then
        count=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$out")
        passed=$((passed + count))
    else
        cat "$out"
        echo "not ok $program"
        failed=$((failed + 1))
    fi
done
echo "$name: $passed passed, $failed failed"
[ "$failed" = 0 ]
