#!/bin/sh
# Builds, when go is there, the reader of Compose files that the tests of deploy/compose ask, into $MOORING_TOOLS/bin
# (.tools/bin by default). With CI=true or MOORING_REQUIRE_TOOLS=1 a failure to is one here, otherwise its tests skip.
set -u

here=$(cd "$(dirname "$0")" && pwd)
bin=${MOORING_TOOLS:-$(cd "$here/../.." && pwd)/.tools}/bin
module=github.com/compose-spec/compose-go/v2

give_up() {
    echo "$1" >&2
    if [ "${CI:-}" = true ] || [ "${MOORING_REQUIRE_TOOLS:-}" = 1 ]; then exit 1; fi
    exit 0
}

command -v go >/dev/null 2>&1 || give_up "No compose-project: go is not installed. To get it: install Go, then make tools"
wanted=$(awk -v module=$module '$2 == module { print $3 }' "$here/loader/go.mod")
built=$(go version -m "$bin/compose-project" 2>/dev/null | awk -v module=$module '$2 == module { print $3 }')
[ "$built" != "$wanted" ] || exit 0
mkdir -p "$bin" && cd "$here/loader" || exit 1
if said=$(CGO_ENABLED=0 nice go build -p 2 -mod=readonly -trimpath -ldflags '-s -w' -o "$bin/compose-project.new" . 2>&1); then
    mv -f "$bin/compose-project.new" "$bin/compose-project"
    echo "Built compose-project $wanted"
else
    give_up "Could not build compose-project $wanted: $(echo "$said" | grep -v '^go: downloading' | tail -n 1)"
fi
