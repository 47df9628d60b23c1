"""Taking a node off the cluster: what the leader does, and what the removed node does."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.formation.undo import leave_consul
from orchestrator.model.errors import Conflict, NotFound
from orchestrator.model.snapshot import Member, MembershipState
from orchestrator.model.spec import LEADER_SERVICES
from orchestrator.record import journal, membership
from orchestrator.record.membership import Membership


def check(clients: Clients, name: str) -> Member:
    """Raise ``NotFound`` or ``Conflict`` when ``name`` cannot be removed. Returns the member."""
    members = clients.consul.view().members
    if name not in members:
        raise NotFound(
            f"There is no node {name!r} in this cluster. Nodes: {', '.join(sorted(members)) or 'none'}."
        )
    if name == clients.me and len(members) > 1:
        raise Conflict(
            f"{name!r} is the active manager, and cannot be removed while there are others: "
            "make another one active first (cfy cluster set-active)."
        )
    return members[name]


def remove(clients: Clients, name: str) -> Member:
    """Take ``name`` off the cluster for good; on the leader. A dead node can be removed.

    Raises ``NotFound``, ``Conflict``, ``ConsulUnavailable``. The replication slot and the right to connect
    are taken from it by the loop, because it is no member any more; ``take_out_of_consul`` does the rest.
    """
    member = check(clients, name)
    term = clients.consul.read_lease().term
    # This is what counts: from here on no one heeds it, and it stops as soon as it looks.
    clients.consul.remove_member(name)
    journal.tell(clients, term, "removed", f"{name} was removed from the cluster")
    return member


def take_out_of_consul(clients: Clients, name: str, host_ip: str, *, insist: bool) -> bool:
    """Make sure that a removed node is no server of Consul any more; whether that is so now.

    A living node goes by itself as soon as it has noticed, and is only interfered with to ``insist``.
    """
    if name in clients.consul.alive_agents() and not insist:
        return False
    clients.consul.force_leave(name)
    clients.consul.remove_raft_peer(host_ip)
    return True


def stop_being_member(clients: Clients) -> None:
    """On the node that was removed: remember it for good, stop what makes it a manager, leave Consul."""
    path = clients.config.paths.membership_file
    found = membership.read(path)
    if found.state is not MembershipState.REMOVED:
        membership.write(path, Membership(MembershipState.REMOVED, found.name, found.options))
    for name in (*reversed(LEADER_SERVICES), "postgresql"):
        clients.services.stop(name)
    leave_consul(clients, forget=False)
