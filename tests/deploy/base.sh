#!/bin/sh
# Makes the base that the image is built on where no registry can be reached: a small Debian with its own Python, by
# debootstrap from the mirror that apt uses here, as $MOORING_TOOLS/debian-python.tar (.tools by default). Made once.
# With CI=true or MOORING_REQUIRE_TOOLS=1 what cannot be had is a failure, otherwise its tests skip.
set -u

tools=${MOORING_TOOLS:-$(cd "$(dirname "$0")/../.." && pwd)/.tools}
base=$tools/debian-python.tar
packages=python3,python3-venv,ca-certificates

give_up() {
    echo "$1" >&2
    if [ "${CI:-}" = true ] || [ "${MOORING_REQUIRE_TOOLS:-}" = 1 ]; then exit 1; fi
    exit 0
}

[ ! -e "$base" ] || exit 0
[ "$(id -u)" = 0 ] || give_up "No base for the image: debootstrap needs root. To get it: sudo tests/deploy/base.sh"
PATH=$PATH:/usr/sbin
command -v debootstrap >/dev/null 2>&1 || give_up "No base for the image. To get it: apt-get install debootstrap, then make image"

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | head -n 1)
mkdir -p "$tools"
work=$(mktemp -d -p "$tools") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
start=$(date +%s)
if nice debootstrap --variant=minbase --include=$packages "$suite" "$work/base" ${mirror:+"$mirror"} >"$work/log" 2>&1 &&
    tar -C "$work/base" --one-file-system --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' \
        --exclude='./dev/*' -cf "$work/base.tar" .; then
    mv -f "$work/base.tar" "$base"
    echo "Made a base of $suite in $(($(date +%s) - start)) s"
else
    give_up "Could not make a base of $suite: $(tail -n 1 "$work/log")"
fi
