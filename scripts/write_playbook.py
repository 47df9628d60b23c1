"""Writes ``docs/playbook.md`` from the table that decides: ``python -m scripts.write_playbook``.

With ``--check`` it writes nothing, and fails when the page is not what the code says.
"""  # noqa: INP001 - beside shell scripts

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

from orchestrator import decide
from orchestrator.decide import PLAYBOOK, Rule
from orchestrator.decide.situation import Situation
from orchestrator.model.action import Action

PAGE = Path(__file__).parents[1] / "docs" / "playbook.md"

WHEN = {
    Situation.REMOVED: "this node was taken off its cluster",
    Situation.ALONE: "this manager belongs to no cluster",
    Situation.CUT_OFF: "no consistent read of Consul succeeded: nothing is known",
    Situation.MINORITY: "neither Consul nor half of the members can be asked: this node does without",
    Situation.CONFIRMED: "Consul cannot be asked, and the members have said that they follow this leader",
    Situation.HANDING_OVER: "this node leads and is to hand over, or the lease waits for the target",
    Situation.LEADING: "the lease is held by this node's own session",
    Situation.FOLLOWING: "another session holds the lease",
    Situation.PAUSED: "nobody holds the lease, an operator holds failover, and this node did not lead last",
    Situation.BOUND: "nobody holds the lease, and this node has told the last leader to wait for it",
    Situation.LEADERLESS: "nobody holds the lease",
}

INTRODUCTION = """# The playbook

<!-- Written by python -m scripts.write_playbook from the code. Change orchestrator/decide. -->

Every node runs the same table for itself, once a second and whenever Consul shows a change. Exactly one
situation applies: the first in this order. Its rules are tried from above; what they want done is done in
that order.

"""


def page() -> str:
    """The whole page."""
    sections = (_section(situation, rules) for situation, rules in _in_order())
    return INTRODUCTION + _story() + "\n" + _diagram() + "\n" + "\n".join(sections)


def _in_order() -> Iterator[tuple[Situation, tuple[Rule, ...]]]:
    return ((situation, PLAYBOOK[situation]) for situation in WHEN)


def _story() -> str:
    """The story that the package's own docstring tells."""
    paragraphs = inspect.cleandoc(decide.__doc__ or "").split("\n\n")
    return next(text for text in paragraphs if text.startswith("The story")).replace("``", "`") + "\n"


def _diagram() -> str:
    """The table as a tree, in letters only."""
    lines = ["## At a glance", "", "```"]
    for situation, rules in _in_order():
        lines.append(situation.name)
        for number, rule in enumerate(rules):
            branch = "└─" if number == len(rules) - 1 else "├─"
            names = " or ".join(action.__name__ for action in actions_of(rule))
            lines.append(f"{branch} {rule.__name__} {'─' * (26 - len(rule.__name__))}> {names}")
        if not rules:
            lines.append("└─ nothing is done")
        lines.append("")
    return "\n".join([*lines[:-1], "```", ""])


def _section(situation: Situation, rules: tuple[Rule, ...]) -> str:
    title = situation.name.replace("_", " ").capitalize()
    lines = [f"## {title}", "", f"When {WHEN[situation]}.", ""]
    if rules:
        lines += ["| rule | what is done |", "|---|---|", *(_row(rule) for rule in rules), ""]
    else:
        lines += ["Nothing is done.", ""]
    return "\n".join(lines)


def _row(rule: Rule) -> str:
    done = "<br>".join(f"**{action.__name__}**: {action.summary}" for action in actions_of(rule))
    return f"| `{rule.__name__}`<br>{_in_prose(rule)} | {done} |"


def _in_prose(rule: Rule) -> str:
    return re.sub(r"\s+", " ", inspect.cleandoc(rule.__doc__ or "")).replace("``", "`")


def actions_of(rule: Rule) -> tuple[type[Action], ...]:
    """What a rule can want done, as its signature says."""
    wanted = get_type_hints(rule)["return"]
    return tuple(kind for kind in get_args(wanted) if kind is not NoneType)


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or only check it."""
    if "--check" not in (sys.argv[1:] if arguments is None else arguments):
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.stderr.write(f"{PAGE.name} is out of date: run python -m scripts.write_playbook\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
