"""Everything that can go wrong, and what operators ask for meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.model.snapshot import Switchover
from tests.simulation.schedule import Actor

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.cluster import SimCluster
    from tests.simulation.machine import Machine


@dataclass(frozen=True)
class Climate:
    """What a history is like: how often which fault happens, as a factor by name; the rest is left to chance.

    ``size``: of the cluster. ``stale_reads``: the chance that a node observes the cluster as it was before.
    ``files``: files are uploaded as well. ``consul``: all of Consul's servers may be gone at once.
    ``minority``: nodes that are cut off take writes alone, and this is the policy by which they heal.
    """

    size: int | None = None
    often: Mapping[str, int] = field(default_factory=dict)
    stale_reads: float = 0.0
    files: bool = False
    consul: bool = False
    minority: str = ""


PARTS = ("ticker", "worker", "guard", "database")
FILE_PARTS = ("files", "rest")
GREATEST_CLUSTER = 5
HALF = 0.5


class Faults:
    """Does something bad every now and then, and more often something that mends."""

    def __init__(self, cluster: SimCluster, climate: Climate) -> None:
        self._cluster = cluster
        self._actor = Actor(cluster.schedule, self._step)
        self._chances: list[tuple[int, Callable[[Machine], str | None]]] = [
            (6, self._crash),
            (6, self._kill_programs),
            (4, self._kill_worker),
            (5, self._crash_database),
            (7, self._freeze),
            (7, self._freeze_part),
            (5, self._cut),
            (6, self._blip),
            (3, self._slow),
            (3, self._sick),
            (3, self._unwell),
            (3, self._late),
            (5, self._switchover),
            (2, self._pause),
            (2, self._remove),
            (2, self._add),
            *([(6, self._consul_gone)] if climate.consul else []),
            (40, self._mend),
        ]
        # Each history has its own climate, so that rare things meet each other in some of them.
        random = cluster.pace.random
        self._climate = [
            weight * (climate.often.get(fault.__name__.lstrip("_")) or random.choice((0, 1, 1, 4)))
            for weight, fault in self._chances[:-1]
        ]
        self._climate.append(self._chances[-1][0] * random.choice((1, 1, 2)))
        cluster.lost_calls = random.choice((0.0, 0.0, 0.02))
        cluster.stale_reads = climate.stale_reads or random.choice((0.0, 0.0, 0.1))
        cluster.laziness = random.choice((0.0, 0.0, 0.9))
        self._every_s = random.choice(((0.05, 0.6), (0.2, 2.0), (0.5, 4.0)))

    def begin(self) -> None:
        self._actor.wake(1.0)

    def end(self) -> None:
        """Whatever is broken is mended, and nothing breaks any more."""
        self._actor.stop()
        cluster = self._cluster
        cluster.lost_calls = cluster.stale_reads = 0.0
        cluster.consul.late_for_s.clear()
        cluster.consul.paused = cluster.consul.gone = False
        cluster.consul.touch()
        for machine in cluster.machines.values():
            heal(machine)
        cluster.tell("world", "everything is mended")

    @property
    def _random(self) -> Random:
        return self._cluster.pace.random

    def _step(self) -> float:
        happens = self._random.choices([fault for _, fault in self._chances], self._climate)[0]
        victim = self._random.choice(self._likely_victims())
        what = happens(victim)
        if what is not None:
            self._cluster.tell(victim.name, what)
        return self._random.uniform(*self._every_s)

    def _likely_victims(self) -> list[Machine]:
        """Trouble is most interesting at the leader."""
        machines = [
            machine
            for name, machine in self._cluster.machines.items()
            if name not in self._cluster.consul.removed
        ]
        leader = self._cluster.machines.get(self._cluster.consul.lease.holder or "")
        return machines + ([leader] * 2 if leader in machines else [])

    def _crash(self, machine: Machine) -> str | None:
        if not machine.up:
            return None
        machine.crash()
        return "loses power"

    def _kill_programs(self, machine: Machine) -> str | None:
        machine.kill_programs()
        return "has all its processes killed"

    def _kill_worker(self, machine: Machine) -> str | None:
        if not machine.up:
            return None
        machine.kill_worker()
        return "has its worker killed and started again"

    def _crash_database(self, machine: Machine) -> str | None:
        if machine.database.server is None:
            return None
        machine.kill_database()
        return "has its database killed"

    def _freeze(self, machine: Machine) -> str | None:
        machine.freeze()
        return "is frozen"

    def _freeze_part(self, machine: Machine) -> str:
        part = self._random.choice(PARTS + FILE_PARTS if self._cluster.with_files else PARTS)
        machine.freeze(part)
        return f"has its {part} frozen"

    def _cut(self, machine: Machine) -> str:
        machine.cut = True
        return "is cut off"

    def _blip(self, machine: Machine) -> str | None:
        session = self._cluster.consul.lease.session
        if session is None or not self._cluster.has_majority():
            return None
        self._cluster.consul.end_session(session, "for no good reason")
        return None

    def _slow(self, machine: Machine) -> str:
        machine.slow = True
        return "takes no more from its leader"

    def _sick(self, machine: Machine) -> str:
        machine.database.sick = True
        machine.kill_database()
        return "has a database that does not start"

    def _unwell(self, machine: Machine) -> str:
        machine.services_well = False
        return "has services that do not run"

    def _late(self, machine: Machine) -> str:
        """Consul learns of what is wrong with this node only much later."""
        until_s = self._cluster.schedule.now_s + self._random.uniform(3, 15)
        self._cluster.consul.late_for_s[machine.name] = until_s
        return "is believed in by Consul"

    def _switchover(self, machine: Machine) -> str | None:
        consul = self._cluster.consul
        if consul.lease.free or consul.lease.holder == machine.name or not self._cluster.has_majority():
            return None
        consul.switchover = Switchover(consul.lease.term, machine.name)
        consul.touch()
        return "is asked to lead"

    def _pause(self, _: Machine) -> str | None:
        consul = self._cluster.consul
        consul.paused = not consul.paused
        consul.touch()
        self._cluster.tell("operator", "pauses the cluster" if consul.paused else "resumes the cluster")
        return None

    def _remove(self, machine: Machine) -> str | None:
        """A leader in office takes a node off, unless one that was taken off before is still on record."""
        consul = self._cluster.consul
        leader = self._cluster.machines.get(consul.lease.holder or "")
        leftover = consul.record is not None and not consul.record.members <= set(consul.members)
        if (
            leader is None
            or leader is machine
            or not leader.serves
            or len(consul.members) < 3
            or leftover
            or not self._cluster.has_majority()
        ):
            return None
        self._cluster.remove_member(machine.name)
        return "is removed"

    def _add(self, _: Machine) -> str | None:
        cluster = self._cluster
        if len(cluster.consul.members) >= GREATEST_CLUSTER or cluster.consul.lease.free:
            return None
        if cluster.has_majority():
            name = f"n{len(cluster.machines) + 1}"
            cluster.add_machine(name)
            cluster.tell(name, "joins")
        return None

    def _consul_gone(self, machine: Machine) -> str | None:
        """Or they are back, with the lease or, when they were started anew, without it."""
        consul = self._cluster.consul
        consul.gone = not consul.gone
        self._cluster.tell("consul", "is gone" if consul.gone else "is back")
        return None if consul.gone or self._random.random() < HALF else self._blip(machine)

    def _mend(self, machine: Machine) -> str | None:
        if self._cluster.consul.gone and self._random.random() < HALF:
            return self._consul_gone(machine)
        if self._cluster.consul.paused:
            return self._pause(machine)
        heal(machine)
        return None


def heal(machine: Machine) -> None:
    if machine.frozen or machine.cut or not machine.up:
        machine.cluster.tell(machine.name, "is well again")
    machine.cut = machine.slow = machine.database.sick = False
    machine.services_well = True
    machine.thaw()
    machine.boot()
