#!/bin/sh
# Sets up OpenStack Swift, a server that speaks S3, in a virtual environment of its own: $MOORING_TOOLS/swift
# (.tools/swift by default), at the versions below. tests/s3.py starts it. What is there already is left alone.
# With CI=true or MOORING_REQUIRE_TOOLS=1 what cannot be had is a failure, otherwise its tests skip.
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
place=${MOORING_TOOLS:-$root/.tools}/swift
packages='swift==2.38.3 pyeclib==1.8.0'

give_up() {
    echo "$1" >&2
    if [ "${CI:-}" = true ] || [ "${MOORING_REQUIRE_TOOLS:-}" = 1 ]; then exit 1; fi
    exit 0
}

[ "$(cat "$place/versions" 2>/dev/null)" = "$packages" ] && exit 0
mkdir -p "$(dirname "$place")" || exit 1
if command -v flock >/dev/null 2>&1; then
    exec 9>"$place.lock" && flock 9
    [ "$(cat "$place/versions" 2>/dev/null)" = "$packages" ] && exit 0
fi
python=$("$root/requirements/python") || give_up "No Swift: no Python to set it up with"
"$python" -m venv --clear "$place" || give_up "No Swift: $python can't make a virtual environment"
# shellcheck disable=SC2086
if "$place/bin/pip" install --quiet --disable-pip-version-check $packages 9>&-; then
    echo "$packages" >"$place/versions"
    echo "Installed $packages"
else
    give_up "No Swift: pip could not install $packages"
fi
