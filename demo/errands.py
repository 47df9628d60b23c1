"""Two workflows that run while the leader dies: one that can be resumed, and one that cannot."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.cfy import Cfy
from demo.cluster import Cluster
from demo.places import seen_from_here
from demo.teller import Teller
from orchestrator.model.errors import ClusterError, Unfinished

BLUEPRINT = Path(__file__).parent / "blueprint" / "blueprint.yaml"
NAME = "steps"
STEPS = 6
LEDGERS = "ledgers"
STEP_S, LONG_STEP_S = 1, 5
"""How long a step takes; long ones keep a workflow from its end however long the other one needs to begin."""

TAKEN_BEFORE = 2
"""The leader dies when so many steps of the workflow that can be resumed have been begun."""

MOST_TIMES = 2
"""How often a step is begun at most: again, when the leader died in the middle of it."""

BEGIN_TIMEOUT_S = 60.0
END_TIMEOUT_S = 120.0
POLL_S = 0.05

SHOWN = ("task_succeeded", "workflow_started", "workflow_resumed", "workflow_succeeded", "workflow_failed")
TOLD = "leads"
"""The kinds of events that are shown of what a command prints, and the word of its other news."""


class WorkLost(ClusterError):
    """A workflow did not end as it has to, or a step that was done was done again. Never to be raised."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one. ``taken``: by step, how often it was begun, as the ledger says."""

    workflow: str
    status: str
    error: str | None
    taken: Counter[str]

    @property
    def again(self) -> list[str]:
        """The steps that were begun more than once."""
        return sorted(step for step, times in self.taken.items() if times > 1)

    @property
    def text(self) -> str:
        """In words."""
        steps = f"{len(self.taken)} of {STEPS} steps were begun"
        again = f"; {', '.join(self.again)} was interrupted, and begun again" if self.again else ""
        return f"{self.status}{f': {self.error}' if self.error else ''} ({steps}{again})"


def check(resumable: Outcome, unresumable: Outcome) -> None:
    """Raise ``WorkLost`` unless both ended as they have to.

    The steps come one after the other: one at most was under way when the leader died.
    """
    whole = resumable.status == "completed" and len(resumable.taken) == STEPS
    if not whole or len(resumable.again) > 1 or max(resumable.taken.values()) > MOST_TIMES:
        raise WorkLost(f"{resumable.workflow}: {resumable.text}")
    if unresumable.status != "failed" or unresumable.again:
        raise WorkLost(f"{unresumable.workflow}: {unresumable.text}")


class Errand:
    """One deployment, and the command that runs a workflow on it."""

    def __init__(
        self, scene: tuple[Cluster, Cfy, Teller], deployment: str, workflow: str, step_s: int = STEP_S
    ) -> None:
        self._cluster, self._cfy, self._teller = scene
        self.deployment, self.workflow, self.step_s = deployment, workflow, step_s
        self.ledger = self._cluster.bed.root / LEDGERS / deployment
        self._thread: threading.Thread | None = None

    def deploy(self) -> None:
        """Make the deployment. Raises ``CommandFailed``."""
        self.ledger.parent.mkdir(exist_ok=True)
        self.ledger.touch()
        inputs = json.dumps({"ledger": str(self.ledger), "seconds": self.step_s})
        self._cfy.run("deployments", "create", self.deployment, "-b", NAME, "-i", inputs)

    @contextmanager
    def started(self) -> Iterator[None]:
        """The workflow runs, and its events are shown as they come; the command ends with the block."""
        command = ("executions", "start", self.workflow, "-d", self.deployment, "--no-logs")
        with self._cfy.begun(*command) as process:
            self._thread = threading.Thread(target=self._show, args=(process,), daemon=True)
            self._thread.start()
            yield

    def _show(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            words = line.split(maxsplit=3)
            if words[2:3] and words[2] in SHOWN:
                self._teller.output(f"{words[1]}  {self.deployment:<11}  {words[2]:<18}  {words[3].rstrip()}")
            elif TOLD in line.split():
                self._teller.output(f"{words[0]}  {self.deployment:<11}  {line.partition('  ')[2].rstrip()}")

    def wait_until_begun(self, steps: int) -> None:
        """Wait until so many steps have been begun. Raises ``Unfinished``."""
        deadline_s = time.monotonic() + BEGIN_TIMEOUT_S
        while self.taken().total() < steps:
            if time.monotonic() > deadline_s:
                raise Unfinished(f"{self.workflow} did not get going in {BEGIN_TIMEOUT_S:g} s")
            time.sleep(POLL_S)

    def taken(self) -> Counter[str]:
        """Which steps have been begun, and how often."""
        return Counter(self.ledger.read_text().split())

    def outcome(self) -> Outcome:
        """What became of it, when the command has ended. Raises ``Unfinished``."""
        if self._thread:
            self._thread.join(END_TIMEOUT_S)
        if self._thread and self._thread.is_alive():
            raise Unfinished(f"{self.workflow} on {self.deployment} has not ended after {END_TIMEOUT_S:g} s")
        query = {"deployment_id": self.deployment, "workflow_id": self.workflow}
        (execution,) = self._cluster.client().items("/executions", **query)
        return Outcome(self.workflow, execution["status_display"], execution["error"], self.taken())


@contextmanager
def under_way(cluster: Cluster, cfy: Cfy, teller: Teller) -> Iterator[list[Errand]]:
    """Both of them, in the middle of their work. Raises ``CommandFailed`` and ``Unfinished``.

    The one with the long steps is begun first, so that neither can end before the other is under way.
    """
    cfy.run("blueprints", "upload", seen_from_here(BLUEPRINT), "-b", NAME)
    scene = cluster, cfy, teller
    resumable = Errand(scene, "resumable", "install")
    unresumable = Errand(scene, "unresumable", "once_only", LONG_STEP_S)
    for errand in (resumable, unresumable):
        errand.deploy()
    with unresumable.started():
        unresumable.wait_until_begun(1)
        with resumable.started():
            resumable.wait_until_begun(TAKEN_BEFORE)
            yield [resumable, unresumable]
