"""What every action of a leader checks first: that the lease is still its own, in the same term."""

from __future__ import annotations

from orchestrator.clients import Clients
from orchestrator.model.errors import LeaseLost, StaleTerm
from orchestrator.record import session


def require_lease(clients: Clients, term: int) -> str:
    """This node's session, if by a consistent read it holds the lease in ``term``.

    Raises ``LeaseLost`` or ``StaleTerm``.
    """
    lease = clients.consul.read_lease()
    own = session.read(clients.config)
    if own is None or lease.session != own:
        raise LeaseLost(f"{clients.me} does not hold the lease; {lease.holder or 'nobody'} does")
    if lease.term != term:
        raise StaleTerm(f"decided in term {term}, but the term is {lease.term}")
    return own
