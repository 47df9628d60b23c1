"""The rules about services that run on the leader only."""

from __future__ import annotations

from orchestrator.decide.leadership import serves
from orchestrator.model.action import StartServices, StopServices
from orchestrator.model.snapshot import MembershipState, Role, Snapshot
from orchestrator.model.spec import Spec


def start_leader_services(snapshot: Snapshot, spec: Spec) -> StartServices | None:
    """The leader serves, so what only a leader runs should run."""
    missing = spec.leader_services - snapshot.running
    return StartServices(missing) if missing and serves(snapshot) else None


def start_services_alone(snapshot: Snapshot, spec: Spec) -> StartServices | None:
    """A manager that belongs to no cluster, and is not joining one, does itself what a leader does."""
    alone = snapshot.membership is MembershipState.ALONE and snapshot.database.role is Role.PRIMARY
    missing = spec.leader_services - snapshot.running
    return StartServices(missing) if missing and alone else None


def stop_leader_services(snapshot: Snapshot, spec: Spec) -> StopServices | None:
    """Another node leads, or nobody may: what only a leader runs should not run here."""
    left_over = spec.leader_services & snapshot.running
    return StopServices(left_over) if left_over else None
