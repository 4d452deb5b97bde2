#!/bin/sh
# Gets, from Debian or Ubuntu, the client programs and the registry that the tests and the benchmark drive.
# Takes only what is missing, removes nothing, starts nothing, now or at the next boot.
# With CI=true or MOORING_REQUIRE_TOOLS=1 what cannot be had is a failure, otherwise its tests skip.
set -u

wanted='dockerd:docker.io docker:docker-cli skopeo:skopeo podman:podman buildah:buildah docker-registry:docker-registry
    iptables:iptables runc:runc newuidmap:uidmap fuse-overlayfs:fuse-overlayfs postgres:postgresql
    haproxy:haproxy nginx:nginx-light faketime:faketime debootstrap:debootstrap promtool:prometheus
    amtool:prometheus-alertmanager'
policy=/usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive

give_up() {
    echo "$1" >&2
    if [ "${CI:-}" = true ] || [ "${MOORING_REQUIRE_TOOLS:-}" = 1 ]; then exit 1; fi
    exit 0
}

apt() {
    apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1
}

at_boot() { # the links that start services
    find /etc/systemd/system -type l 2>/dev/null | sort
}

there() {
    command -v "${1%%:*}" >/dev/null 2>&1
}

PATH=$PATH:/usr/sbin:/sbin
for place in /usr/lib/postgresql/*/bin; do PATH=$PATH:$place; done
missing=
for pair in $wanted; do
    there "$pair" || missing="$missing $pair"
done
[ -n "$missing" ] || exit 0
packages=$(echo "$missing" | sed 's/[^ ]*://g')

command -v apt-get >/dev/null 2>&1 || give_up "Not installed (no apt-get here):$packages"
[ "$(id -u)" = 0 ] || give_up "Not installed (not root):$packages. To get them: sudo tests/tools/debian.sh"

work=$(mktemp -d)
log=$work/log
if [ ! -e $policy ]; then
    trap 'rm -rf "$work" $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
else
    trap 'rm -rf "$work"' EXIT
fi
trap 'exit 130' INT
trap 'exit 143' TERM

apt update || give_up "Not installed (apt-get update failed: $(grep -m1 ^E: "$log")):$packages"
at_boot >"$work/at_boot"
failed=
for pair in $missing; do
    there "$pair" && continue # an earlier package brought it
    package=${pair#*:}
    if apt install --no-install-recommends --no-remove --yes "$package"; then
        echo "Installed $package $(dpkg-query -W -f '${Version}' "$package")"
    else
        echo "Could not install $package: $(grep -m1 ^E: "$log")" >&2
        failed="$failed $package"
    fi
done
at_boot | comm -13 "$work/at_boot" - | xargs -r rm -f
[ -z "$failed" ] || give_up "Missing Debian packages:$failed"
