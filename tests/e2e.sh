#!/bin/sh
# Runs the end-to-end tests: each file for itself, the largest first, as many at a time as there are
# processors; then one after the other those that measure what a server takes or how long somebody
# waits. What fails is shown whole.
set -u
cd "$(dirname "$0")/e2e" || exit 1

measuring='test_attacks.py test_budget.py test_costs.py test_http1_slow.py test_many.py test_memory.py
test_proxy_flow.py test_reload_load.py test_shortage.py test_slow_attacks.py test_torture.py
test_upstream_shares.py'
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# The files that standard input names, so many at a time.
run() {
    xargs -P "$1" -I '{}' sh -c '
        /usr/bin/python3 -m pytest -q -p no:cacheprovider "$1" >"$2/$1" 2>&1 && set -- "$@" passed
        [ "${3-}" ] || cat "$2/$1"
        echo "$1: $(tail -n 1 "$2/$1")"
        [ "${3-}" ]' sh '{}' "$out"
}

status=0
ls -S test_*.py | grep -vxF "$(printf '%s\n' $measuring)" | run "$(nproc)" || status=1
printf '%s\n' $measuring | run 1 || status=1
exit "$status"
