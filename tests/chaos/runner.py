"""Plays a scenario on a cluster under load, and writes down what happened when."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from orchestrator.model.errors import ClusterError, Unfinished
from tests.chaos.scenario import HEAL, Scenario, Step
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
    impossible: str = ""


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
    _stack: ExitStack = field(default_factory=ExitStack)
    _open: list[Struck] = field(default_factory=list)

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
                if step.deed is None and step.says != HEAL:
                    began_s = time.monotonic()
        finally:
            self._heal()

    def _do(self, step: Step) -> None:
        if step.deed is not None:
            self._strike(step)
        elif step.says == HEAL:
            self._heal()
        else:
            self._wait_until_whole()

    def _strike(self, step: Step) -> None:
        deed = step.deed
        assert deed is not None
        try:
            hosts = deed.concerned(self.world)
            struck = Struck(deed.fault.name, deed.sentence, hosts, deed.fault.silences, time.time())
            self.tell(f"{deed.sentence}   [{' '.join(hosts)}]")
            self._stack.enter_context(deed.happen(self.world))
        except (ClusterError, BedError, OSError, AssertionError) as error:
            # Two faults at a time can make the second one impossible: a host that is off has no processes.
            self.tell(f"  not possible: {error}")
            return
        self.played.faults.append(struck)
        self._open.append(struck)

    def _heal(self) -> None:
        if self._open:
            self.tell("heal")
        try:
            self._stack.close()
        except (ClusterError, BedError, OSError) as error:
            self.played.broken.append(f"a fault could not be healed: {type(error).__name__}: {error}")
            self.tell(self.played.broken[-1])
        for struck in self._open:
            struck.healed = struck.healed or time.time()

    def _wait_until_whole(self) -> None:
        began_s = time.monotonic()
        try:
            leader = self.world.cluster.wait_until_whole(WHOLE_S)
        except Unfinished as error:
            self.played.broken.append(f"after {', '.join(each.sentence for each in self._open)}: {error}")
            self.tell(self.played.broken[-1])
        else:
            for struck in self._open:
                struck.whole = time.time()
            if not self.workload.flows():
                self.played.broken.append(f"{leader.name} leads and all is well, but nobody can write")
            self.tell(f"whole after {time.monotonic() - began_s:.1f} s; {leader.name} leads")
        self._open.clear()
