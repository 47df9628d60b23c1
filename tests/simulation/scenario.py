"""Stories told to a simulated cluster, and what it makes of them.

A file in ``scenarios`` is a list of blocks: commands, a line ``----``, and what came of them. Without chance
in it the world does the same each time. ``python -m tests.simulation.scenario --rewrite`` writes down what
comes of them now; read the difference before you commit it.

Commands: ``cluster 3`` · ``cluster 3 most_recent`` (who is cut off acts, and heals so; or ``majority``) ·
``kill n1 [programs|worker|database]`` (without: the power) · ``freeze n1 [part]`` · ``thaw n1`` · ``cut
n1`` · ``heal n1`` · ``boot n1`` · ``unwell n1`` · ``sick n1`` · ``slow n1`` · ``blip`` · ``write n1``
(nowhere else) · ``consul gone`` · ``consul back`` · ``switchover n2`` · ``pause`` · ``resume`` · ``add`` ·
``remove n3`` · ``run 3`` (seconds) · ``until n2 serves`` · ``until n2 leads`` · ``until n2 does Follow`` ·
``until mended`` · ``state``
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.model.action import Done
from orchestrator.model.errors import Stale
from orchestrator.model.snapshot import Forced, Switchover
from orchestrator.model.spec import Options
from tests.simulation.cluster import SAFE, SimCluster
from tests.simulation.faults import heal
from tests.simulation.harness import world
from tests.simulation.liveness import what_is_missing
from tests.simulation.story import standing

SCENARIOS = Path(__file__).parent / "scenarios"
PATIENCE_S = 60.0


class Teller:
    """Carries out the commands of one scenario, and says what came of each block."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self._told = 0

    def block(self, commands: list[str]) -> list[str]:
        """What came of some commands."""
        out: list[str] = []
        for command in commands:
            name, *arguments = command.split()
            out += getattr(self, f"do_{name}")(*arguments) or []
        return out or ["ok"]

    def _run(self, done: Callable[[], bool], for_s: float = PATIENCE_S) -> list[str]:
        self._cluster.story.clear()
        until_s = self._cluster.schedule.now_s + for_s
        while not done() and self._cluster.schedule.run_one(until_s):
            self._cluster.invariants.check()
        return self._meanwhile()

    def _meanwhile(self) -> list[str]:
        """What happened to the lease, and what each node did, in its own order."""
        news, deeds = [], {name: [] for name in self._cluster.machines}
        for _, who, what in self._cluster.story:
            if isinstance(what, str):
                news.append(f"{who} {what}")
            elif isinstance(what[1], Done) and deeds[who][-1:] != [what[0]]:
                deeds[who].append(what[0])
            elif isinstance(what[1], Stale):
                deeds[who].append(f"{what[0]} (refused: {type(what[1]).__name__})")
        return [*news, *(f"{who}: {', '.join(done)}" for who, done in deeds.items() if done)]

    def do_run(self, seconds: str) -> list[str]:
        return self._run(lambda: False, float(seconds)) or ["nothing happens"]

    def do_until(self, who: str, verb: str = "", what: str = "") -> list[str]:
        cluster = self._cluster
        conditions: dict[str, Callable[[], bool]] = {
            "": lambda: not what_is_missing(cluster),
            "serves": lambda: cluster.machines[who].serves,
            "leads": lambda: cluster.consul.lease.holder == who,
            "does": lambda: any(
                name == who and not isinstance(told, str) and type(told[1]).__name__ == what
                for _, name, told in cluster.story
            ),
        }
        out = self._run(conditions[verb])
        return out if conditions[verb]() else [*out, f"NOT IN {PATIENCE_S:g} s: {what_is_missing(cluster)}"]

    def do_state(self) -> list[str]:
        return standing(self._cluster)

    def do_kill(self, name: str, what: str = "power") -> None:
        machine = self._cluster.machines[name]
        kills = {
            "power": machine.crash,
            "programs": machine.kill_programs,
            "worker": machine.kill_worker,
            "database": machine.kill_database,
        }
        kills[what]()
        machine.lost = what in ("power", "programs")

    def do_boot(self, name: str) -> None:
        self._cluster.machines[name].lost = False
        self._cluster.machines[name].boot()

    def do_freeze(self, name: str, *parts: str) -> None:
        self._cluster.machines[name].freeze(*parts)

    def do_thaw(self, name: str) -> None:
        self._cluster.machines[name].thaw()

    def do_heal(self, name: str) -> None:
        heal(self._cluster.machines[name])

    def do_cut(self, name: str) -> None:
        self._cluster.machines[name].cut = True

    def do_slow(self, name: str) -> None:
        self._cluster.machines[name].slow = True

    def do_unwell(self, name: str) -> None:
        self._cluster.machines[name].services_well = False

    def do_sick(self, name: str) -> None:
        self._cluster.machines[name].database.sick = True
        self._cluster.machines[name].kill_database()

    def do_blip(self) -> list[str]:
        self._cluster.story.clear()
        self._cluster.consul.end_session(self._cluster.consul.lease.session or "", "for no good reason")
        return self._meanwhile()

    def do_consul(self, how: str) -> None:
        self._cluster.consul.gone = how == "gone"

    def do_write(self, name: str) -> None:
        self._cluster.written_to = name

    def do_switchover(self, target: str) -> None:
        consul = self._cluster.consul
        consul.switchover = Switchover(consul.lease.term, target)
        consul.touch()

    def do_pause(self) -> None:
        self._cluster.consul.paused = True
        self._cluster.consul.touch()

    def do_resume(self) -> None:
        self._cluster.consul.paused = False
        self._cluster.consul.touch()

    def do_force(self, name: str) -> None:
        consul = self._cluster.consul
        consul.forced = Forced(consul.lease.modified, name)
        self._cluster.invariants.given_up(name)
        consul.touch()

    def do_add(self) -> list[str]:
        return [f"{self._cluster.add_machine(f'n{len(self._cluster.machines) + 1}').name} joins"]

    def do_remove(self, name: str) -> None:
        self._cluster.remove_member(name)


@contextmanager
def _telling(size: int, policies: list[str]) -> Iterator[Teller]:
    options = Options(minority_mode="active", heal_policy=policies[0]) if policies else SAFE
    with world(size, None, options=options) as cluster:
        yield Teller(cluster)


def blocks_of(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Comment lines and commands, and what was written down as their outcome, block by block."""
    for block in text.strip().split("\n\n"):
        commands, _, outcome = block.partition("\n----\n")
        yield commands.splitlines(), outcome.splitlines()


def played(text: str) -> str:
    """The scenario with what comes of it now."""
    blocks = list(blocks_of(text))
    begin = next(line for lines, _ in blocks for line in lines if line.startswith("cluster"))
    _, size, *policies = begin.split()
    with _telling(int(size), policies) as teller:
        told = []
        for lines, _ in blocks:
            commands = [line for line in lines if not line.startswith("#")]
            if commands == [begin]:
                commands = ["until mended"]
                teller.block(commands)
                commands = ["state"]
            told.append("\n".join([*lines, "----", *teller.block(commands)] if commands else lines))
        return "\n\n".join(told) + "\n"


def main() -> int:
    """Compare all scenarios with what comes of them now, or write that down."""
    different = 0
    for path in sorted(SCENARIOS.glob("*.txt")):
        now = played(path.read_text())
        if now != path.read_text():
            different += 1
            print(f"{path.name} is different")
            if "--rewrite" in sys.argv:
                path.write_text(now)
    return 1 if different and "--rewrite" not in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
