#!/bin/sh
# Gets, from Debian or Ubuntu, the client programs and the registry that the tests and the benchmark drive.
# Takes only what is missing, removes nothing, starts nothing, now or at the next boot.
# With CI=true or MOORING_REQUIRE_TOOLS=1 what cannot be had is a failure, otherwise its tests skip.
set -u

wanted='dockerd:docker.io skopeo:skopeo podman:podman buildah:buildah docker-registry:docker-registry
    iptables:iptables runc:runc newuidmap:uidmap fuse-overlayfs:fuse-overlayfs'
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

not_at_boot() {
    command -v systemctl >/dev/null 2>&1 || return 0
    for unit in $(dpkg-query -L "$1" | sed -nE 's,.*/systemd/system/([^/]+\.(service|socket))$,\1,p'); do
        systemctl --quiet disable "$unit" >/dev/null 2>&1
    done
}

missing=
for pair in $wanted; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null 2>&1 || give_up "Not installed (no apt-get here):$missing"
[ "$(id -u)" = 0 ] || give_up "Not installed (not root):$missing. To get them: sudo tests/tools/debian.sh"

log=$(mktemp)
if [ ! -e $policy ]; then
    trap 'rm -f "$log" $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
else
    trap 'rm -f "$log"' EXIT
fi
trap 'exit 130' INT
trap 'exit 143' TERM

apt update || give_up "Not installed (apt-get update failed: $(grep -m1 ^E: "$log")):$missing"
failed=
for package in $missing; do
    if apt install --no-install-recommends --no-remove --yes "$package"; then
        not_at_boot "$package"
        echo "Installed $package $(dpkg-query -W -f '${Version}' "$package")"
    else
        echo "Could not install $package: $(grep -m1 ^E: "$log")" >&2
        failed="$failed $package"
    fi
done
[ -z "$failed" ] || give_up "Missing Debian packages:$failed"
