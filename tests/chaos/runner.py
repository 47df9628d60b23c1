"""Plays a scenario on a cluster under load, and writes down what happened when."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from orchestrator.model.errors import ClusterError, Unfinished
from tests.chaos.faults import Deed
from tests.chaos.scenario import WHOLE, Scenario, Step
from tests.chaos.workload import Workload
from tests.chaos.world import World
from tests.cluster.bed.errors import BedError

WHOLE_S = 180.0
"""How long a cluster may take until it is well again by itself. Hosts are small, and this machine is busy."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Struck:
    """A fault that was injected. Times are Unix time; None: not yet."""

    kind: str
    sentence: str
    hosts: list[str]
    silences: bool
    at: float
    healed: float | None = None
    whole: float | None = None


@dataclass(slots=True)
class Played:
    """What a run did, and what it found broken on the way."""

    faults: list[Struck] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@dataclass
class Player:
    """Plays scenarios."""

    world: World
    workload: Workload
    tell: Tell
    played: Played = field(default_factory=Played)
    _open: list[tuple[Struck, ExitStack]] = field(default_factory=list)

    def play(self, scenario: Scenario, until_s: float | None = None) -> None:
        """Do one step after the other. ``until_s`` (monotonic): when no new round is begun any more."""
        clock_s, began_s = 0.0, time.monotonic()
        try:
            for step in scenario.steps:
                wait_s = step.at_s - clock_s - (time.monotonic() - began_s)
                time.sleep(max(0.0, wait_s))
                clock_s, began_s = step.at_s, time.monotonic()
                if not self._open and until_s is not None and began_s > until_s:
                    return
                self._do(step)
                if step.says == WHOLE:
                    began_s = time.monotonic()
        finally:
            self._heal()

    def _do(self, step: Step) -> None:
        if step.deed is not None:
            self._strike(step.deed)
        elif step.says == WHOLE:
            self._wait_until_whole()
        else:
            self._heal(step.heals)

    def _strike(self, deed: Deed) -> None:
        healing = ExitStack()
        try:
            hosts = deed.concerned(self.world)
            struck = Struck(deed.fault.name, deed.sentence, hosts, deed.fault.silences, time.time())
            self.tell(f"{deed.sentence}   [{' '.join(hosts)}]")
            healing.enter_context(deed.happen(self.world))
        except (ClusterError, BedError, OSError, AssertionError) as error:
            # Two faults at a time can make the second one impossible: a host that is off has no processes.
            self.tell(f"  not possible: {error}")
            return
        self.played.faults.append(struck)
        self._open.append((struck, healing))

    def _heal(self, sentence: str = "") -> None:
        """End one fault, or all of them, the newest first."""
        for struck, healing in reversed(self._open):
            if struck.healed is None and sentence in {"", struck.sentence}:
                self.tell(f"heal {struck.sentence}")
                try:
                    healing.close()
                except (ClusterError, BedError, OSError) as error:
                    self._complain(f"{struck.sentence} could not be healed: {type(error).__name__}: {error}")
                struck.healed = time.time()

    def _wait_until_whole(self) -> None:
        began_s = time.monotonic()
        try:
            leader = self.world.cluster.wait_until_whole(WHOLE_S)
        except Unfinished as error:
            self._complain(f"after {', '.join(struck.sentence for struck, _ in self._open)}: {error}")
        else:
            for struck, _ in self._open:
                struck.whole = time.time()
            if not self.workload.flows():
                self._complain(f"{leader.name} leads and all is well, but nobody can write")
            self.tell(f"whole after {time.monotonic() - began_s:.1f} s; {leader.name} leads")
        self._open.clear()

    def _complain(self, what: str) -> None:
        self.played.broken.append(what)
        self.tell(what)
