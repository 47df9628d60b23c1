#!/bin/sh
# The cluster: a manager that is in none joins the one that it finds; the first machine makes one when there is none.
#   CLUSTER                  all the machines, the first one first: "n1=192.168.56.11 n2=192.168.56.12"
#   NODE_NAME, NODE_ADDRESS  which of them this one is
#   MEMBER_NAME              its name in the cluster, if that is another: the name of a removed member is not used again
#   CLOUDIFY_ADMIN_PASSWORD  the administrator's, the same on all of them
#   WAIT_S                   for how long to look for a cluster to join; default 600
set -eu
: "${CLUSTER:?name the machines}" "${NODE_NAME:?name this machine}" "${NODE_ADDRESS:?name its address}"
: "${CLOUDIFY_ADMIN_PASSWORD:?name the password}"
member=${MEMBER_NAME:-$NODE_NAME}
authority=/etc/cloudify/cluster-ssl/ca.pem
export CFY_PASSWORD="$CLOUDIFY_ADMIN_PASSWORD" PATH="/usr/local/bin:$PATH"

say() { echo "cluster: $*" >&2; }

addresses() { for machine in $CLUSTER; do echo "${machine#*=}"; done; }

membership() { cfy_manager --json status | sed -n 's/^ *"membership": "\(.*\)",$/\1/p'; }

# Authorities are not known here before the join, as on a first visit by ssh, and this manager's own changes with it:
# the network belongs to these machines alone.
on_first_visit() { cfy profiles use "$1" -u admin --ssl-trust-all >/dev/null 2>&1; }

# The address of another machine that is in a cluster.
someone() {
    for address in $(addresses); do
        [ "$address" != "$NODE_ADDRESS" ] || continue
        on_first_visit "$address" || continue
        if cfy --profile "$address" cluster nodes list >/dev/null 2>&1; then
            echo "$address"
            return 0
        fi
    done
    return 1
}

is_first() { [ "$(addresses | head -n 1)" = "$NODE_ADDRESS" ]; }

# Whether a question is answered with yes within WAIT_S, which is asked once a second.
eventually() {
    deadline=$(($(date +%s) + ${WAIT_S:-600}))
    until "$@"; do
        [ "$(date +%s)" -lt "$deadline" ] || { say "not within ${WAIT_S:-600} s: $1, among $CLUSTER"; return 1; }
        sleep 1
    done
}

# With profiles that are for this alone.
form() (
    CFY_HOME=$(mktemp -d)
    export CFY_HOME
    trap 'rm -rf "$CFY_HOME"' EXIT
    on_first_visit "$NODE_ADDRESS"
    if ! found=$(someone); then
        if is_first; then
            cfy --profile "$NODE_ADDRESS" cluster start --cluster-node-name "$member"
            return
        fi
        found=$(eventually someone)
    fi
    cfy --profile "$NODE_ADDRESS" cluster join "$found" --cluster-node-name "$member"
)

# Root's profile of the cluster. A replica does not tell the other members, so whoever leads is asked for them once.
a_leader() {
    for address in $(addresses); do
        ! cfy --profile cluster cluster nodes list >/dev/null 2>&1 || return 0
        cfy profiles delete cluster >/dev/null 2>&1 || true
        cfy profiles use "$address" --profile-name cluster -u admin --ssl-ca-file "$authority" >/dev/null 2>&1 || true
    done
    return 1
}

state=$(membership)
case $state in
    member) say "$member is a member already" ;;
    alone) form ;;
    joining)
        say "a join is under way, or was broken off; in the latter case this undoes it: cfy_manager restart"
        exit 1
        ;;
    *)
        say "this manager is $state: cfy_manager remove -f, and provision again with a MEMBER_NAME that was never used"
        exit 1
        ;;
esac
eventually a_leader
cfy cluster nodes list
