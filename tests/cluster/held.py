"""Executions of every kind, each held at its own step, and a ledger outside of the cluster.

Of each deployment, named after a step, three instances are worked on: by a workflow that may go on (with an
operation that may run again, and with one that must not), and by one that may not. Two more workflows, that
come with the blueprint, are beside them where operations are held while they run.
"""

from __future__ import annotations

import io
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from demo.cluster import Cluster
from demo.node import Node
from demo.rest import Client
from orchestrator.model.errors import Unfinished
from tests.cluster import nemesis
from tests.cluster.house import WHOLE_S
from tests.support.held_steps import FOLDER
from tests.support.holding import STEPS

RUNNING = "running"
"""The operation itself waits: no engine has to hold it."""

LATER = "later"
"""The deployment of one that is scheduled."""

ENDED = ("terminated", "failed", "cancelled")
LIFECYCLE = "cloudify.interfaces.lifecycle"
OPERATIONS = ("create", "configure", "start")
ON_ONE = {"allow_custom_parameters": True, "force": True}

BLUEPRINT = f"""\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
inputs: {{place: {{}}}}
plugins:
  steps: {{executor: central_deployment_agent, source: plugin, install: false}}
node_types:
  again:
    derived_from: cloudify.nodes.Root
    interfaces:
      {LIFECYCLE}:
        create: &again
          implementation: steps.steps.again
          inputs: {{place: {{default: {{get_input: place}}}}}}
        configure: *again
        start: *again
  once:
    derived_from: again
    interfaces:
      {LIFECYCLE}:
        create: &once
          implementation: steps.steps.once
          inputs: {{place: {{default: {{get_input: place}}}}}}
        configure: *once
        start: *once
node_templates:
  again: {{type: again}}
  once: {{type: once}}
  healed: {{type: again}}
  own: {{type: again}}
  own_once: {{type: again}}
workflows:
  own: {{mapping: steps.steps.own, parameters: {{node_instance_id: {{}}}}}}
  own_once: {{mapping: steps.steps.own_once, parameters: {{node_instance_id: {{}}}}}}
"""
PLUGIN = f"""\
import os
import time

from cloudify import ctx
from cloudify.decorators import operation, workflow


def run(place):
    name = ctx.operation.name.rpartition('.')[2]
    write(place, name, 'begun')
    if (ctx.deployment.id, name) == ('{RUNNING}', 'configure'):
        while not os.path.exists(os.path.join(place, 'gate')):
            time.sleep(0.05)
    write(place, name, 'done')


def write(place, name, word):
    ledger = os.open(os.path.join(place, 'ledger'), os.O_WRONLY | os.O_APPEND)
    os.write(ledger, f'{{ctx.execution_id}} {{name}} {{word}}\\n'.encode())
    os.close(ledger)


@operation(resumable=True)
def again(place, **_):
    run(place)


@operation
def once(place, **_):
    run(place)


@workflow(resumable=True)
def own(ctx, node_instance_id, **_):
    instance = ctx.get_node_instance(node_instance_id)
    for name in {OPERATIONS}:
        instance.execute_operation('{LIFECYCLE}.' + name).get()


@workflow
def own_once(ctx, node_instance_id, **_):
    own(ctx, node_instance_id)
"""


def archive() -> bytes:
    """The blueprint with its plugin."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in {"blueprint.yaml": BLUEPRINT, "plugin/steps.py": PLUGIN}.items():
            info = tarfile.TarInfo(f"steps/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Found:
    """How an execution ended, and how often each of its operations was begun, and done."""

    status: str
    error: str | None
    runs: dict[str, tuple[int, int]]


class Executions:
    """All of them, by step and kind: ``("sent", "once")``."""

    def __init__(self, cluster: Cluster, place: Path) -> None:
        self.cluster, self.place = cluster, place
        self.ledger, self.gate = place / "ledger", place / "gate"
        self.ids: dict[tuple[str, str], str] = {}
        self.ledger.touch()

    @property
    def client(self) -> Client:
        return self.cluster.client(read_timeout_s=60.0)

    def hold_on(self, *nodes: Node) -> None:
        """Engines that start on these nodes from now on hold what they work on."""
        for node in nodes:
            (node.home / FOLDER).mkdir()

    def hold_no_more(self, *nodes: Node) -> None:
        """Engines that start there let everything go on."""
        for node in nodes:
            shutil.rmtree(node.home / FOLDER, ignore_errors=True)

    def renew_engine(self, leader: Node) -> None:
        """One that is there from an earlier story holds nothing."""
        nemesis.is_back(leader, "mgmtworker", nemesis.kill(leader, "mgmtworker"))

    def start(self) -> None:
        """One execution of each kind for each step, and one that is to begin in a day."""
        self.client.request("PUT", "/blueprints/steps", data=archive())
        for step in (*STEPS, RUNNING):
            instances = self._deploy(step)
            for kind in ("again", "once"):
                self._start(step, kind, "install", {"node_instance_ids": [instances[kind]]}, **ON_ONE)
            self._start(step, "healed", "heal", {"node_instance_id": instances["healed"]}, **ON_ONE)
        for kind in ("own", "own_once"):
            self._start(RUNNING, kind, kind, {"node_instance_id": instances[kind]}, force=True)
        self._start(RUNNING, "queued", "execute_operation", _create_on("again"), queue=True)
        self._deploy(LATER)
        self._start(
            LATER, "scheduled", "execute_operation", _create_on("once"), scheduled_time="2099-01-01T00:00:00Z"
        )

    def _deploy(self, name: str) -> dict[str, str]:
        body = {"blueprint_id": "steps", "inputs": {"place": str(self.place)}}
        self.client.request("PUT", f"/deployments/{name}", json=body)
        found = self.client.items("/node-instances", deployment_id=name)
        return {item["node_id"]: item["id"] for item in found}

    def _start(self, step: str, kind: str, workflow: str, parameters: dict[str, Any], **more: Any) -> None:
        body = {"deployment_id": step, "workflow_id": workflow, "parameters": parameters, **more}
        self.ids[step, kind] = self.client.request("POST", "/executions", json=body).content["id"]

    def stand(self, leader: Node, which: Iterable[tuple[str, str]], begun: int) -> None:
        """Wait until these stand where they are held.

        ``begun``: how often the operations of those that wait by themselves have begun by then.
        """
        wanted = set(which)

        def missing() -> set[tuple[str, str]]:
            times = self.counted("configure", "begun")
            held = {file.name for file in (leader.home / FOLDER).iterdir()}
            held |= {self.ids[one] for one in wanted if one[0] == RUNNING and times[self.ids[one]] >= begun}
            return {one for one in wanted if self.ids[one] not in held}

        with suppress(Unfinished):
            self.cluster.wait(lambda: not missing(), WHOLE_S, "not all are there")
        assert missing() == set()

    def let_time_come(self, leader: Node) -> None:
        """For the one that is scheduled: it is due now."""
        config = leader.config
        place = {"host": str(config.paths.run), "port": config.ports.postgres}
        due = "UPDATE executions SET scheduled_for = now() WHERE id = %s AND status = 'scheduled'"
        with closing(psycopg2.connect(user="postgres", dbname="cloudify", **place)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(due, (self.ids[LATER, "scheduled"],))
            assert cursor.rowcount == 1

    def counted(self, operation: str, word: str) -> Counter[str]:
        """How often the ledger says this of each execution."""
        lines = (line.split() for line in self.ledger.read_text().splitlines())
        return Counter(execution for execution, *said in lines if said == [operation, word])

    def rows(self) -> dict[str, dict[str, Any]]:
        """Our executions, by their ids."""
        mine = set(self.ids.values())
        return {item["id"]: item for item in self.client.items("/executions") if item["id"] in mine}

    def statuses(self) -> dict[tuple[str, str], str]:
        """Of each execution."""
        rows = self.rows()
        return {key: rows[identifier]["status"] for key, identifier in self.ids.items()}

    def told_failed(self) -> list[tuple[str, str]]:
        """Of which ones an event says that they failed; as often as it is said."""
        names = {identifier: key for key, identifier in self.ids.items()}
        told = self.client.items("/events", event_type="workflow_failed")
        return [names[event["execution_id"]] for event in told if event["execution_id"] in names]

    def found(self) -> dict[tuple[str, str], Found]:
        """What became of each."""
        rows = self.rows()
        counts = {(name, word): self.counted(name, word) for name in OPERATIONS for word in ("begun", "done")}
        return {
            key: Found(
                rows[identifier]["status"],
                rows[identifier]["error"],
                {
                    name: (counts[name, "begun"][identifier], counts[name, "done"][identifier])
                    for name in OPERATIONS
                    if counts[name, "begun"][identifier]
                },
            )
            for key, identifier in self.ids.items()
        }


def _create_on(node: str) -> dict[str, Any]:
    return {"operation": f"{LIFECYCLE}.create", "node_ids": [node]}
