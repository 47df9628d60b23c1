"""An agent works on while its leader dies: each operation runs once, and its answer finds who leads."""

from __future__ import annotations

import io
import json
import os
import signal
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
from tests.cluster.house import WHOLE_S, House
from tests.support.login_sshd import Machine, login_machine

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

COMMAND_S = 120.0
NAME = "far"
ENDED = ("terminated", "failed", "cancelled")
BLUEPRINT = """\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
inputs: {place: {}, machine: {}, agent: {}}
plugins:
  far: {executor: host_agent, source: plugin, install: false}
node_types:
  machine:
    derived_from: cloudify.nodes.Compute
    properties:
      ip: {default: {get_input: machine}}
      agent_config: {default: {get_input: agent}}
  piece:
    derived_from: cloudify.nodes.Root
    interfaces:
      errand:
        do: {implementation: far.far.hold, inputs: {place: {default: {get_input: place}}}}
        do_again: {implementation: far.far.hold_again, inputs: {place: {default: {get_input: place}}}}
node_templates:
  near: {type: machine}
  other: {type: machine}
  early: {type: piece, relationships: &on_near [{type: cloudify.relationships.contained_in, target: near}]}
  late: {type: piece, relationships: *on_near}
  untaken: {type: piece, relationships: [{type: cloudify.relationships.contained_in, target: other}]}
"""
PLUGIN = """\
import os
import time

from cloudify import ctx
from cloudify.decorators import operation


def write(place, word):
    with open(os.path.join(place, 'ledger'), 'a') as file:
        file.write(f'{ctx.execution_id} {ctx.node.id} {word}\\n')


@operation
def hold(place, **_):
    write(place, 'begun')
    while not os.path.exists(os.path.join(place, f'{ctx.execution_id}.{ctx.node.id}')):
        time.sleep(0.05)
    write(place, 'done')


@operation(resumable=True)
def hold_again(place, **_):
    hold(place)
"""


def archive() -> bytes:
    """The blueprint. ``errand.do`` must not run twice; ``errand.do_again`` may."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in {"blueprint.yaml": BLUEPRINT, "plugin/far.py": PLUGIN}.items():
            info = tarfile.TarInfo(f"far/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Far:
    """A deployment on two machines with agents, and the ledger outside of the cluster."""

    def __init__(self, house: House, machine: Machine, place: Path) -> None:
        self.house, self.machine, self.place = house, machine, place
        self.ledger = place / "ledger"
        self.ledger.touch()

    @property
    def cluster(self) -> Cluster:
        return self.house.cluster

    @property
    def client(self) -> Client:
        return self.cluster.client(read_timeout_s=60.0)

    def deploy(self) -> None:
        """Install it; that brings the agents there."""
        login = self.machine.fabric_env()
        agent = {
            "install_method": "remote",
            "user": login["user"],
            "key": login["key"],
            "port": self.machine.port,
            "basedir": str(self.place),
            "process_management": {"name": "detach"},
        }
        inputs = {"place": str(self.place), "machine": self.machine.host, "agent": agent}
        self.client.request("PUT", f"/blueprints/{NAME}", data=archive())
        self.client.request("PUT", f"/deployments/{NAME}", json={"blueprint_id": NAME, "inputs": inputs})
        found = self.ends(self.start("install"))
        assert (found["status"], found["error"]) == ("terminated", None)

    def start(self, workflow: str, **parameters: Any) -> str:
        body = {"deployment_id": NAME, "workflow_id": workflow, "parameters": parameters}
        identifier: str = self.client.request("POST", "/executions", json=body).content["id"]
        return identifier

    def errand(self, *nodes: str, operation: str = "errand.do") -> str:
        """Let agents do what waits at the gates of these nodes."""
        return self.start("execute_operation", operation=operation, node_ids=list(nodes))

    def open_gate(self, identifier: str, node: str) -> None:
        (self.place / f"{identifier}.{node}").touch()

    def execution(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.request("GET", f"/executions/{identifier}").content
        return found

    def ends(self, identifier: str) -> dict[str, Any]:
        self.until(lambda: self.execution(identifier)["status"] in ENDED, "the execution ends")
        return self.execution(identifier)

    def states(self, identifier: str) -> set[str]:
        """Of the execution's operations."""
        found = self.client.items("/operations", execution_id=identifier, type="RemoteTask")
        return {item["state"] for item in found}

    def words(self, identifier: str, node: str) -> list[str]:
        """What the ledger says of one node's operation in an execution."""
        lines = (line.split() for line in self.ledger.read_text().splitlines())
        return [word for execution, name, word in lines if (execution, name) == (identifier, node)]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        self.cluster.wait(holds, WHOLE_S, what)

    def says(self, identifier: str, node: str, *words: str) -> None:
        """Wait until the ledger says just this."""
        self.until(lambda: self.words(identifier, node) == [*words], f"{node} has {' and '.join(words)}")

    def folder(self, machine: str) -> Folder:
        """The agent's on a machine."""
        (found,) = self.place.glob(f"{machine}_*/state")
        return Folder(found)

    def agent(self, machine: str, command: str) -> dict[str, Any]:
        program = self.folder(machine).path.parent / "bin" / "cfy_agent"
        said = subprocess.run(
            [program, command], capture_output=True, text=True, check=True, timeout=COMMAND_S
        )
        return json.loads(said.stdout) if command == "status" else {}

    def kill_agent(self, machine: str) -> None:
        """It ends without a word."""
        pid = daemon.running(self.folder(machine))
        assert pid is not None, "the agent does not run"
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: daemon.running(self.folder(machine)) is None, "the agent is gone")

    def knows(self, *addresses: str) -> bool:
        """Whether both agents have this list of members."""
        agents = (self.folder(machine) for machine in ("near", "other"))
        return all(sorted(agent.settings().members) == sorted(addresses) for agent in agents)


@pytest.fixture(scope="module")
def standing(formed: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """Installed once for all stories: they differ in what happens while it works."""
    formed.make_whole()
    place = tmp_path_factory.mktemp("place")
    with login_machine(tmp_path_factory.mktemp("login")) as machine:
        made = Far(formed, machine, place)
        try:
            made.deploy()
            yield made
        finally:
            for found in place.glob("*/state"):
                daemon.stop(Folder(found))


@pytest.fixture
def far(cluster: Cluster, standing: Far) -> Far:
    for machine in ("near", "other"):
        standing.agent(machine, "start")
    return standing


def test_an_agent_that_is_killed_says_what_it_was_doing_and_does_again_what_it_may(far: Far):
    identifier = far.errand("early")
    far.says(identifier, "early", "begun")
    far.kill_agent("near")
    far.agent("near", "start")
    found = far.ends(identifier)
    assert found["status"] == "failed"
    assert "far.hold" in found["error"]
    assert "restarted while it ran" in found["error"]
    assert far.words(identifier, "early") == ["begun"]

    identifier = far.errand("late", operation="errand.do_again")
    far.says(identifier, "late", "begun")
    far.kill_agent("near")
    far.agent("near", "start")
    far.says(identifier, "late", "begun", "begun")
    far.open_gate(identifier, "late")
    assert far.ends(identifier)["status"] == "terminated"
    assert far.words(identifier, "late") == ["begun", "begun", "done"]


def test_each_operation_runs_once_whenever_the_leaders_machine_dies(cluster: Cluster, far: Far):
    # One ends while nobody leads, one when somebody leads again, and one had not been fetched by its agent.
    far.agent("other", "stop")
    identifier = far.errand("early", "late", "untaken")
    far.says(identifier, "early", "begun")
    far.says(identifier, "late", "begun")
    far.until(lambda: far.states(identifier) == {"sent"}, "all messages are in the broker")
    old = cluster.leader()
    second = next(node for node in cluster.bed if node is not old)
    # One member of three is no majority: nobody leads until the second one is back.
    second.kill()
    old.kill()
    far.open_gate(identifier, "early")
    far.says(identifier, "early", "begun", "done")
    second.start()
    cluster.wait(lambda: cluster.leader() is not old, WHOLE_S, "somebody else leads")
    far.until(lambda: far.agent("near", "status")["active"] == cluster.leader().host_ip, "it is followed")
    far.open_gate(identifier, "late")
    far.agent("other", "start")
    far.says(identifier, "untaken", "begun")
    far.open_gate(identifier, "untaken")
    found = far.ends(identifier)
    assert (found["status"], found["error"]) == ("terminated", None)
    for node in ("early", "late", "untaken"):
        assert far.words(identifier, node) == ["begun", "done"]
    old.start()
    cluster.wait_until_whole(WHOLE_S)


@pytest.mark.slow  # It leaves a fourth manager: the next story would have to form its cluster anew.
def test_agents_are_told_who_joins_and_who_leaves(house: House, cluster: Cluster, far: Far):
    before = [node.host_ip for node in cluster.bed]
    assert far.knows(*before)
    new = house.new_manager()
    house.cfy.join_cluster(new, cluster.leader())
    far.until(lambda: far.knows(*before, new.host_ip), "both agents know the new member")
    assert house.ask(cluster.leader(), "cluster", "nodes", "remove", new.name).exit_code == 0
    far.until(lambda: far.knows(*before), "both agents have forgotten it")
