#!/bin/sh
# Gets the API server of Kubernetes that the chart is installed on: kube-apiserver is built once from Go modules, into
# $MOORING_TOOLS/bin (.tools/bin by default); etcd comes from Debian when root. No container, no download of programs.
# With CI=true or MOORING_REQUIRE_TOOLS=1 what cannot be had is a failure, otherwise its tests skip.
set -u

here=$(cd "$(dirname "$0")" && pwd)
bin=${MOORING_TOOLS:-$(cd "$here/../.." && pwd)/.tools}/bin
server=$bin/kube-apiserver
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

give_up() {
    echo "$1" >&2
    if [ "${CI:-}" = true ] || [ "${MOORING_REQUIRE_TOOLS:-}" = 1 ]; then exit 1; fi
    exit 0
}

version() { # of k8s.io/kubernetes in what the two say
    awk '$1 == "k8s.io/kubernetes" { print $2 } $2 == "k8s.io/kubernetes" { print $3 }'
}

get_etcd() {
    command -v etcd >/dev/null 2>&1 && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        give_up "No etcd. To get it: sudo apt-get install etcd-server"
    fi
    # The package would start a service: only the program is wanted.
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p "$bin" "$work/etcd" && cd "$work/etcd" || exit 1
    apt-get -qq -o DPkg::Lock::Timeout=600 update >"$work/log" 2>&1
    if apt-get -qq download etcd-server >>"$work/log" 2>&1 && dpkg-deb -x etcd-server_*.deb . 2>>"$work/log"; then
        mv -f usr/bin/etcd "$bin/etcd"
        echo "Unpacked etcd from $(basename ./*.deb)"
    else
        give_up "Could not get Debian's etcd-server: $(tail -n 1 "$work/log")"
    fi
}

get_server() {
    wanted=$(version <"$here/apiserver/go.mod")
    command -v go >/dev/null 2>&1 || give_up "No kube-apiserver: go is not installed. To get it: install Go, then make kubernetes"
    [ "$(go version -m "$server" 2>/dev/null | version)" != "$wanted" ] || return 0
    mkdir -p "$bin" && cd "$here/apiserver" || exit 1
    echo "Building kube-apiserver $wanted: some minutes, once"
    start=$(date +%s)
    # It is asked for its version, which a build by modules doesn't know.
    stamp="-X k8s.io/component-base/version.gitVersion=$wanted"
    # Two at a time, and politely: others work on this machine.
    if CGO_ENABLED=0 nice -n 10 go build -p 2 -mod=readonly -trimpath -ldflags "-s -w $stamp" \
        -o "$work/kube-apiserver" . 2>"$work/log"; then
        mv -f "$work/kube-apiserver" "$server"
        echo "Built kube-apiserver $wanted in $(($(date +%s) - start)) s"
    else
        give_up "Could not build kube-apiserver $wanted: $(grep -v '^go: downloading' "$work/log" | tail -n 1)"
    fi
}

PATH=$bin:$PATH
get_etcd
get_server
