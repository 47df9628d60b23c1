"""Into office in one go: who takes over a lease that was left to him plans the steps after that as well.

Taking a lease makes its term the next number, so the steps that follow can be planned before it is taken.
Each of them asks Consul for lease and term before it does anything, as always: when somebody else was
faster, none of them is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from orchestrator.decide.leadership import take_over
from orchestrator.decide.situation import view_of
from orchestrator.model.action import Action
from orchestrator.model.snapshot import Lease, Role, Snapshot
from orchestrator.model.spec import Spec

Rule = Callable[[Snapshot, Spec], Action | None]


def in_the_next_term(rule: Rule) -> Rule:
    """What ``rule`` will say when this node has taken the lease over; nothing when it is not to."""

    @wraps(rule)
    def planned_ahead(snapshot: Snapshot, spec: Spec) -> Action | None:
        is_next = take_over(snapshot, spec) is not None and snapshot.database.role is Role.STANDBY
        return rule(in_office(snapshot), spec) if is_next else None

    return planned_ahead


def in_office(snapshot: Snapshot) -> Snapshot:
    """The snapshot as it will be when this node has taken the free lease, and nothing else has changed."""
    view = view_of(snapshot)
    # Consul's LockIndex, which is the term, grows by one with each acquisition.
    taken = Lease(snapshot.me, snapshot.session, view.lease.term + 1, view.lease.modified)
    return replace(snapshot, cluster=replace(view, lease=taken, lease_seen_s=0.0))
