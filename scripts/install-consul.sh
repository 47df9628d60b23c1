#!/bin/sh
# Puts Consul on a Debian or Ubuntu machine, from the nearest source:
#   1. the consul that is there already, when it is new enough;
#   2. the sources that this machine has configured: its distribution's, or HashiCorp's repository;
#   3. Debian's older suite bullseye, on the mirror that this machine uses. Bookworm and trixie have no consul, and
#      a pin lets nothing but consul come from the older suite.
# With --check it installs nothing and only tells, by its exit code, whether case 1 holds.
set -eu
minimum=1.8
suite=bullseye
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
source=/etc/apt/sources.list.d/consul-$suite.sources
pin=/etc/apt/preferences.d/consul-$suite
unit=/etc/systemd/system/consul.service

. "$(dirname "$0")/apt.sh"

say() { echo "install-consul: $*" >&2; }

# Succeeds when the first version is not older than the second.
new_enough() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

installed() {
    version=$(consul version 2>/dev/null | sed -n '1s/^Consul v\([0-9.]*\).*/\1/p')
    [ -n "$version" ] && new_enough "$version" $minimum
}

# The version that apt would install, without Debian's epoch; empty when no source has the package.
offered() { apt-cache policy consul 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*:\)\{0,1\}\([0-9].*\)/\2/p'; }

# Debian's package would start an agent without TLS on all interfaces. The project runs Consul by its own
# configuration, so the packaged unit stays masked.
mask_unit() {
    [ -e "$unit" ] || [ -L "$unit" ] || { mkdir -p "${unit%/*}" && ln -s /dev/null "$unit"; }
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

from_own_sources() {
    version=$(offered)
    [ -n "$version" ] && new_enough "$version" $minimum || return 1
    say "installing $version from this machine's sources"
    quietly_apt install consul && installed
}

# The label tells Debian's main archive from its security archive, which does not carry the older suite.
mirrors() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian //p' | sort -u
}

configure_older_suite() {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$1" $suite $keyring >$source
    printf 'Package: *\nPin: release o=Debian,n=%s\nPin-Priority: -1\n\n' $suite >$pin
    printf 'Package: consul\nPin: release o=Debian,n=%s\nPin-Priority: 100\n' $suite >>$pin
}

from_older_suite() {
    [ -r $keyring ] || quietly_apt install debian-archive-keyring || return 1
    for mirror in $(mirrors); do
        configure_older_suite "$mirror"
        quietly_apt update || true
        from_own_sources && return 0
        rm -f $source $pin
    done
    return 1
}

installed && exit 0
[ "${1:-}" != --check ] || exit 1
[ "$(id -u)" -eq 0 ] || { say "consul $minimum or newer is missing; run as root: sh $0"; exit 1; }
mask_unit
from_own_sources || from_older_suite || {
    say "no source of this machine offers consul $minimum or newer"
    say "add HashiCorp's package repository to its apt sources, or put a consul binary on the PATH, and try again"
    exit 1
}
