#!/bin/sh
# Installs Debian packages, each where it can: what cannot be had is told and does without.
# Services are not started: RUNLEVEL=1 says so to init scripts, policy-rc.d to everything else.
set -u
missing() {
    for p; do
        dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || echo "$p"
    done
}

wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0
sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
echo "installing" $wanted "with $sudo apt-get"

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap '$sudo rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo install -m 755 /dev/stdin $policy
fi

install_all() {
    $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -qq -y --no-install-recommends "$@" >>build/apt.log 2>&1
}

: >build/apt.log
$sudo apt-get update -qq
install_all $wanted || for p in $wanted; do install_all "$p"; done
for p in $(missing $wanted); do echo "cannot install $p; see build/apt.log"; done
