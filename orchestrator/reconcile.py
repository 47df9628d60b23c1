"""One turn of the loop: observe, decide, record, act. Start reading here.

Every node runs this for itself, once a second and whenever Consul shows a change. It looks at what is,
not at what happened, so a message that was lost or a worker that was killed costs one turn and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.clients import Clients
from orchestrator.clients.clock import now_s
from orchestrator.decide import decide
from orchestrator.model.action import Plan
from orchestrator.model.snapshot import MembershipState
from orchestrator.model.spec import Spec
from orchestrator.observe import Observer
from orchestrator.record import journal, known, lease_file, minority, office, options
from orchestrator.record.status import Reporter, lease_state

Dispatch = Callable[[Plan], bool]
"""Hands a part of a plan to whoever carries it out; False when an earlier one is still being carried out."""


@dataclass(slots=True)
class Node:
    """One node, as the loop sees it: who it is, what it decides by, how it looks and how it tells."""

    clients: Clients
    spec: Spec
    membership: MembershipState
    observer: Observer
    reporter: Reporter


def tick(node: Node, dispatch: Dispatch) -> Plan:
    """Do one turn. What the machine must know at once (the lease) is recorded before anything is done."""
    snapshot = node.observer.observe(node.membership, now_s())
    plan = decide(snapshot, node.spec)
    if node.membership is not MembershipState.JOINING:
        # Whoever joins has closed the gate already, and whoever starts a cluster leaves it open.
        lease_file.write(node.clients.config.paths.lease_file, lease_state(snapshot, plan))
    if held := office.of(snapshot):
        office.remember(node.clients.config, held)
    known.remember(node.clients.config, snapshot)
    minority.note_update(node.clients.config, snapshot)
    for part in plan.parts():
        if dispatch(part):
            journal.write_plan(part)
    node.reporter.report(snapshot, plan)
    options.adopt(node.clients, snapshot, node.spec.options)
    return plan
