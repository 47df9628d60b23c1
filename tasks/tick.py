"""The periodic evaluation: one turn of the loop, on the queue that work never blocks."""

from __future__ import annotations

from celery import chain

from orchestrator import reconcile
from orchestrator.decide.situation import Situation
from orchestrator.model.action import Plan
from orchestrator.model.snapshot import MembershipState
from tasks import progress
from tasks.actions import ACTIONS_LOCK, signature_of
from tasks.app import CLUSTER, app
from tasks.exclusive import exclusively
from tasks.formation import stop_being_member
from tasks.node import current_node
from tasks.waking import EXPIRES_S, TICK, awake

TICK_TIME_LIMIT_S = 15


@app.task(name=TICK, time_limit=TICK_TIME_LIMIT_S, ignore_result=True, expires=EXPIRES_S)
def tick(*, ends_plan: bool = False) -> None:
    """Observe, decide, record; then hand the plan to the queue of actions.

    ``ends_plan``: this tick is the last step of a plan, which looks at what came of it.
    """
    awake()
    if ends_plan:
        progress.ended()
    seen, node = progress.actions_done(), current_node()
    plan = reconcile.tick(node, lambda plan: dispatch(plan, seen))
    if plan.situation == Situation.REMOVED and node.membership is MembershipState.MEMBER:
        stop_being_member.apply_async(expires=TICK_TIME_LIMIT_S)


def dispatch(plan: Plan, seen: int) -> bool:
    """Enqueue the plan's actions, each after the one before, then a tick that looks at what came of it.

    While an earlier plan is being carried out nothing is enqueued, and neither when an action has come to
    its end since the look (``seen``: how many had by then): what is still due will be decided again.
    """
    if _busy() or progress.actions_done() != seen or not progress.begins():
        return False
    chain(*(signature_of(action) for action in plan.actions), tick.si(ends_plan=True)).apply_async()
    return True


def _busy() -> bool:
    if progress.is_under_way():
        return True
    with exclusively(ACTIONS_LOCK, wait=False) as free:
        if not free:
            return True
    with app.connection_for_read() as connection:
        return bool(connection.default_channel.client.llen(CLUSTER))
