"""The usual workflows and a blueprint's own, run by mgmtworker with operations that really run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.operations import bench
from tests.support.rest import ManagerNode, stop
from tests.support.waiting import eventually
from tests.support.workflow_engine import WITHIN_S, Site, Works

pytestmark = pytest.mark.integration

SHOP = """
node_types:
  server:
    derived_from: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: p.ops.note, inputs: {word: {default: create}}}
        start: {implementation: p.ops.note, inputs: {word: {default: start}}, max_retries: 0}
        stop: {implementation: p.ops.note, inputs: {word: {default: stop}}}
        delete: {implementation: p.ops.note, inputs: {word: {default: delete}}}
relationships:
  reads:
    derived_from: cloudify.relationships.connected_to
    source_interfaces:
      cloudify.interfaces.relationship_lifecycle:
        establish: {implementation: p.ops.link, inputs: {word: {default: establish}}}
node_templates:
  stock: {type: server}
  till:
    type: server
    relationships: [{type: reads, target: stock}]
workflows:
  greet: p.flows.greet
  stumble: p.flows.stumble
  pause: p.flows.pause
"""

OPS = """
from cloudify import ctx
from cloudify.exceptions import NonRecoverableError


def _write(line):
    with open(%(ledger)r, "a") as ledger:
        ledger.write(line + "\\n")


def note(word, **_):
    if ctx.node.name + " " + word == open(%(ledger)r + ".fails").read():
        raise NonRecoverableError("It does not want to " + word)
    ctx.instance.runtime_properties[word] = True
    _write(ctx.node.name + " " + word)
    return word


def link(word, **_):
    _write(ctx.source.node.name + " " + word + " " + ctx.target.node.name)
"""

FLOWS = """
import os
import time

from cloudify.decorators import workflow
from cloudify.workflows import api


@workflow(resumable=True)
def greet(ctx, **_):
    for instance in ctx.node_instances:
        word = instance.execute_operation("cloudify.interfaces.lifecycle.start").get()
        ctx.logger.info("It says %s", word)


def stumble(ctx, **_):
    raise ValueError("over a stone")


@workflow(resumable=True)
def pause(ctx, until, **_):
    stock, till = (next(ctx.get_node(name).instances) for name in ("stock", "till"))
    stock.execute_operation("cloudify.interfaces.lifecycle.start").get()
    ctx.logger.info("pausing")
    while not os.path.exists(until):
        if api.has_cancel_request():
            raise api.ExecutionCancelled
        time.sleep(0.05)
    till.execute_operation("cloudify.interfaces.lifecycle.start").get()
"""


class Service:
    """mgmtworker of a node, which can be killed and started again."""

    def __init__(self, node: ManagerNode) -> None:
        self.node = node
        self.start()

    def start(self) -> None:
        """As the service manager does."""
        environment = {**os.environ, "CLOUDIFY_CONFIG": str(self.node.file)}
        self.process = subprocess.Popen([sys.executable, "-m", "manager.workflows"], env=environment)

    def kill(self) -> None:
        """As a crash does."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with bench() as made:
        service = Service(made.node)
        try:
            yield service
        finally:
            stop(service.process)


@pytest.fixture(scope="module")
def works(service: Service) -> Works:
    return Works(service.node)


class Shop:
    """A deployment, and the ledger in which its operations write."""

    def __init__(self, works: Works, ledger: Path) -> None:
        self.works = works
        self.ledger = ledger
        ledger.touch()
        self.fail("")
        files = {"p/ops.py": OPS % {"ledger": str(ledger)}, "p/flows.py": FLOWS}
        self.site: Site = works.site(SHOP, files)
        self.said: list[tuple[str | None, str]] = []

    def fail(self, what: str) -> None:
        """Let this fail from now on."""
        Path(f"{self.ledger}.fails").write_text(what)

    def run(self, workflow: str, **parameters: Any) -> tuple[str, str | None]:
        """How the execution ended, and why."""
        return self.ended(self.begin(workflow, **parameters))

    def begin(self, workflow: str, **parameters: Any) -> str:
        """The id of an execution that waits for an engine."""
        execution = self.site.execute(workflow, status="pending", engine=None, parameters=parameters)
        self.works.change(execution, status="pending")
        return execution

    def ended(self, execution: str) -> tuple[str, str | None]:
        """How the execution ended, and why."""
        eventually(lambda: self.works.row(execution).status in ENDS, WITHIN_S, f"{execution} ends")
        row = self.works.row(execution)
        self.said = self.works.lines(execution)
        return row.status, row.error

    def written(self) -> list[str]:
        """What was done since this was asked last."""
        lines = self.ledger.read_text().splitlines()
        self.ledger.write_text("")
        return lines

    def states(self) -> list[tuple[str, str]]:
        """Of all instances."""
        return sorted((instance.node.id, instance.state) for instance in self.site.instances())


@pytest.fixture
def shop(works: Works, tmp_path: Path) -> Shop:
    return Shop(works, tmp_path / "ledger")


ENDS = ("terminated", "failed", "cancelled")
UP = ["stock create", "stock start", "till create", "till start", "till establish stock"]
DOWN = ["till stop", "till delete", "stock stop", "stock delete"]
DONE = ("terminated", None)


def test_install_and_uninstall(shop):
    assert shop.run("install") == DONE
    assert shop.written() == UP
    assert shop.states() == [("stock", "started"), ("till", "started")]
    assert all(item.runtime_properties == {"create": True, "start": True} for item in shop.site.instances())
    assert shop.run("uninstall") == DONE
    assert shop.written() == DOWN
    assert shop.states() == [("stock", "uninitialized"), ("till", "uninitialized")]
    assert all(item.runtime_properties == {} for item in shop.site.instances())


def test_an_install_that_failed_and_the_next_one(shop):
    shop.fail("till start")
    status, error = shop.run("install")
    assert status == "failed"
    assert "It does not want to start" in str(error)
    assert shop.states() == [("stock", "started"), ("till", "starting")]
    shop.fail("")
    assert shop.run("install") == DONE
    assert shop.written() == UP


def test_scaling_out_and_in(shop):
    assert shop.run("install") == DONE
    shop.written()
    assert shop.run("scale", scalable_entity_name="till", delta=1) == DONE
    assert shop.written() == UP[2:]
    assert shop.states() == [("stock", "started"), ("till", "started"), ("till", "started")]
    assert shop.run("scale", scalable_entity_name="till", delta=-1) == DONE
    assert shop.written() == DOWN[:2]
    assert shop.states() == [("stock", "started"), ("till", "started")]


def test_scaling_out_that_fails_is_taken_back(shop):
    assert shop.run("install") == DONE
    shop.written()
    shop.fail("till start")
    status, error = shop.run("scale", scalable_entity_name="till", delta=1)
    assert status == "failed"
    assert "It does not want to start" in str(error)
    assert shop.written() == ["till create", "till stop", "till delete"]
    assert shop.states() == [("stock", "started"), ("till", "started")]


def test_healing(shop):
    assert shop.run("install") == DONE
    shop.written()
    till = next(item.id for item in shop.site.instances() if item.node.id == "till")
    assert shop.run("heal", node_instance_id=till) == DONE
    assert shop.written() == [*DOWN[:2], *UP[2:]]


def test_one_operation_on_those_that_are_named(shop):
    operation = "cloudify.interfaces.lifecycle.stop"
    assert shop.run("execute_operation", operation=operation, node_ids=["till"]) == DONE
    assert shop.written() == ["till stop"]


def test_a_workflow_of_the_blueprint(shop):
    assert shop.run("greet") == DONE
    assert shop.written() == ["stock start", "till start"]
    assert [message for level, message in shop.said if level == "info"] == ["It says start"] * 2


def test_a_workflow_of_the_blueprint_that_fails_says_where(shop):
    status, error = shop.run("stumble")
    assert status == "failed"
    assert str(error).startswith("over a stone\nTraceback")
    assert any("over a stone" in message for _, message in shop.said)


def test_a_workflow_that_cannot_be_built_says_why(shop):
    assert shop.run("scale", scalable_entity_name="nothing") == (
        "failed",
        "ValueError: No scalable entity named nothing was found",
    )


def processes_of(execution: str) -> set[int]:
    """The processes that run its workflow."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if execution in path.read_text():
                found.add(int(path.parent.name))
    return found


def paused(shop: Shop, tmp_path: Path) -> str:
    execution = shop.begin("pause", until=str(tmp_path / "go"))
    eventually(lambda: ("info", "pausing") in shop.works.lines(execution), WITHIN_S, "it pauses")
    return execution


def test_a_workflow_of_the_blueprint_that_is_cancelled(shop, tmp_path):
    execution = paused(shop, tmp_path)
    shop.works.change(execution, status="cancelling")
    assert shop.ended(execution) == ("cancelled", None)
    eventually(lambda: not processes_of(execution), WITHIN_S, "its process is gone")
    assert shop.written() == ["stock start"]


def test_a_workflow_of_the_blueprint_goes_on_where_it_was_when_its_engine_is_killed(shop, service, tmp_path):
    execution = paused(shop, tmp_path)
    first = processes_of(execution)
    service.kill()
    eventually(lambda: not processes_of(execution), WITHIN_S, "its process ends with the engine")
    service.start()
    eventually(lambda: processes_of(execution) - first, WITHIN_S, "it is called again")
    (tmp_path / "go").touch()
    assert shop.ended(execution) == DONE
    assert shop.written() == ["stock start", "till start"]
