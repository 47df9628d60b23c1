"""Random graphs, whose engine is killed at random points, by the real rules.

Whatever happens: no operation that had ended runs again, one that must not run twice does not, the order is
kept (``world`` looks at each beginning), and when nobody is killed any more every graph comes to an end.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from manager.operations.message import Outcome
from manager.workflows.model import GraphState, OperationState, Task, TaskType
from tests.simulation.engine.world import Engine, Killed, Plan, World

POINTS = ("before it is stored", "after it is stored", "between two messages", "after it is sent")
LOCAL = (TaskType.NOP, TaskType.SET_STATE, TaskType.NODE_EVENT)
MANY_STEPS = 2000


@st.composite
def worlds(draw) -> World:
    """A graph of which each task depends on earlier ones, in subgraphs of which some are in others."""
    rows, plans, groups = {}, {}, []
    for number in range(draw(st.integers(1, 12))):
        name = f"t{number}"
        kind = draw(st.sampled_from((*[TaskType.REMOTE] * 6, *[TaskType.SUBGRAPH] * 2, *LOCAL)))
        inside = draw(st.sampled_from((None, *groups)))
        # As the builder makes them: within one subgraph, or one level.
        beside = [it.id for it in rows.values() if it.parent == inside]
        after = draw(st.sets(st.sampled_from(beside), max_size=3)) if beside else set()
        parameters = {
            "containing_subgraph": inside,
            "executor": draw(st.sampled_from(("manager", "manager", "agent"))),
            "max_retries": draw(st.integers(0, 2)),
            "retry_interval_s": 1.0,
            "ignore_failure": draw(st.booleans()),
        }
        rows[name] = Task(name, name, kind, parameters, frozenset(after))
        if kind is TaskType.SUBGRAPH:
            groups.append(name)
        plans[name] = Plan(
            ends=draw(st.sampled_from((Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED))),
            retries=draw(st.sampled_from((0, 0, 1))),
            resumable=draw(st.booleans()),
        )
    return World(rows, plans)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("turn", "turn", "deliver", "deliver", "twice", "finish", "finish", "again", "kill")),
        st.integers(0, 7),
        st.sampled_from((None, None, *POINTS)),
    ),
    min_size=20,
    max_size=80,
)


def one_step(world: World, what: str, number: int, point: str | None) -> None:
    """What happens next."""
    if what in {"deliver", "twice"}:
        world.deliver(number, twice=what == "twice")
    elif what == "finish":
        world.finish(number)
    elif what == "again":
        world.repeat_answer(number)
    elif what == "kill":
        world.kill(broker=bool(number % 2))
    else:
        turn(world, 1 + number, point)


def turn(world: World, size: int, point: str | None = None) -> None:
    """A turn of the engine; of a new one, when the last one was killed."""
    world.kill_at = point
    world.now_s += 0.5
    try:
        engine = world.engine = world.engine or Engine(world)
        engine.turn(size)
    except Killed:
        world.kill(broker=bool(size % 2))
    world.kill_at = None


def let_end(world: World) -> Engine:
    """Nobody is killed any more."""
    for _ in range(MANY_STEPS):
        turn(world, 3)
        engine = world.engine
        assert engine is not None
        if engine.graph.outcome() is not None:
            return engine
        world.deliver(0, twice=False)
        world.finish(0)
    raise AssertionError(f"it never ends: {world.rows}")


@settings(max_examples=100, deadline=None)
@given(world=worlds(), steps=STEPS)
def test_every_graph_ends_and_nothing_that_ended_runs_again(world, steps):
    for step in steps:
        one_step(world, *step)
    outcome = let_end(world).graph.outcome()
    if outcome is GraphState.SUCCEEDED:
        everything_is_done(world)
    assert all(count == 1 for count in world.counted.values()), "a result counted twice"
    for row in world.rows.values():
        if row.state is OperationState.FAILED and row.type is TaskType.REMOTE:
            assert_rightly_failed(world, row)


def assert_rightly_failed(world: World, row: Task) -> None:
    """It failed by itself, or was interrupted where it must not be."""
    plan = world.plans[row.id]
    interrupted = row.error is not None and row.error.startswith("Cannot resume")
    by_itself = plan.ends is Outcome.FAILED or plan.retries > row.parameters["max_retries"]
    assert (not row.on_agent and not plan.resumable) if interrupted else by_itself


def everything_is_done(world: World) -> None:
    """But for what is in a subgraph that failed, where that is ignored."""
    for row in world.rows.values():
        assert row.state is not OperationState.FAILED or row.ignores_failure or left_out(world, row)
        assert row.ended or left_out(world, row), f"{row.id} was forgotten"
        if row.type is TaskType.REMOTE and row.state is OperationState.SUCCEEDED:
            assert world.finished[row.id] >= 1, f"{row.id} never ran to its end"


def left_out(world: World, row: Task) -> bool:
    parent = row.parent
    while parent is not None:
        if world.rows[parent].state is OperationState.FAILED:
            return True
        parent = world.rows[parent].parent
    return False


@settings(max_examples=40, deadline=None)
@given(world=worlds())
def test_when_nobody_is_killed_each_attempt_runs_once(world):
    let_end(world)
    assert all(count == 1 for count in world.begun.values())
