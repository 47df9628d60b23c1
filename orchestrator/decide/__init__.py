"""What a node does, all of it in one table.

A situation is what the node is in; exactly one applies. Its rules are tried in order, each a small pure
function from the snapshot to an action or nothing, and the actions that come out are carried out in that
order, each one waiting for the one before. Nothing is remembered between two ticks: a plan that was only
half carried out is simply decided again.

The story of a failover, in rules: the leader dies. The members that lose it ``end_unreachable_leader``,
or Consul frees the lease by itself: LEADERLESS. Each member does ``detach`` and ``report``; when enough
have reported, the one that is the next master does ``acquire_lease``: it is LEADING, ``promote``,
``announce``; the others are FOLLOWING, ``follow``. The leader's ``first_record`` waits for one of them,
``open_writes`` lets writes in, ``start_leader_services`` starts the rest, and ``resume_workflows`` takes up
what the old leader was running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from orchestrator.decide import files, leadership, minority, postgres, services, succession, workflows
from orchestrator.decide.situation import Situation, situation_of
from orchestrator.model.action import LEAVING_OFFICE, Action, Plan
from orchestrator.model.snapshot import Snapshot
from orchestrator.model.spec import Spec

Rule = Callable[[Snapshot, Spec], Action | None]

PLAYBOOK: Mapping[Situation, tuple[Rule, ...]] = {
    Situation.ALONE: (postgres.start_alone, services.start_services_alone, files.sweep_alone),
    Situation.PAUSED: (),
    Situation.REMOVED: (postgres.stop_everything,),
    Situation.CUT_OFF: (leadership.fence_when_cut_off,),
    Situation.CONFIRMED: (),
    Situation.MINORITY: (
        minority.fence_unmarked,
        services.stop_leader_services,
        postgres.revive,
        minority.part_ways,
        minority.go_active,
    ),
    Situation.BOUND: (),
    Situation.LEADERLESS: (
        leadership.fence_remnant,
        postgres.revive,
        leadership.detach,
        leadership.report,
        leadership.acquire_lease,
    ),
    Situation.LEADING: (
        leadership.step_down,
        postgres.promote,
        postgres.start_primary,
        leadership.announce,
        postgres.keep_slots,
        postgres.first_record,
        postgres.keep_record,
        postgres.open_writes,
        services.start_leader_services,
        workflows.resume_workflows,
        leadership.end_switchover,
        minority.end_minority,
        minority.answer_claim,
        files.gather_files,
        files.sweep_files,
    ),
    Situation.FOLLOWING: (
        leadership.end_own_stale_session,
        leadership.end_unreachable_leader,
        services.stop_leader_services,
        leadership.fence_stray_primary,
        minority.claim_office,
        postgres.prepare_promotion,
        postgres.follow,
        postgres.keep_slots,
        files.sync_files,
    ),
    Situation.HANDING_OVER: (
        leadership.hand_over,
        leadership.let_go,
        leadership.take_over,
        succession.in_the_next_term(postgres.promote),
        succession.in_the_next_term(leadership.announce),
        succession.in_the_next_term(postgres.first_record),
        succession.in_the_next_term(postgres.open_writes),
    ),
}


def decide(snapshot: Snapshot, spec: Spec) -> Plan:
    """What this node does about what it sees. Pure: the same snapshot gives the same plan."""
    situation = situation_of(snapshot, spec)
    actions = tuple(_actions(PLAYBOOK[situation], snapshot, spec))
    return Plan(
        situation, actions, leadership.serves(snapshot), minority.way_to_act(snapshot, spec, situation)
    )


def _actions(rules: tuple[Rule, ...], snapshot: Snapshot, spec: Spec) -> Iterator[Action]:
    """What the rules say, up to an action that ends the situation: what the rest says is void then."""
    for rule in rules:
        action = rule(snapshot, spec)
        if action is not None:
            yield action
        if isinstance(action, LEAVING_OFFICE):
            return
