#!/bin/sh
# Installs the Debian packages that are missing, saying which: deps.sh [-k] PACKAGE...
# With -k those that cannot be had are told and left out. Services that come along are not started.
set -eu
keep_going=
[ "$1" != -k ] || { keep_going=1; shift; }
mkdir -p build
log=build/apt.log
exec 9>build/apt.lock
flock 9

missing() {
    for p; do
        dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || echo "$p"
    done
}

get() {
    $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -qq -y --no-install-recommends "$@" >>$log 2>&1
}

wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo installing $wanted "with $sudo apt-get"

# RUNLEVEL is for init scripts; this is for everything else.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$sudo rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo install -m 755 /dev/stdin $policy
fi

: >$log
$sudo apt-get update -qq
get $wanted && exit
if [ -z "$keep_going" ]; then
    tail -n 20 $log >&2
    exit 1
fi
for p in $wanted; do
    get "$p" || echo "left out: $p cannot be installed; see $log"
done
