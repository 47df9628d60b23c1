"""What surrounds the programs of a machine: files in memory, services, the way to other machines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.clients import forced_command
from orchestrator.model.minority import ACTIVE, Standing
from orchestrator.model.office import Office
from orchestrator.model.snapshot import Member
from orchestrator.observe.services import EVERYWHERE
from orchestrator.record import lease_file
from tests.simulation.programs import nap

if TYPE_CHECKING:
    from tests.simulation.machine import Machine


class MemoryFile:
    """A file of a simulated machine, with as much of ``Path`` as the product uses."""

    def __init__(self, files: dict[str, str], name: str = "") -> None:
        self._files = files
        self._name = name

    def __truediv__(self, name: str) -> MemoryFile:
        return MemoryFile(self._files, str(PurePosixPath(self._name) / name))

    def write(self, text: str) -> None:
        self._files[self._name] = text

    def read_text(self) -> str:
        try:
            return self._files[self._name]
        except KeyError:
            raise FileNotFoundError(self._name) from None

    def read_bytes(self) -> bytes:
        return self.read_text().encode()

    def unlink(self, *, missing_ok: bool = False) -> None:
        self._files.pop(self._name, None)


class SimServices:
    """The services of a machine; whatever is told to run runs, unless the machine is unwell."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.started: set[str] = set()

    def running(self) -> frozenset[str]:
        return frozenset(self.started | EVERYWHERE) if self._machine.services_well else frozenset()

    def start(self, name: str) -> None:
        nap(0.01)
        self.started.add(name)

    def stop(self, name: str) -> None:
        nap(0.01)
        self.started.discard(name)
        if name == "postgresql":
            self._machine.kill_database()


class SimPeers:
    """The way to another machine: to stop its database by force, and to ask whether it follows.

    It does not always find its machine.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def fence(self, member: Member, term: int, timeout_s: float) -> bool:
        cluster = self._machine.cluster
        nap(cluster.pace.between(0.1, timeout_s))
        other = cluster.machines[member.name]
        state = lease_file.read(other.config.paths.lease_file)
        holds_a_newer_term = state is not None and (state.held or state.serving) and state.term > term
        reachable = (
            cluster.linked(self._machine, other) and other.ssh_listens and not cluster.pace.happens(0.6)
        )
        if not reachable or holds_a_newer_term:
            return False
        other.kill_database()
        cluster.tell(self._machine.name, f"fences {member.name} by force")
        return True

    def make_ready(self) -> None:
        """Nothing has to be loaded here."""

    def standings(self, members: Mapping[str, Member], timeout_s: float) -> Mapping[str, Standing]:
        """As the forced command tells it."""
        cluster, machines = self._machine.cluster, self._machine.cluster.machines
        nap(cluster.pace.between(0.05, 0.3))
        return {
            name: _standing(_content(machines[name].config.paths.lease_file))
            for name in members
            if cluster.linked(self._machine, machines[name]) and machines[name].ssh_listens
        }

    def confirm(self, office: Office, for_s: float, timeout_s: float) -> frozenset[str]:
        """As the forced command does it, and as slowly: much may happen between its steps."""
        machines = self._machine.cluster.machines
        return frozenset(name for name in office.members if self._follows(machines[name], office, for_s))

    def _follows(self, other: Machine, office: Office, for_s: float) -> bool:
        cluster, paths = self._machine.cluster, other.config.paths
        nap(cluster.pace.between(0.01, 0.1))
        if not (cluster.linked(self._machine, other) and other.ssh_listens) or cluster.pace.happens(0.02):
            return False
        # The lease file is dated by the real clock, in this world.
        known = forced_command.follows(office.term, self._machine.name, math.inf, _content(paths.lease_file))
        if not known or forced_command.promised_since(office.modified, _content(paths.promise_file)):
            return False
        nap(cluster.pace.between(0.001, 0.02))
        now_s = cluster.schedule.now_s
        word = {"term": office.term, "until_s": now_s + for_s, "written_at_s": now_s}
        paths.word_file.write(json.dumps(word))
        nap(cluster.pace.between(0.001, 0.02))
        return not forced_command.promised_since(office.modified, _content(paths.promise_file))


def _standing(lease: dict[str, object]) -> Standing:
    told = forced_command.standing(math.inf, lease)
    term, timeline, lsn = told["place"] or (0, 0, 0)
    active, led = told["minority"] == ACTIVE, told["led"] is True
    return Standing(told["cut_off"] is True, active, led, (term, timeline, lsn))


def _content(file: MemoryFile) -> dict[str, object]:
    try:
        content: dict[str, object] = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    return content
