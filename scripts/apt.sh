# shellcheck shell=sh
# Sourced by the scripts that install packages.

# Apt and the packages' own scripts are talkative: what they said is shown only when it explains a failure.
# Another apt may be at work on the machine, so a lock is waited for.
quietly_apt() {
    log=$(mktemp)
    status=0
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null || status=$?
    [ "$status" -eq 0 ] || tail -n 20 "$log" >&2
    rm -f "$log"
    return "$status"
}
