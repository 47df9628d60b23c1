"""The rules about services that run on the leader only."""

from __future__ import annotations

from orchestrator.decide.leadership import serves
from orchestrator.model.action import StartServices, StopServices
from orchestrator.model.snapshot import Snapshot
from orchestrator.model.spec import Spec


def start_leader_services(snapshot: Snapshot, spec: Spec) -> StartServices | None:
    """The leader serves, so what only a leader runs should run."""
    missing = spec.leader_services - snapshot.running
    return StartServices(missing) if missing and serves(snapshot) else None


def stop_leader_services(snapshot: Snapshot, spec: Spec) -> StopServices | None:
    """Another node leads, or nobody may: what only a leader runs should not run here."""
    left_over = spec.leader_services & snapshot.running
    return StopServices(left_over) if left_over else None
