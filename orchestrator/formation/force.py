"""An operator's last resort: a leader that went on alone is gone, and somebody else shall lead without it."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.model.errors import Refused
from orchestrator.model.snapshot import ClusterView, Forced, SyncRecord
from orchestrator.record import journal


def force_leader(clients: Clients) -> str:
    """Have this node lead without what the last leader alone had; gives that one's name.

    What becomes of it is the loop's: every node sees the word, and the node that is named takes the lease
    when nobody can believe in the old one any more. Raises ``Refused``, and changes nothing, while the
    cluster can decide by itself without losing anything.
    """
    view = clients.consul.view()
    record = _checked(view, clients.me)
    clients.consul.force(Forced(view.lease.modified, clients.me))
    journal.tell(
        clients,
        view.lease.term,
        "forced",
        f"an operator has {clients.me} lead, without what {record.leader} alone had",
    )
    return record.leader


def _checked(view: ClusterView, me: str) -> SyncRecord:
    if view.lease.holder is not None:
        raise Refused(
            f"{view.lease.holder} leads: there is nothing to force. To switch over: cfy cluster set-active"
        )
    if view.record is None or me not in view.members:
        raise Refused("This node is no member of a cluster that has ever been led.")
    if view.record.k > 0:
        raise Refused(
            "The cluster elects a leader by itself, and loses nothing, as soon as enough of these are back: "
            f"{', '.join(sorted(view.record.members | {view.record.leader}))}."
        )
    if view.record.leader == me:
        raise Refused("This node led last. It leads again by itself as soon as it is well.")
    report = view.reports.get(me)
    if report is None or report.round != view.lease.modified:
        raise Refused("This node has not let go of the old leader yet: try again in a moment.")
    return view.record
