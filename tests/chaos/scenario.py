"""Scenarios: text that an operator can read, and that a run can be replayed from.

    # What this shows.
    hosts 5
    at 0s cut leader from all
    at 12s heal
    at 12s whole

``heal`` ends all faults that are in force, ``heal cut leader from all`` that one. ``whole`` waits until every
member is well, and the time of the scenario stands still meanwhile. Every scenario ends with both, whether it
says so or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.chaos.faults import Deed, Nonsense, understood

FOLDER = Path(__file__).parent / "scenarios"
STEP = re.compile(r"at (\d+(?:\.\d+)?)s (.+)")
HOSTS = re.compile(r"hosts ([3-5])")
HEAL, WHOLE = "heal", "whole"
USUAL_HOSTS = 3


@dataclass(frozen=True, slots=True)
class Step:
    """What a scenario does at one moment of its own time. ``deed`` None: it heals, or waits.

    ``heals``: the sentence of the one fault that it ends; empty: all of them.
    """

    at_s: float
    says: str
    deed: Deed | None = None
    heals: str = ""

    def __str__(self) -> str:
        return f"at {self.at_s:g}s {self.says}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name, what it shows, and its steps in order."""

    name: str
    shows: str
    hosts: int
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """What could be read again."""
        head = [f"# {line}" for line in self.shows.splitlines()]
        return "\n".join([*head, f"hosts {self.hosts}", *map(str, self.steps)]) + "\n"


def read(name: str) -> Scenario:
    """The scenario of that name, or in that file. Raises ``Nonsense``, with what is wrong."""
    path = Path(name) if name.endswith(".txt") else FOLDER / f"{name}.txt"
    if not path.is_file():
        raise Nonsense(f"there is no scenario {name!r}; there are {', '.join(names())}")
    return parse(path.stem, path.read_text())


def names() -> list[str]:
    """The scenarios that there are."""
    return sorted(file.stem for file in FOLDER.glob("*.txt"))


def parse(name: str, text: str) -> Scenario:
    """Understand a scenario. Raises ``Nonsense``."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    shows = "\n".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    orders = [line for line in lines if not line.startswith("#")]
    hosts = USUAL_HOSTS
    if orders and (told := HOSTS.fullmatch(orders[0])):
        hosts, orders = int(told[1]), orders[1:]
    steps = list(map(_step, orders))
    for before, after in pairwise(steps):
        if after.at_s < before.at_s:
            raise Nonsense(f"{name}: {str(after)!r} stands after {str(before)!r}")
    return Scenario(name, shows, hosts, tuple(_ended(steps)))


def _step(line: str) -> Step:
    told = STEP.fullmatch(line)
    if told is None:
        raise Nonsense(f"{line!r} is no step; one is written as: at 5s kill host leader")
    at_s, says = float(told[1]), told[2]
    if says in {HEAL, WHOLE}:
        return Step(at_s, says)
    if says.startswith(f"{HEAL} "):
        return Step(at_s, says, heals=understood(says.removeprefix(f"{HEAL} ")).sentence)
    return Step(at_s, says, understood(says))


def _ended(steps: Iterable[Step]) -> Iterator[Step]:
    said = list(steps)
    yield from said
    last_s = said[-1].at_s if said else 0.0
    for missing in [HEAL, WHOLE][len(_tail(said)) :]:
        yield Step(last_s, missing)


def _tail(steps: list[Step]) -> list[str]:
    """How much of the usual end is there."""
    ends = [step.says for step in steps[-2:]]
    return ends if ends == [HEAL, WHOLE] else ends[-1:] if ends[-1:] == [HEAL] else []
