"""What every action of a leader checks first: that the lease is still its own, in the same term."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.model.errors import LeaseLost, Stale, StaleTerm
from orchestrator.model.snapshot import Lease, SyncRecord
from orchestrator.record import session


def require_lease(clients: Clients, term: int, seen: Lease | None = None) -> str:
    """This node's session, if by a consistent read it holds the lease in ``term``.

    ``seen``: the lease as such a read has just shown it; without it one is made. Raises ``LeaseLost`` or
    ``StaleTerm``.
    """
    lease = seen or clients.consul.read_lease()
    own = session.read(clients.config)
    if own is None or lease.session != own:
        raise LeaseLost(f"{clients.me} does not hold the lease; {lease.holder or 'nobody'} does")
    if lease.term != term:
        raise StaleTerm(f"decided in term {term}, but the term is {lease.term}")
    return own


def require_record(clients: Clients, record: SyncRecord) -> None:
    """Raises ``Stale`` when the sync record is not the one that was decided on.

    What follows from one record may be a lie under another; only a leader changes it, one action at a time.
    """
    if (present := clients.consul.view().record) != record:
        raise Stale(f"decided on the sync record {record}, but it is {present}")
