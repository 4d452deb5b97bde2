#!/bin/sh
# Builds, when go is there, the Go programs that the tests and the benchmark drive, into $MOORING_TOOLS/bin
# (.tools/bin by default), each at the version below. What is there at that version is left alone.
# With CI=true or MOORING_REQUIRE_TOOLS=1 what cannot be had is a failure, otherwise its tests skip.
set -u

bin=${MOORING_TOOLS:-$(cd "$(dirname "$0")/../.." && pwd)/.tools}/bin
tools='
conformance  github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111
crane        github.com/google/go-containerregistry/cmd/crane@v0.22.1
oras         oras.land/oras/cmd/oras@v1.3.6
distribution github.com/distribution/distribution/v3/cmd/registry@v3.1.2
versitygw    github.com/versity/versitygw/cmd/versitygw@v1.8.0
helm         helm.sh/helm/v3/cmd/helm@v3.22.0
cosign       github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
'

give_up() {
    echo "$1" >&2
    if [ "${CI:-}" = true ] || [ "${MOORING_REQUIRE_TOOLS:-}" = 1 ]; then exit 1; fi
    exit 0
}

there() { # name, version
    [ "$(go version -m "$bin/$1" 2>/dev/null | awk '$1 == "mod" { print $3 }')" = "$2" ]
}

command -v go >/dev/null 2>&1 || give_up "No Go tools: go is not installed. To get them: install Go, then make tools"
mkdir -p "$bin" || exit 1
# One at a time: a second run waits for the first and then finds the work done.
if command -v flock >/dev/null 2>&1; then
    exec 9>"$bin/.lock" && flock 9
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

failed=
while read -r name package; do
    [ -n "$name" ] || continue
    version=${package##*@}
    if there "$name" "$version"; then continue; fi
    mkdir -p "$work/$name"
    start=$(date +%s)
    # Without cgo no C compiler is needed; two at a time leaves memory for the linker of the large ones.
    if CGO_ENABLED=0 GOBIN="$work/$name" nice go install -p 2 -trimpath -ldflags '-s -w' "$package" 2>"$work/log" 9>&-; then
        mv -f "$work/$name"/* "$bin/$name"
        echo "Built $name $version in $(($(date +%s) - start)) s"
    else
        echo "Could not build $name $version: $(grep -v '^go: downloading' "$work/log" | tail -n 1)" >&2
        failed="$failed $name"
    fi
done <<EOF
$tools
EOF
[ -z "$failed" ] || give_up "Missing Go tools:$failed"
