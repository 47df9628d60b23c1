"""The rules by which a graph is carried out, one by one: what is begun when, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from manager.operations.message import Answer, Outcome
from manager.workflows.graph import Graph
from manager.workflows.model import GraphState, OperationState, Task, TaskType

S = OperationState
NOW_S = 100.0


def task(name, *after, kind=TaskType.REMOTE, inside=None, state=S.PENDING, **more):
    fields = {key: more.pop(key) for key in ("retries", "resumable", "error") if key in more}
    parameters = {"containing_subgraph": inside, "max_retries": 2, "retry_interval_s": 10.0, **more}
    return Task(name, name, kind, parameters, frozenset(after), state, **fields)


def subgraph(name, *after, **more):
    return task(name, *after, kind=TaskType.SUBGRAPH, **more)


def succeeded(name, attempt=0, result=None):
    return Answer(id=name, attempt=attempt, outcome=Outcome.SUCCEEDED, result=result)


def failed(name, attempt=0, *, recoverable=False, retry_after_s=None):
    return Answer(
        id=name,
        attempt=attempt,
        outcome=Outcome.FAILED,
        error=f"{name} is broken",
        recoverable=recoverable,
        retry_after_s=retry_after_s,
    )


def not_started(name, refused=0):
    return Answer(
        id=name, attempt=0, outcome=Outcome.NOT_STARTED, error="later", recoverable=True, refused=refused
    )


def asks_again(name, attempt=0, retry_after_s=None):
    return Answer(id=name, attempt=attempt, outcome=Outcome.RETRY, error="later", retry_after_s=retry_after_s)


def sent(graph, now_s=NOW_S, **more):
    """The names of what is begun now."""
    return {it.id for it in graph.advance(now_s, **more).sent}


def states(graph):
    return {name: it.state.value for name, it in graph.tasks.items()}


class TestOrder:
    def test_what_waits_for_nothing_is_begun_at_once_and_only_once(self):
        graph = Graph([task("a"), task("b"), task("c", "a", "b")])
        assert sent(graph) == {"a", "b"}
        assert sent(graph) == set()

    def test_a_task_waits_for_all_that_it_depends_on(self):
        graph = Graph([task("a"), task("b"), task("c", "a", "b")])
        sent(graph)
        graph.answer(succeeded("a"), NOW_S)
        assert sent(graph) == set()
        graph.answer(succeeded("b"), NOW_S)
        assert sent(graph) == {"c"}

    def test_what_the_engine_does_itself_lets_the_next_begin_in_the_same_step(self):
        graph = Graph(
            [
                task("say", kind=TaskType.NODE_EVENT),
                task("set", "say", kind=TaskType.SET_STATE),
                task("a", "set"),
            ]
        )
        step = graph.advance(NOW_S)
        assert [it.id for it in step.done] == ["say", "set"]
        assert [it.id for it in step.sent] == ["a"]

    def test_what_is_in_a_subgraph_waits_for_what_the_subgraph_waits_for(self):
        graph = Graph([task("a"), subgraph("s", "a"), task("b", inside="s"), task("c", "s")])
        assert sent(graph) == {"a"}
        graph.answer(succeeded("a"), NOW_S)
        assert sent(graph) == {"b"}
        assert states(graph)["s"] == "started"
        graph.answer(succeeded("b"), NOW_S)
        assert states(graph)["s"] == "succeeded"
        assert sent(graph) == {"c"}

    def test_subgraphs_in_subgraphs_end_from_the_inside(self):
        graph = Graph([subgraph("s"), subgraph("t", inside="s"), task("a", inside="t"), task("b", "s")])
        assert sent(graph) == {"a"}
        graph.answer(succeeded("a"), NOW_S)
        assert sent(graph) == {"b"}

    def test_an_empty_subgraph_ends_as_it_begins(self):
        graph = Graph([subgraph("s"), task("a", "s")])
        assert sent(graph) == {"a"}

    def test_a_graph_of_nothing_has_succeeded(self):
        graph = Graph([])
        graph.advance(NOW_S)
        assert graph.outcome() is GraphState.SUCCEEDED

    def test_in_a_dry_run_nothing_is_sent(self):
        graph = Graph([task("a"), task("b", "a")])
        step = graph.advance(NOW_S, dry_run=True)
        assert not step.sent
        assert [it.id for it in step.done] == ["a", "b"]
        assert graph.outcome() is GraphState.SUCCEEDED

    def test_tasks_that_wait_for_each_other_are_a_failure(self):
        graph = Graph([task("a", "b", kind=TaskType.NOP), task("b", "a", kind=TaskType.NOP)])
        graph.advance(NOW_S)
        assert graph.outcome() is GraphState.FAILED

    def test_it_knows_how_many_operations_have_ended(self):
        graph = Graph([task("a", state=S.SUCCEEDED), task("b"), task("c", kind=TaskType.NOP)])
        sent(graph)
        assert graph.finished == 1
        graph.answer(failed("b"), NOW_S)
        assert graph.finished == 2


class TestAnswers:
    def test_one_that_arrives_twice_counts_once(self):
        graph = Graph([task("a")])
        sent(graph)
        assert graph.answer(succeeded("a"), NOW_S) is not None
        assert graph.answer(succeeded("a"), NOW_S) is None
        assert graph.outcome() is GraphState.SUCCEEDED

    def test_one_about_an_earlier_attempt_does_not_count(self):
        graph = Graph([task("a")])
        sent(graph)
        graph.answer(asks_again("a"), NOW_S)
        sent(graph, NOW_S + 10)
        assert graph.answer(succeeded("a", 0), NOW_S) is None
        assert graph.answer(succeeded("a", 1), NOW_S) is not None

    def test_one_about_what_was_never_sent_does_not_count(self):
        graph = Graph([task("a")])
        assert graph.answer(succeeded("a"), NOW_S) is None
        assert graph.answer(succeeded("unheard of"), NOW_S) is None

    def test_its_result_is_kept(self):
        graph = Graph([task("a")])
        sent(graph)
        graph.answer(succeeded("a", result={"size": 3}), NOW_S)
        assert graph.tasks["a"].result == {"size": 3}


class TestRetries:
    @pytest.mark.parametrize(
        ("answer", "after_s"),
        [
            (failed("a", recoverable=True), 10.0),
            (failed("a", recoverable=True, retry_after_s=3.0), 3.0),
            (asks_again("a"), 10.0),
            (asks_again("a", retry_after_s=0.0), 0.0),
        ],
    )
    def test_it_is_tried_again_after_its_interval_or_the_one_that_it_asked_for(self, answer, after_s):
        graph = Graph([task("a")])
        sent(graph)
        assert graph.answer(answer, NOW_S).state is S.RESCHEDULED
        assert graph.next_due_s == NOW_S + after_s
        if after_s:
            assert sent(graph, NOW_S + after_s - 0.1) == set()
        assert sent(graph, NOW_S + after_s) == {"a"}
        assert graph.tasks["a"].retries == 1

    def test_no_more_often_than_its_limit(self):
        graph = Graph([task("a", max_retries=1)])
        sent(graph)
        graph.answer(failed("a", recoverable=True), NOW_S)
        sent(graph, NOW_S + 10)
        assert graph.answer(failed("a", 1, recoverable=True), NOW_S).state is S.FAILED
        assert graph.outcome() is GraphState.FAILED

    def test_for_ever_if_its_limit_says_so(self):
        graph = Graph([task("a", state=S.SENT, retries=5000, max_retries=-1)])
        assert graph.answer(failed("a", 5000, recoverable=True), NOW_S).state is S.RESCHEDULED

    def test_what_says_that_it_is_hopeless_is_not_tried_again(self):
        graph = Graph([task("a", max_retries=-1)])
        sent(graph)
        assert graph.answer(failed("a"), NOW_S).state is S.FAILED

    def test_what_waits_for_a_true_result_is_tried_until_there_is_one(self):
        graph = Graph([task("a", until_true=True, max_retries=0)])
        sent(graph)
        assert graph.answer(succeeded("a", result=False), NOW_S).state is S.RESCHEDULED
        sent(graph, NOW_S + 10)
        assert graph.answer(succeeded("a", 1, result=True), NOW_S).state is S.SUCCEEDED


class TestWhatCouldNotBegin:
    def test_it_is_sent_again_soon_and_counts_no_retry(self):
        graph = Graph([task("a", max_retries=0)])
        for refused in range(3):
            sent(graph, NOW_S + refused)
            assert graph.answer(not_started("a", refused), NOW_S + refused).state is S.RESCHEDULED
            assert sent(graph, NOW_S + refused) == set()
        assert sent(graph, NOW_S + 3) == {"a"}
        assert graph.tasks["a"].retries == 0
        assert graph.answer(succeeded("a"), NOW_S).state is S.SUCCEEDED

    def test_told_twice_it_is_not_sent_again_when_it_may_have_begun(self):
        graph = Graph([task("a", max_retries=0)])
        sent(graph)
        graph.answer(not_started("a"), NOW_S)
        assert sent(graph, NOW_S + 1) == {"a"}
        assert graph.answer(not_started("a"), NOW_S + 1) is None
        assert graph.tasks["a"].under_way

    def test_an_agent_may_lack_the_blueprint_for_good_so_there_it_counts(self):
        graph = Graph([task("a", max_retries=0, executor="agent")])
        sent(graph)
        assert graph.answer(not_started("a"), NOW_S).state is S.FAILED


class TestFailures:
    def test_after_one_nothing_new_is_begun_and_what_runs_is_waited_for(self):
        graph = Graph([task("a"), task("b"), task("c", "b")])
        sent(graph)
        graph.answer(failed("a"), NOW_S)
        assert graph.outcome() is None
        graph.answer(succeeded("b"), NOW_S)
        assert sent(graph) == set()
        assert graph.outcome() is GraphState.FAILED
        assert graph.failure.error == "a is broken"
        assert states(graph)["c"] == "pending"

    def test_what_was_to_be_tried_again_is_not(self):
        graph = Graph([task("a"), task("b")])
        sent(graph)
        graph.answer(asks_again("b"), NOW_S)
        graph.answer(failed("a"), NOW_S)
        assert sent(graph, NOW_S + 60) == set()
        assert graph.outcome() is GraphState.FAILED

    def test_one_that_is_ignored_is_passed_over(self):
        graph = Graph([task("a", ignore_failure=True), task("b", "a")])
        sent(graph)
        graph.answer(failed("a"), NOW_S)
        assert sent(graph) == {"b"}
        graph.answer(succeeded("b"), NOW_S)
        assert graph.outcome() is GraphState.SUCCEEDED

    def test_in_a_subgraph_it_is_the_subgraphs(self):
        graph = Graph([subgraph("s"), task("a", inside="s"), task("b", "a", inside="s"), task("c", "s")])
        sent(graph)
        graph.answer(failed("a"), NOW_S)
        assert states(graph) == {"s": "failed", "a": "failed", "b": "pending", "c": "pending"}
        assert graph.outcome() is GraphState.FAILED

    def test_in_a_subgraph_that_ignores_it_the_rest_of_the_subgraph_is_left_out(self):
        graph = Graph(
            [
                subgraph("s", ignore_failure=True),
                task("a", inside="s"),
                task("b", "a", inside="s"),
                task("c", "s"),
            ]
        )
        sent(graph)
        graph.answer(failed("a"), NOW_S)
        assert sent(graph) == {"c"}
        graph.answer(succeeded("c"), NOW_S)
        assert graph.outcome() is GraphState.SUCCEEDED
        assert states(graph)["b"] == "pending"

    def test_two_of_them_in_one_such_subgraph_are_passed_over_once(self):
        graph = Graph(
            [
                subgraph("s", ignore_failure=True),
                task("a", inside="s"),
                task("b", inside="s"),
                task("other"),
                task("c", "s", "other"),
            ]
        )
        sent(graph)
        graph.answer(failed("a"), NOW_S)
        graph.answer(failed("b"), NOW_S)
        assert sent(graph) == set()
        graph.answer(succeeded("other"), NOW_S)
        assert sent(graph) == {"c"}


class TestCancelling:
    def test_what_runs_is_waited_for(self):
        graph = Graph([task("a"), task("b", "a")])
        sent(graph)
        assert graph.outcome(cancelled=True) is None
        graph.answer(succeeded("a"), NOW_S)
        assert graph.outcome(cancelled=True) is GraphState.CANCELLED

    def test_what_was_done_already_has_succeeded(self):
        graph = Graph([task("a")])
        sent(graph)
        graph.answer(succeeded("a"), NOW_S)
        assert graph.outcome(cancelled=True) is GraphState.SUCCEEDED


LEFT = [
    ("pending on the manager", {"state": S.PENDING}, True),
    ("sending to the manager", {"state": S.SENDING}, True),
    ("sent to the manager", {"state": S.SENT}, True),
    ("begun on the manager, and may run again", {"state": S.STARTED, "resumable": True}, True),
    ("to be tried again", {"state": S.RESCHEDULED, "retries": 1}, True),
    ("done", {"state": S.SUCCEEDED}, False),
    ("failed", {"state": S.FAILED}, False),
]


class TestTakingUp:
    @pytest.mark.parametrize(("left", "again"), [row[1:] for row in LEFT], ids=[row[0] for row in LEFT])
    def test_what_had_not_ended_is_sent_again_under_its_number(self, left, again):
        graph = Graph([task("a", **left)])
        graph.resume()
        messages = graph.advance(NOW_S).sent
        assert [(it.id, it.retries) for it in messages] == ([("a", left.get("retries", 0))] if again else [])

    def test_what_had_begun_on_the_manager_and_may_not_run_twice_ends_it(self):
        graph = Graph([task("a", state=S.STARTED, resumable=False)])
        assert [lost.id for lost in graph.resume()] == ["a"]
        assert sent(graph) == set()
        assert graph.outcome() is GraphState.FAILED
        assert graph.failure.error.startswith("Cannot resume - operation not resumable: a.")

    @pytest.mark.parametrize("state", [S.SENDING, S.SENT, S.STARTED])
    def test_what_an_agent_does_goes_on_and_is_waited_for(self, state):
        graph = Graph([task("a", state=state, executor="agent", resumable=False), task("b", "a")])
        graph.resume()
        assert sent(graph) == set()
        assert [it.id for it in graph.running] == ["a"]
        assert graph.outcome(cancelled=True) is None
        graph.answer(succeeded("a"), NOW_S)
        assert sent(graph) == {"b"}

    def test_what_is_killed_has_failed_and_nothing_follows(self):
        graph = Graph([task("a", state=S.STARTED), task("b", state=S.SUCCEEDED), task("c", "a")])
        graph.kill("It was killed.")
        assert sent(graph) == set()
        assert graph.outcome() is GraphState.FAILED
        assert [(it.id, it.state, it.error) for it in graph.changes()] == [("a", S.FAILED, "It was killed.")]

    def test_what_our_own_worker_is_still_doing_is_waited_for(self):
        graph = Graph([task("a", state=S.STARTED, resumable=True), task("b", state=S.SENT)])
        graph.resume({"a", "b"})
        assert sent(graph) == {"b"}
        assert graph.answer(succeeded("a"), NOW_S) is not None

    def test_subgraphs_go_on_where_they_were(self):
        graph = Graph(
            [
                subgraph("s", state=S.STARTED),
                task("a", inside="s", state=S.SUCCEEDED),
                task("b", "a", inside="s", state=S.SENT),
                task("c", "s"),
            ]
        )
        graph.resume()
        assert sent(graph) == {"b"}
        graph.answer(succeeded("b"), NOW_S)
        assert sent(graph) == {"c"}

    def test_what_had_failed_has_failed(self):
        graph = Graph([task("a", state=S.FAILED, error="broken"), task("b")])
        graph.resume()
        assert sent(graph) == set()
        assert graph.outcome() is GraphState.FAILED

    def test_after_a_reset_by_hand_the_failed_one_runs_again(self):
        graph = Graph(
            [
                subgraph("s"),
                task("a", inside="s", state=S.SUCCEEDED),
                task("b", "a", inside="s"),
                task("c", "s"),
            ]
        )
        assert sent(graph) == {"b"}


def test_only_what_has_changed_is_stored():
    graph = Graph([task("a"), task("b", "a")])
    sent(graph)
    assert [it.id for it in graph.changes()] == ["a"]
    assert graph.changes() == []
    done = graph.answer(succeeded("a"), NOW_S)
    sent(graph)
    assert graph.changes() == [done, replace(graph.tasks["b"], state=S.SENDING)]
