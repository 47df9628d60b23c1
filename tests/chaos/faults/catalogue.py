"""What a fault is: words, an injection, and a healing.

A fault is a context manager: what stands before its ``yield`` is done to the cluster, what stands after it is
done when the scenario heals. What is not done after it, the cluster has to mend by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.model.errors import ClusterError
from tests.chaos.world import World

Act = Callable[..., AbstractContextManager[None]]

PATTERNS = {
    "host": r"[a-z0-9-]+",
    "hosts": r"[a-z0-9- ]+?",
    "others": r"[a-z0-9- ]+?",
    "program": r"[a-z-]+(?: of [a-z]+)?",
    "percent": r"\d+",
}
"""How each of the places in a fault's words is written."""


class Nonsense(ClusterError):
    """A scenario says what nobody understands; the message says what can be said."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault. ``words``: how a scenario asks for it; ``tells``: what it is, for an operator.

    ``silences``: the hosts concerned cannot be reached by the others, so the list of nodes has to say so.
    """

    name: str
    words: str
    tells: str
    act: Act
    silences: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        """What a sentence of this fault looks like."""
        text = re.sub(r"\\\{(\w+)\\\}", lambda at: f"(?P<{at[1]}>{PATTERNS[at[1]]})", re.escape(self.words))
        return re.compile(text)


@dataclass(frozen=True, slots=True)
class Deed:
    """One fault, as a scenario asks for it."""

    fault: Fault
    sentence: str
    parts: Mapping[str, str]

    def happen(self, world: World) -> AbstractContextManager[None]:
        """The fault, for a ``with``; who is meant is found out now."""
        return self.fault.act(world, **{name: _meant(world, name, text) for name, text in self.parts.items()})

    def concerned(self, world: World) -> list[str]:
        """The names of the hosts that it happens to, as of now."""
        words = self.parts.get("host") or self.parts.get("hosts") or ""
        return [host.name for host in world.hosts(words)] if words else []


FAULTS: dict[str, Fault] = {}


def fault(
    words: str, tells: str, *, silences: bool = False
) -> Callable[[Callable[..., Iterator[None]]], Act]:
    """Enter a function that injects, yields and heals into the catalogue."""

    def register(act: Callable[..., Iterator[None]]) -> Act:
        name = act.__name__.replace("_", " ")
        FAULTS[name] = Fault(name, words, tells, contextmanager(act), silences)
        return FAULTS[name].act

    return register


def understood(sentence: str) -> Deed:
    """The fault that a sentence asks for. Raises ``Nonsense``."""
    for known in FAULTS.values():
        if match := known.pattern.fullmatch(sentence):
            return Deed(known, sentence, match.groupdict())
    said = "\n".join(f"  {known.words}" for known in FAULTS.values())
    raise Nonsense(f"{sentence!r} is nothing that can happen; these can:\n{said}")


def _meant(world: World, name: str, text: str) -> Any:
    if name == "host":
        return world.host(text)
    if name in {"hosts", "others"}:
        return text if text in {"all", "others"} and name == "others" else world.hosts(text)
    return int(text) if name == "percent" else text
