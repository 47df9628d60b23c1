"""Minority mode and healing: what a node does without the majority, and who leads when two sides meet."""

from __future__ import annotations

from orchestrator.decide.leadership import serves
from orchestrator.decide.situation import Situation, is_active, view_of
from orchestrator.model.action import Fence
from orchestrator.model.minority import ACTIVE, MOST_RECENT, READ_ONLY, Claim
from orchestrator.model.minority_actions import (
    ClaimOffice,
    EndMinority,
    GiveWay,
    GoActive,
    PartWays,
    RefuseClaim,
)
from orchestrator.model.snapshot import ClusterView, Role, Snapshot
from orchestrator.model.spec import Spec


def fence_unmarked(snapshot: Snapshot, spec: Spec) -> Fence | None:
    """A primary may take writes here only once it is marked, and if that is this node's mode at all."""
    if snapshot.database.role is not Role.PRIMARY:
        return None
    if snapshot.minority is not None and spec.options.minority_mode == ACTIVE:
        return None
    return Fence("no majority in sight")


def part_ways(snapshot: Snapshot, spec: Spec) -> PartWays | None:
    """One node of the minority acts: the mark comes first, while its database cannot change."""
    if spec.options.minority_mode != ACTIVE or snapshot.minority is not None:
        return None
    if snapshot.database.role is not Role.STANDBY or not is_chosen(snapshot):
        return None
    return PartWays(snapshot.known_term)


def is_chosen(snapshot: Snapshot) -> bool:
    """Whether this node is the one that acts: who led, then who has the newest data, then the name.

    Where somebody acts already, or can still ask Consul, nobody else does.
    """
    if snapshot.company is None:
        return False
    others = snapshot.company.standings
    if any(other.active or not other.cut_off for other in others.values()):
        return False
    position = snapshot.database.position
    place = (position.term, position.timeline, position.lsn.value) if position else (0, 0, 0)
    own = (snapshot.known_leader == snapshot.me, place, snapshot.me)
    return all(own > (other.led, other.place, name) for name, other in others.items())


def go_active(snapshot: Snapshot, spec: Spec) -> GoActive | None:
    """Once it is marked, its database takes writes, and waits for nobody."""
    if snapshot.minority is None or spec.options.minority_mode != ACTIVE or is_active(snapshot):
        return None
    return GoActive() if snapshot.database.role in (Role.PRIMARY, Role.STANDBY) else None


def way_to_act(snapshot: Snapshot, spec: Spec, situation: Situation) -> str:
    """What REST does on this node while it acts without the majority; empty while it does not."""
    if situation is not Situation.MINORITY:
        return ""
    if spec.options.minority_mode == READ_ONLY:
        return READ_ONLY
    return ACTIVE if is_active(snapshot) else ""


def end_minority(snapshot: Snapshot, spec: Spec) -> EndMinority | None:
    """It leads, and its record says no more than is so: what it wrote alone is the cluster's."""
    view = view_of(snapshot)
    record = view.record
    if snapshot.minority is None or record is None or record.k > 0:
        return None
    mine = (record.leader, record.term) == (snapshot.me, view.lease.term)
    return EndMinority(view.lease.term) if mine else None


def claim_office(snapshot: Snapshot, spec: Spec) -> ClaimOffice | None:
    """This node is back, and was written to. If that was later than elsewhere, it shall lead."""
    marked, term = snapshot.minority, view_of(snapshot).lease.term
    if marked is None or not marked.has_written or spec.options.heal_policy != MOST_RECENT:
        return None
    return None if own_claim(snapshot) else ClaimOffice(term, marked.updated_at)


def own_claim(snapshot: Snapshot) -> Claim | None:
    """What this node has asked the present leader for."""
    view = view_of(snapshot)
    claim = view.claims.get(snapshot.me)
    return claim if claim is not None and claim.term == view.lease.term else None


def awaits_answer(snapshot: Snapshot, spec: Spec) -> bool:
    """Whether the leader may still give way to this node; for a while it is waited for."""
    if claim_office(snapshot, spec) is not None:
        return True
    claim = own_claim(snapshot) if snapshot.minority is not None else None
    if claim is None or claim.refused:
        return False
    return snapshot.claiming_s < spec.claim_timeout_s or view_of(snapshot).paused


def answer_claim(snapshot: Snapshot, spec: Spec) -> GiveWay | RefuseClaim | None:
    """A node that is back wants to lead: whose database was updated last does, if that is the policy here."""
    view = view_of(snapshot)
    claim = _newest_claim(snapshot.me, view)
    if claim is None or not serves(snapshot):
        return None
    if spec.options.heal_policy != MOST_RECENT or claim.updated_at <= snapshot.database.updated_at:
        return RefuseClaim(view.lease.term, claim.node)
    ready = "heartbeat" in view.health.get(claim.node, frozenset()) and not view.paused
    return GiveWay(view.lease.term, claim.node, claim.updated_at) if ready else None


def _newest_claim(me: str, view: ClusterView) -> Claim | None:
    claims = (
        claim
        for name, claim in view.claims.items()
        if name in view.members and name != me and claim.term == view.lease.term and not claim.refused
    )
    return max(claims, key=lambda claim: (claim.updated_at, claim.node), default=None)
