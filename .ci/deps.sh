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

# What somebody else has to do, in one sentence.
give_up() {
    echo "$1; install these as root, then try again: $(echo $wanted)" >&2
    [ -z "$keep_going" ] || exit 0
    exit 1
}

as_root() {
    $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "$@"
}

# A line every ten seconds that says how far it has come, until the shell that calls it ends.
tell_progress() {
    while sleep 10 && kill -0 $$ 2>/dev/null; do
        echo "  $(grep -c '^Get:' $log || true) packages fetched," \
            "$(grep -c '^Setting up' $log || true) set up"
    done
}

get() {
    as_root apt-get install -y -o Dpkg::Use-Pty=0 --no-install-recommends "$@" >>$log 2>&1
}

wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0
command -v apt-get >/dev/null || give_up "there is no apt-get here"
sudo=
if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || give_up "packages are missing, and there is no sudo"
    sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } || give_up "sudo lets nobody in"
fi
echo installing $wanted "with ${sudo:+sudo }apt-get"

# RUNLEVEL is for init scripts; this is for everything else.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$sudo rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo install -m 755 /dev/stdin $policy
fi

: >$log
tell_progress &
progress=$!
trap 'kill $progress 2>/dev/null; [ ! -e $policy ] || $sudo rm -f $policy' EXIT
as_root apt-get update -qq >>$log 2>&1 || echo "  apt-get update failed; trying with what is known"
get $wanted && exit
if [ -z "$keep_going" ]; then
    tail -n 20 $log >&2
    exit 1
fi
for p in $wanted; do
    get "$p" || echo "left out: $p cannot be installed; see $log"
done
