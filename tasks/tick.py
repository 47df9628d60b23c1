"""The periodic evaluation: one turn of the loop, on the queue that work never blocks."""

from __future__ import annotations

from collections.abc import Mapping

from celery import chain

from orchestrator import reconcile
from orchestrator.decide.situation import Situation
from orchestrator.model.action import Plan
from orchestrator.model.snapshot import MembershipState
from tasks import demand, progress
from tasks.actions import signature_of
from tasks.app import app
from tasks.formation import stop_being_member
from tasks.node import current_node
from tasks.progress import Line
from tasks.waking import EXPIRES_S, TICK, awake

TICK_TIME_LIMIT_S = 15


@app.task(name=TICK, time_limit=TICK_TIME_LIMIT_S, ignore_result=True, expires=EXPIRES_S)
def tick(*, ends_plan: bool = False) -> None:
    """Observe, decide, record; then hand the plan to the queue of actions.

    ``ends_plan``: this tick is the last step of a plan, which looks at what came of it.
    """
    awake()
    if ends_plan:
        progress.CHAIN.ended()
    seen = {line: line.actions_done() for line in (progress.CHAIN, progress.BESIDE)}
    node = current_node()
    plan = reconcile.tick(node, lambda part: dispatch(part, seen))
    if plan.situation == Situation.REMOVED and node.membership is MembershipState.MEMBER:
        stop_being_member.apply_async(expires=TICK_TIME_LIMIT_S)


def dispatch(part: Plan, seen: Mapping[Line, int]) -> bool:
    """Enqueue the actions of one part of a plan, each after the one before.

    While an earlier plan is being carried out nothing is enqueued, and neither when an action has come to
    its end since the look (``seen``: how many had by then): what is still due will be decided again.
    """
    if part.is_beside:
        # Also when some of it waits already: whoever was asked for that may have died on the way to it.
        demand.ask()
    line = progress.BESIDE if part.is_beside else progress.CHAIN
    if line.is_busy() or line.actions_done() != seen[line] or not line.begins():
        return False
    steps = [signature_of(action) for action in part.actions]
    if not part.is_beside:
        # The last step looks at what came of it.
        steps.append(tick.si(ends_plan=True))
    chain(*steps).apply_async()
    return True
