"""A blueprint whose operations write into a ledger when they run, and wait until a gate is opened.

The ledger is a file outside of the cluster: what stands there has been done, whatever a manager believes.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.rest import Client

BLUEPRINT = """\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
inputs:
  ledger: {}
  gate: {}
plugins:
  work: {executor: central_deployment_agent, source: plugin, install: false}
node_types:
  piece:
    derived_from: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: work.work.note
          inputs: &where {ledger: {default: {get_input: ledger}}, gate: {default: {get_input: gate}}}
        configure:
          implementation: work.work.wait_at_gate
          inputs: *where
          retry_interval: 0.5
          max_retries: -1
        start: {implementation: work.work.note, inputs: *where}
node_templates:
  pieces: {type: piece, instances: {deploy: %(count)d}}
"""

PLUGIN = """\
import os
import time

from cloudify import ctx
from cloudify.decorators import operation


def write(ledger, word):
    operation = ctx.operation.name.split('.')[-1]
    line = f'{time.time():.3f} {ctx.execution_id} {ctx.instance.id} {operation} {word}'
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, line.encode() + b'\\n')
    finally:
        os.close(descriptor)


@operation(resumable=True)
def note(ledger, **_):
    write(ledger, 'done')


@operation(resumable=True)
def wait_at_gate(ledger, gate, **_):
    if not os.path.exists(gate):
        write(ledger, 'waits')
        return ctx.operation.retry('the gate is closed')
    write(ledger, 'done')
"""


def archive(count: int) -> bytes:
    """The blueprint, with so many instances."""
    content = {
        "workshop/blueprint.yaml": BLUEPRINT % {"count": count},
        "workshop/plugin/work.py": PLUGIN,
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. ``word``: done, or waits."""

    at: float
    execution: str
    instance: str
    operation: str
    word: str


class Workshop:
    """The ledger and the gate in a folder, and deployments that use them."""

    def __init__(self, folder: Path, client: Client) -> None:
        self.ledger, self.gate = folder / "ledger", folder / "gate"
        self._client = client
        folder.mkdir(parents=True, exist_ok=True)
        # Whoever runs the operations may be another user.
        folder.chmod(0o777)
        self.ledger.touch()
        self.ledger.chmod(0o666)

    def deploy(self, name: str, count: int) -> list[str]:
        """Upload the blueprint and make a deployment, both by that name; the ids of its instances."""
        self._client.request("PUT", f"/blueprints/{name}", data=archive(count))
        inputs = {"ledger": str(self.ledger), "gate": str(self.gate)}
        self.again(name, name, inputs)
        return self.instances(name)

    def again(self, name: str, blueprint: str, inputs: Mapping[str, str] | None = None) -> list[str]:
        """One more deployment of a blueprint that is there."""
        given = inputs or {"ledger": str(self.ledger), "gate": str(self.gate)}
        body = {"blueprint_id": blueprint, "inputs": given}
        self._client.request("PUT", f"/deployments/{name}", json=body)
        return self.instances(name)

    def instances(self, deployment: str) -> list[str]:
        """The ids of a deployment's instances."""
        return [item["id"] for item in self._client.items("/node-instances", deployment_id=deployment)]

    def start(self, deployment: str, workflow: str = "install", **options: Any) -> str:
        """Start an execution; its id."""
        body = {"deployment_id": deployment, "workflow_id": workflow, **options}
        identifier: str = self._client.request("POST", "/executions", json=body).content["id"]
        return identifier

    def status(self, execution: str) -> str:
        """Of an execution."""
        status: str = self._client.request("GET", f"/executions/{execution}").content["status"]
        return status

    def open_gate(self) -> None:
        """Let everything go on that waits."""
        self.gate.touch()

    def entries(self) -> list[Entry]:
        """What has been done, in order."""
        lines = (line.split() for line in self.ledger.read_text().splitlines())
        return [Entry(float(at), *rest) for at, *rest in lines]

    def times_done(self) -> Counter[tuple[str, str, str]]:
        """How often each operation (execution, instance, name) has been done."""
        done = (entry for entry in self.entries() if entry.word == "done")
        return Counter((entry.execution, entry.instance, entry.operation) for entry in done)

    def wait_for_entries(self, count: int, timeout_s: float, **wanted: str) -> bool:
        """Wait until so many entries are as wanted (``word="waits"``); whether they are."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            found = sum(
                all(getattr(entry, name) == value for name, value in wanted.items())
                for entry in self.entries()
            )
            if found >= count:
                return True
            time.sleep(0.1)
        return False
