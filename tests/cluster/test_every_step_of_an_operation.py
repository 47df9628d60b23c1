"""The leader's host dies with an execution at every step of an operation's life; then its successor's does.

What comes of each is told by the state model, and by a ledger outside of the cluster: what was finished does
not run again, what may run again goes on, what must not has failed with an error that names it, and nobody
is left behind.

Who is killed at each step, and which tests do it (i: ``tests/integration``):

====================  ===================================  ==============================================
victim                at each step                         besides
====================  ===================================  ==============================================
the leader's host     this one, and its successor          i/rest, simulation: random graphs and moments
mgmtworker            i/workflows/test_mgmtworker_killed   twice in a row; its worker alone
the broker            i/workflows/test_broker_killed       while it runs, ``test_mgmtworker_killed``;
                                                           messages lost, ``test_lost_messages``
an agent              i/agents/test_agent_killed           ``test_agents_across_a_failover``, with a
                                                           leader that dies before, while and after
====================  ===================================  ==============================================
"""

from __future__ import annotations

import pytest

from tests.cluster.held import ENDED, LATER, RUNNING, Executions, Found
from tests.cluster.house import WHOLE_S
from tests.support import holding
from tests.support.holding import STEPS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ALL = {"create": (1, 1), "configure": (1, 1), "start": (1, 1)}
GONE_ON = Found("terminated", None, ALL)
NOT_RESUMABLE = "Cannot resume - workflow not resumable: {}"
INTERRUPTED = (
    "Task failed 'steps.once' -> Cannot resume - operation not resumable: steps.once. It had begun when the "
    "manager that ran it was lost, and nobody knows how far it came."
)


def stopped(workflow: str, **runs: tuple[int, int]) -> Found:
    """A workflow that may not go on: nothing more of it is done."""
    return Found("failed", NOT_RESUMABLE.format(workflow), runs)


def interrupted(**runs: tuple[int, int]) -> Found:
    """An operation that must not run again had begun."""
    return Found("failed", INTERRUPTED, runs)


ONCE = (1, 1)
OUTCOMES = {(step, kind): GONE_ON for step in STEPS for kind in ("again", "once")} | {
    # Nobody had begun with it, so there is nothing that could not go on.
    (holding.CLAIMED, "healed"): GONE_ON,
    (holding.NO_GRAPH, "healed"): stopped("heal"),
    (holding.NOT_STORED, "healed"): stopped("heal", create=ONCE),
    (holding.STORED, "healed"): stopped("heal", create=ONCE),
    (holding.SENT, "healed"): stopped("heal", create=ONCE),
    (holding.ANSWERED, "healed"): stopped("heal", create=ONCE, configure=ONCE),
    (holding.ANSWER_STORED, "healed"): stopped("heal", create=ONCE, configure=ONCE),
    (holding.NOT_ENDED, "healed"): stopped("heal", **ALL),
    # Nobody knew that it had run, and it ran on each of the three leaders.
    (holding.ANSWERED, "again"): Found("terminated", None, ALL | {"configure": (3, 3)}),
    (holding.ANSWERED, "once"): interrupted(create=ONCE, configure=ONCE),
    (RUNNING, "again"): Found("terminated", None, ALL | {"configure": (3, 1)}),
    (RUNNING, "once"): interrupted(create=ONCE, configure=(1, 0)),
    (RUNNING, "healed"): stopped("heal", create=ONCE, configure=(1, 0)),
    (RUNNING, "own"): Found("terminated", None, ALL | {"configure": (3, 1)}),
    (RUNNING, "own_once"): stopped("own_once", create=ONCE, configure=(1, 0)),
    (RUNNING, "queued"): Found("terminated", None, {"create": ONCE}),
    (LATER, "scheduled"): Found("terminated", None, {"create": ONCE}),
}
WAITING = {(RUNNING, "queued"): "queued", (LATER, "scheduled"): "scheduled"}
HELD = OUTCOMES.keys() - WAITING.keys()
GOING_ON = {key for key in HELD if OUTCOMES[key].status == "terminated"}


@pytest.fixture
def executions(cluster, tmp_path):
    made = Executions(cluster, tmp_path)
    made.hold_on(*cluster.bed)
    yield made
    made.gate.touch()
    made.hold_no_more(*cluster.bed)


def test_killed_at_every_step_and_once_more(cluster, executions):
    first = cluster.leader()
    executions.renew_engine(first)
    executions.start()
    executions.stand(first, HELD, begun=1)
    first.kill()
    executions.hold_no_more(first)
    cluster.wait(lambda: cluster.leader() is not first, WHOLE_S, "nobody else leads")
    # One member of three is no majority: the next one can only lose its host when this one is back.
    first.start()
    second = cluster.wait_until_whole(WHOLE_S)
    executions.stand(second, GOING_ON, begun=2)
    failed = dict.fromkeys(HELD - GOING_ON, "failed")
    assert executions.statuses() == {**dict.fromkeys(GOING_ON, "started"), **failed, **WAITING}
    assert sorted(executions.told_failed()) == sorted(failed)
    assert any("executions go on" in entry["summary"] for entry in cluster.history())

    executions.hold_no_more(*cluster.bed)
    second.kill()
    executions.gate.touch()
    cluster.wait(lambda: cluster.leader() is not second, WHOLE_S, "nobody else leads")
    third = cluster.leader()
    executions.let_time_come(third)
    cluster.wait(
        lambda: set(executions.statuses().values()) <= set(ENDED), WHOLE_S, "no execution is left behind"
    )
    assert executions.found() == OUTCOMES
    second.start()
    cluster.wait_until_whole(WHOLE_S)
