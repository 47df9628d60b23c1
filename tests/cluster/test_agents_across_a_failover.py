"""An agent works on while its leader dies: each operation runs once, and its answer finds who leads."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import daemon
from agent.settings import Folder
from demo.cluster import Cluster
from demo.rest import Client
from tests.cluster.house import WHOLE_S
from tests.support.login_sshd import Machine, login_machine

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

COMMAND_S = 120.0
ENDED = ("terminated", "failed", "cancelled")
BLUEPRINT = """\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
inputs: {ledger: {}, gate: {}, machine: {}, agent: {}}
plugins:
  far: {executor: host_agent, source: plugin, install: false}
node_types:
  piece:
    derived_from: cloudify.nodes.Root
    interfaces:
      errand:
        hold:
          implementation: far.far.hold
          inputs: {ledger: {default: {get_input: ledger}}, gate: {default: {get_input: gate}}}
node_templates:
  machine:
    type: cloudify.nodes.Compute
    properties: {ip: {get_input: machine}, agent_config: {get_input: agent}}
  piece:
    type: piece
    relationships: [{type: cloudify.relationships.contained_in, target: machine}]
"""
PLUGIN = """\
import os
import time

from cloudify import ctx
from cloudify.decorators import operation


@operation
def hold(ledger, gate, **_):
    with open(ledger, 'a') as file:
        file.write(f'{ctx.execution_id} begun\\n')
    while not os.path.exists(gate):
        time.sleep(0.05)
    with open(ledger, 'a') as file:
        file.write(f'{ctx.execution_id} done\\n')
"""


def archive() -> bytes:
    """The blueprint. Its operation must not run twice: it is not resumable."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in {"blueprint.yaml": BLUEPRINT, "plugin/far.py": PLUGIN}.items():
            info = tarfile.TarInfo(f"far/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Far:
    """A deployment on a machine with an agent, and the ledger outside of the cluster."""

    def __init__(self, cluster: Cluster, machine: Machine, place: Path, name: str) -> None:
        self.cluster, self.machine, self.place, self.name = cluster, machine, place, name
        self.ledger, self.gate = place / "ledger", place / "gate"
        self.ledger.touch()

    @property
    def client(self) -> Client:
        return self.cluster.client(read_timeout_s=60.0)

    def deploy(self) -> None:
        """Install it; that brings the agent there."""
        login = self.machine.fabric_env()
        agent = {
            "install_method": "remote",
            "user": login["user"],
            "key": login["key"],
            "port": self.machine.port,
            "basedir": str(self.place),
            "process_management": {"name": "detach"},
        }
        inputs = {
            "ledger": str(self.ledger),
            "gate": str(self.gate),
            "machine": self.machine.host,
            "agent": agent,
        }
        self.client.request("PUT", f"/blueprints/{self.name}", data=archive())
        body = {"blueprint_id": self.name, "inputs": inputs}
        self.client.request("PUT", f"/deployments/{self.name}", json=body)
        found = self.ends(self.start("install"))
        assert (found["status"], found["error"]) == ("terminated", None)

    def start(self, workflow: str, **parameters: Any) -> str:
        body = {"deployment_id": self.name, "workflow_id": workflow, "parameters": parameters}
        identifier: str = self.client.request("POST", "/executions", json=body).content["id"]
        return identifier

    def errand(self) -> str:
        """Let the agent do what waits at the gate."""
        return self.start("execute_operation", operation="errand.hold", node_ids=["piece"])

    def execution(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.request("GET", f"/executions/{identifier}").content
        return found

    def ends(self, identifier: str) -> dict[str, Any]:
        self.until(lambda: self.execution(identifier)["status"] in ENDED, "the execution ends")
        return self.execution(identifier)

    def words(self, identifier: str) -> list[str]:
        """What the ledger says of an execution."""
        lines = (line.split() for line in self.ledger.read_text().splitlines())
        return [word for execution, word in lines if execution == identifier]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        self.cluster.wait(holds, WHOLE_S, what)

    def begins(self, identifier: str) -> None:
        self.until(lambda: self.words(identifier) == ["begun"], "it runs on the agent")

    @property
    def folder(self) -> Folder:
        """The agent's."""
        (found,) = self.place.glob("machine_*/state")
        return Folder(found)

    def agent(self, command: str) -> dict[str, Any]:
        program = self.folder.path.parent / "bin" / "cfy_agent"
        said = subprocess.run(
            [program, command], capture_output=True, text=True, check=True, timeout=COMMAND_S
        )
        return json.loads(said.stdout) if command == "status" else {}


@pytest.fixture
def far(cluster: Cluster, tmp_path: Path) -> Iterator[Far]:
    place = tmp_path / "place"
    login = tmp_path / "login"
    place.mkdir()
    login.mkdir()
    with login_machine(login) as machine:
        made = Far(cluster, machine, place, f"far-{tmp_path.name[-12:].replace('_', '-')}")
        try:
            made.deploy()
            yield made
        finally:
            made.gate.touch()
            for found in place.glob("machine_*/state"):
                daemon.stop(Folder(found))


def test_what_ends_while_nobody_leads_is_told_to_the_next_leader(cluster: Cluster, far: Far):
    identifier = far.errand()
    far.begins(identifier)
    old = cluster.leader()
    second = next(node for node in cluster.bed if node is not old)
    # One member of three is no majority: nobody leads until the second one is back.
    second.kill()
    old.kill()
    far.gate.touch()
    far.until(lambda: far.words(identifier) == ["begun", "done"], "the agent has done it")
    second.start()
    found = far.ends(identifier)
    assert (found["status"], found["error"]) == ("terminated", None)
    assert far.words(identifier) == ["begun", "done"]
    assert far.agent("status")["active"] == cluster.leader().host_ip
    old.start()
    cluster.wait_until_whole(WHOLE_S)
