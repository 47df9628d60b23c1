"""A workflow that comes with a blueprint: it is found, called as users know it, and its end is told.

The processes and the database are real; operations are answered by the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from manager.workflows.model import Task
from tests.support.rest import manager_node
from tests.support.waiting import eventually
from tests.support.workflow_engine import WITHIN_S, Custom, Site, Works, custom

pytestmark = pytest.mark.integration

BLUEPRINT = """
node_types:
  thing:
    derived_from: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: p.ops.create, inputs: {size: {default: 3}}}
        start: p.ops.start
        delete: p.ops.delete
node_templates:
  one: {type: thing}
  two:
    type: thing
    relationships: [{type: cloudify.relationships.depends_on, target: one}]
  idle: {type: cloudify.nodes.Root}
workflows:
  blocking: p.flows.blocking
  graphs: p.flows.graphs
  named: p.flows.named
  lifecycle: p.flows.lifecycle
  failing: p.flows.failing
  ending: p.flows.ending
  patient: p.flows.patient
  deaf: p.flows.deaf
  printing: p.flows.printing
  reading: p.flows.reading
  changing: p.flows.changing
  outlasting: p.flows.outlasting
  missing: p.flows.missing
  nowhere: p.nowhere.function
  foreign: p.foreign.function
"""

FLOWS = '''
import os
import sys
import time

from cloudify.decorators import workflow
from cloudify.exceptions import NonRecoverableError
from cloudify.plugins.lifecycle import reinstall_node_instances
from cloudify.workflows import api, ctx as current, parameters
from cloudify.workflows.tasks_graph import forkjoin, make_or_get_graph

CREATE = "cloudify.interfaces.lifecycle.create"
START = "cloudify.interfaces.lifecycle.start"


def instance_of(ctx, node):
    return next(ctx.get_node(node).instances)


@workflow(resumable=True)
def blocking(ctx, word, **kwargs):
    """Without a graph: each call is carried out."""
    one = instance_of(ctx, "one")
    assert current.deployment.id == ctx.deployment.id
    assert parameters["word"] == word
    made = one.execute_operation(CREATE, kwargs={"word": word}).get()
    ctx.logger.info("It returned %s", made)
    assert instance_of(ctx, "idle").execute_operation(CREATE).get() is None
    one.set_state("started").get()
    one.send_event("Nobody waits for this")


@workflow(resumable=True)
def graphs(ctx, **_):
    """With a graph, twice."""
    graph = ctx.graph_mode()
    one, two = instance_of(ctx, "one"), instance_of(ctx, "two")
    sequence = graph.sequence()
    sequence.add(
        forkjoin(one.execute_operation(CREATE), two.execute_operation(CREATE)),
        one.send_event("Both are there"),
    )
    graph.execute()
    ctx.refresh_node_instances()
    assert graph.tasks == []
    subgraph = graph.subgraph("starting")
    subgraph.sequence().add(one.execute_operation(START), two.execute_operation(START))
    graph.execute()


@make_or_get_graph
def make_graph(ctx):
    graph = ctx.graph_mode()
    graph.add_task(instance_of(ctx, "one").execute_operation(START))
    return graph


@workflow(resumable=True)
def named(ctx, **_):
    make_graph(ctx, name="by name").execute()


@workflow
def lifecycle(ctx, **_):
    graph = ctx.graph_mode()
    chosen = {instance_of(ctx, "one")}
    reinstall_node_instances(graph, chosen, False, set(ctx.node_instances) - chosen)


def failing(ctx, **_):
    instance_of(ctx, "one").execute_operation(START).get()


def ending(ctx, **_):
    raise NonRecoverableError("there is no way")


@workflow(resumable=True)
def patient(ctx, **_):
    """Looks whether it is to end."""
    ctx.logger.info("waiting")
    while not api.has_cancel_request():
        time.sleep(0.05)
    ctx.logger.info("tidying up")
    raise api.ExecutionCancelled()


def deaf(ctx, **_):
    """Does not look, but begins something new again and again."""
    ctx.logger.info("waiting")
    while True:
        instance_of(ctx, "one").send_event("still there").get()


def printing(ctx, **_):
    """What is in Python's buffer is written when the process ends: behind everything else."""
    print("to standard output")
    sys.stdout.write("without an end of line")


def reading(ctx, **_):
    path = ctx.download_resource("text/words.txt")
    assert open(path).read() == "words"
    try:
        ctx.download_resource("../archive")
    except FileNotFoundError as error:
        raise RuntimeError(str(error))


def outlasting(ctx, away, **_):
    """Says something and asks something when it is told that the database is away."""
    ctx.logger.info("before")
    while not os.path.exists(away):
        time.sleep(0.02)
    ctx.logger.info("meanwhile")
    ctx.refresh_node_instances()


@workflow(resumable=True)
def changing(ctx, operation, **_):
    instance_of(ctx, "one").execute_operation(operation).get()
'''

FOREIGN = "import a_library_that_nobody_has\n"
FILES = {"p/flows.py": FLOWS, "p/foreign.py": FOREIGN, "text/words.txt": "words"}

Calls = list[str]


@pytest.fixture(scope="module")
def works() -> Iterator[Works]:
    with manager_node() as node:
        yield Works(node)


@pytest.fixture(scope="module")
def site(works: Works) -> Site:
    return works.site(BLUEPRINT, FILES)


@pytest.fixture
def calls() -> Calls:
    """Which operations were run, in order."""
    return []


@pytest.fixture
def answers(calls: Calls):
    """Notes each operation, and returns its inputs."""

    def answer(task: Task) -> Any:
        context = task.parameters["context"]
        calls.append(f"{context['operation']['name'].rpartition('.')[2]} {context['node_name']}")
        return {"inputs": task.parameters["kwargs"]}

    return answer


def run(works: Works, execution: str, answers: Any) -> tuple[str, str | None]:
    with custom(works, execution) as process:
        return process.carried_out(answers)


def broken(task: Task) -> Any:
    raise RuntimeError(f"{task.name} is broken")


def test_without_a_graph_each_call_is_carried_out_and_waited_for(works, site, calls, answers):
    execution = site.execute("blocking", parameters={"word": "yes", "more": 1})
    assert run(works, execution, answers) == ("succeeded", None)
    assert calls == ["create one"]
    assert ("info", "It returned {'inputs': {'size': 3, 'word': 'yes'}}") in works.lines(execution)
    assert works.row(execution).resumable is True
    types = [operation.type for operation in works.operations(execution)]
    assert types == ["RemoteTask", "SetNodeInstanceStateTask", "SendNodeEventTask"]


def test_with_graphs_their_order_is_kept_and_each_is_waited_for(works, site, calls, answers):
    assert run(works, site.execute("graphs"), answers) == ("succeeded", None)
    assert sorted(calls[:2]) == ["create one", "create two"]
    assert calls[2:] == ["start one", "start two"]


def test_a_graph_by_name(works, site, calls, answers):
    execution = site.execute("named")
    assert run(works, execution, answers) == ("succeeded", None)
    again = site.execute("named")
    works.change(execution, resume=True, engine=works.name)
    assert run(works, execution, answers) == ("succeeded", None)
    assert run(works, again, answers) == ("succeeded", None)
    assert calls == ["start one", "start one"]


def test_what_users_import_of_the_lifecycle_is_there(works, site, calls, answers):
    execution = site.execute("lifecycle")
    assert run(works, execution, answers) == ("succeeded", None)
    assert works.row(execution).resumable is False
    assert calls[-2:] == ["create one", "start one"]


def test_an_operation_that_fails_fails_the_workflow_without_a_traceback(works, site):
    assert run(works, site.execute("failing"), broken) == (
        "failed",
        "Task failed: ops.start: ops.start is broken",
    )


def test_what_the_function_raises_is_told_with_its_traceback(works, site, answers):
    outcome, error = run(works, site.execute("ending"), answers)
    assert outcome == "failed"
    assert error is not None
    assert error.startswith("there is no way\nTraceback")
    assert 'raise NonRecoverableError("there is no way")' in error


def test_what_it_prints_is_not_taken_for_its_outcome(works, site, answers):
    assert run(works, site.execute("printing"), answers) == ("succeeded", None)


def test_files_of_the_archive_can_be_read_and_no_others(works, site, answers):
    outcome, error = run(works, site.execute("reading"), answers)
    assert outcome == "failed"
    assert "../archive is not in the blueprint's archive" in str(error)


@pytest.mark.parametrize("workflow", ["patient", "deaf"])
def test_a_workflow_that_is_cancelled_may_tidy_up_and_begins_nothing_new(works, site, answers, workflow):
    execution = site.execute(workflow)
    with custom(works, execution) as process:
        eventually(lambda: ("info", "waiting") in works.lines(execution), WITHIN_S, "it has begun")
        works.change(execution, status="cancelling")
        assert process.carried_out(answers) == ("cancelled", None)
    assert (("info", "tidying up") in works.lines(execution)) == (workflow == "patient")


def test_a_resumed_workflow_is_called_again_and_finds_what_it_had_done(works, site, calls, answers):
    execution = site.execute("blocking", parameters={"word": "yes"})
    with custom(works, execution) as process:
        eventually(lambda: works.operations(execution), WITHIN_S, "its first graph is stored")
        process.process.kill()
        process.process.wait()
    works.turn(execution, answers)
    works.change(execution, resume=True)
    assert run(works, execution, answers) == ("succeeded", None)
    assert calls == ["create one"]


def test_a_resumed_workflow_that_takes_another_way_is_stopped(works, site, answers):
    name = "cloudify.interfaces.lifecycle.{}".format
    execution = site.execute("changing", parameters={"operation": name("create")})
    assert run(works, execution, answers) == ("succeeded", None)
    # The engine names graphs by their operations; an operation of another instance has the same name.
    with works.session() as session:
        (operation,) = works.operations(execution)
        session.merge(operation).parameters = {**operation.parameters, "context": {"node_id": "another"}}
        session.commit()
    works.change(execution, resume=True)
    outcome, error = run(works, execution, answers)
    assert outcome == "failed"
    assert "takes another way than before it was interrupted" in str(error)


def test_while_the_database_takes_no_writes_it_waits(works, site, tmp_path):
    """Once in the middle, and once as it begins."""
    away, heard = tmp_path / "away", tmp_path / "stderr"
    execution = site.execute("outlasting", parameters={"away": str(away)})
    with heard.open("wb") as stderr, custom(works, execution, stderr) as process:
        eventually(lambda: ("info", "before") in works.lines(execution), WITHIN_S, "it has begun")
        with read_only(works):
            away.touch()
            eventually(lambda: waits_or_ended(process, heard), WITHIN_S, "it asks the database")
        assert process.ended() == ("succeeded", None)
    assert ("info", "meanwhile") in works.lines(execution)

    later = site.execute("outlasting", parameters={"away": str(away)})
    heard.unlink()
    with read_only(works), heard.open("wb") as stderr, custom(works, later, stderr) as process:
        eventually(lambda: waits_or_ended(process, heard), WITHIN_S, "it asks the database")
        works.node.postgres.set_read_only(read_only=False)
        assert process.ended() == ("succeeded", None)


def waits_or_ended(process: Custom, heard: Path) -> bool:
    return b"waits for the database" in heard.read_bytes() or process.process.poll() is not None


@contextmanager
def read_only(works: Works) -> Iterator[None]:
    """As when the leader is drained."""
    works.node.postgres.set_read_only(read_only=True)
    try:
        yield
    finally:
        works.node.postgres.set_read_only(read_only=False)


def test_a_workflow_that_is_not_resumable_is_not_called_again(works, site, calls, answers):
    execution = site.execute("failing", resume=True)
    assert run(works, execution, answers) == (
        "failed",
        "Cannot resume - workflow not resumable: failing",
    )
    assert calls == []


def test_nothing_is_stored_for_an_engine_that_has_lost_the_execution(works, site, answers):
    execution = site.execute("deaf")
    with custom(works, execution) as process:
        eventually(lambda: ("info", "waiting") in works.lines(execution), WITHIN_S, "it has begun")
        works.change(execution, engine="another")
        outcome, error = process.carried_out(answers)
    assert (outcome, error) == ("failed", f"Execution {execution} is worked on by another engine.")


def test_it_ends_with_the_engine_that_has_started_it(works, site, calls, answers):
    execution = site.execute("patient")
    with custom(works, execution) as process:
        eventually(lambda: ("info", "waiting") in works.lines(execution), WITHIN_S, "it has begun")
        assert process.process.stdin is not None
        process.process.stdin.close()
        eventually(lambda: process.process.poll() is not None, WITHIN_S, "it ends with its engine")
    assert calls == []


WRONG = [
    ("missing", "is to be the function missing of flows"),
    ("nowhere", "is to be in the module nowhere of the folder p"),
    ("foreign", "No module named 'a_library_that_nobody_has'"),
]


@pytest.mark.parametrize(("workflow", "words"), WRONG)
def test_a_function_that_is_not_there_is_named(works, site, answers, workflow, words):
    outcome, error = run(works, site.execute(workflow), answers)
    assert outcome == "failed"
    assert words in str(error)


def test_the_archive_stays_as_it_was_uploaded(works, site, answers):
    run(works, site.execute("printing"), answers)
    assert {path.name for path in (site.content / "p").iterdir()} == {"flows.py", "foreign.py"}
