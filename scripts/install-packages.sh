#!/bin/sh
# Makes sure that the servers and tools which the project runs are on this machine, and starts none of them.
# As root it installs what is missing by apt. As anyone else it says what is missing and how to get it.
set -eu
scripts=$(cd "$(dirname "$0")" && pwd)
# Servers lie in folders that are not on the PATH of an ordinary user.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
policy=/usr/sbin/policy-rc.d
createcluster=/etc/postgresql-common/createcluster.conf

. "$scripts/apt.sh"

say() { echo "install-packages: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# One line per missing Debian package.
missing() {
    "$scripts/find-postgres.sh" >/dev/null || echo postgresql
    have redis-server || echo redis-server
    have sshd || echo openssh-server
    { have ssh && have ssh-keygen; } || echo openssh-client
    have rsync || echo rsync
    have openssl || echo openssl
    have ip || echo iproute2
    have ps || echo procps
    have haproxy || echo haproxy
    "$scripts/find-python.sh" >/dev/null || echo python3-venv
    "$scripts/install-consul.sh" --check || echo consul
}

# Packages start their services on installation: a policy that forbids it holds meanwhile.
forbid_starts() {
    saved=$(mktemp -d)
    trap restore EXIT
    trap 'exit 130' HUP INT TERM
    [ ! -e "$policy" ] || mv "$policy" "$saved/policy"
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

restore() {
    rm -f "$policy"
    [ ! -e "$saved/policy" ] || mv "$saved/policy" "$policy"
    [ ! -e "$saved/createcluster" ] || cat "$saved/createcluster" >"$createcluster"
    rm -rf "$saved"
}

# Only the server programs are wanted: an instance of Debian's own would take memory and the port.
install_postgres() {
    quietly_apt install postgresql-common
    cp "$createcluster" "$saved/createcluster"
    echo 'create_main_cluster = false' >>"$createcluster"
    quietly_apt install postgresql
    "$scripts/find-postgres.sh" >/dev/null || {
        say "this distribution's PostgreSQL is too old; 15 or newer is needed"
        exit 1
    }
}

# The policy holds for now only; a service that this script brought must not come up at the next boot either.
disable_service() {
    deb-systemd-helper disable "$1.service" >/dev/null 2>&1 || true
    update-rc.d "$1" disable >/dev/null 2>&1 || true
}

install_package() {
    say "installing $1"
    case $1 in
        postgresql) install_postgres ;;
        consul) "$scripts/install-consul.sh" ;;
        redis-server) quietly_apt install redis-server && disable_service redis-server ;;
        haproxy) quietly_apt install haproxy && disable_service haproxy ;;
        openssh-server) quietly_apt install openssh-server && disable_service ssh ;;
        *) quietly_apt install "$1" ;;
    esac
}

wanted=$(missing | tr '\n' ' ')
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    say "missing on this machine: $wanted"
    say "this installs them and starts no service:  sudo sh $scripts/install-packages.sh"
    exit 1
fi
have apt-get || { say "this machine has no apt; install by hand: $wanted"; exit 1; }
forbid_starts
quietly_apt update || say "some package lists could not be fetched; going on with those that are here"
for package in $wanted; do install_package "$package"; done
left=$(missing | tr '\n' ' ')
[ -z "$left" ] || { say "still missing: $left"; exit 1; }
