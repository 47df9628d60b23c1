"""The rule about the workflows that were running when the leader changed."""

from __future__ import annotations

from orchestrator.decide.leadership import serves
from orchestrator.decide.situation import view_of
from orchestrator.model.action import ResumeWorkflows
from orchestrator.model.snapshot import Snapshot
from orchestrator.model.spec import Spec


def resume_workflows(snapshot: Snapshot, spec: Spec) -> ResumeWorkflows | None:
    """Once in each term: what the leader before was running is freed to go on, or fails at once."""
    if not serves(snapshot) or snapshot.resumed_term == view_of(snapshot).lease.term:
        return None
    return ResumeWorkflows(view_of(snapshot).lease.term)
