"""``python -m tests.chaos.report out/RUN.json...`` writes docs/reliability.md and its picture."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.chaos import picture
from tests.chaos.faults import FAULTS, NOT_HERE

DOCS = Path(__file__).parents[2] / "docs"
ALLOWED_S = 2.0
"""How long an interruption may go on after its fault was detected."""

HEAD = """\
# Reliability

What a cluster was put through, and what became of it. This page is written by `python -m tests.chaos.report`
from what `make chaos` recorded; `tests/chaos/README.md` tells how the suite works and what it judges.
"""

TWO = "two at a time"

Run = Mapping[str, Any]


def page(runs: Sequence[Run]) -> str:
    """The whole page. The last of the runs is the one that is told at length."""
    real = [run for run in runs if not run.get("mutation")]
    longest = real[-1]
    parts = [HEAD, *_summary(longest), *_clients(longest), *_faults(longest), *_wrong(longest)]
    if real[:-1]:
        parts += ["## Scenarios\n", *_scenarios(real[:-1])]
    if mutated := [run for run in runs if run.get("mutation")]:
        parts += ["## With a rule left out\n", *_without(mutated)]
    parts += _limits()
    return "\n".join(parts)


def _summary(run: Run) -> Iterator[str]:
    acknowledged = sum(each["acknowledged"] for each in run["clients"])
    minutes = (run["ended"] - run["began"]) / 60
    day = time.strftime("%Y-%m-%d", time.gmtime(run["began"]))
    yield (
        f"On {day}, {run['hosts']} hosts on one machine with {run['cores']} cores (load {run['load']:.1f})"
        f" were under load for {minutes:.0f} minutes: `{run['scenario']}`.\n"
    )
    kinds = {each["kind"] for each in run["faults"]}
    yield "| | |\n|---|---|"
    yield f"| faults injected | {len(run['faults'])}, of {len(kinds)} kinds |"
    yield f"| changes of leadership | {max(len(run['terms']) - 1, 0)} |"
    yield f"| writes and uploads acknowledged | {acknowledged} |"
    yield f"| asked for, and not acknowledged | {sum(each['unanswered'] for each in run['clients'])} |"
    yield f"| read back while things happened | {run['reads']} |"
    yield f"| promises that were broken | {len(run['wrong'])} |\n"


def _clients(run: Run) -> Iterator[str]:
    yield "| client | acknowledged | not acknowledged |\n|---|---|---|"
    for each in run["clients"]:
        yield f"| {each['name']} | {each['acknowledged']} | {each['unanswered']} |"
    yield ""


def _faults(run: Run) -> Iterator[str]:
    yield "![Interruptions of writing](reliability.svg)\n"
    yield (
        "Each dot is a fault: how long no write was acknowledged, at worst, while it was in force and until"
        " the cluster was whole again. *After detection* is the part of it from when the lease became free;"
        " where no lease became free, all of it.\n"
    )
    yield "| fault | times | interruption s, median | worst | after detection, worst | healing s, worst |"
    yield "|---|---|---|---|---|---|"
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for each in run["faults"]:
        kinds.setdefault(each["kind"] if _came_alone(each, run) else TWO, []).append(each)
    for kind, struck in sorted(kinds.items()):
        took, after = _known(struck, "interruption_s"), _known(struck, "after_detection_s")
        whole = [each["whole"] - each["healed"] for each in struck if each["whole"]]
        cells = (kind, str(len(struck)), _median(took), _most(took), _most(after), _most(whole))
        yield f"| {' | '.join(cells)} |"
    single = [each for each in run["faults"] if _came_alone(each, run)]
    late = [each for each in single if (each["after_detection_s"] or 0) > ALLOWED_S]
    yield (
        f"\nOf {len(single)} faults that came alone, {len(late)} interrupted for more than {ALLOWED_S:g} s"
        " after detection. Two at a time may leave no majority: then nobody may serve before one is healed.\n"
    )


def _came_alone(struck: Mapping[str, Any], run: Run) -> bool:
    """Whether no other fault was in force, or had just been healed."""
    end = struck["whole"] or struck["healed"]
    others = (each for each in run["faults"] if each is not struck)
    return all(each["at"] > end or (each["whole"] or each["healed"]) < struck["at"] for each in others)


def _wrong(run: Run) -> Iterator[str]:
    if run["wrong"]:
        yield "What was wrong:\n"
        yield from (f"- {each}" for each in run["wrong"])
        yield ""


def _scenarios(runs: Sequence[Run]) -> Iterator[str]:
    yield "| scenario | faults | acknowledged | broken promises |\n|---|---|---|---|"
    newest = {run["scenario"]: run for run in sorted(runs, key=lambda run: run["began"])}
    for run in newest.values():
        acknowledged = sum(each["acknowledged"] for each in run["clients"])
        yield f"| {run['scenario']} | {len(run['faults'])} | {acknowledged} | {len(run['wrong'])} |"
    yield ""


def _without(runs: Sequence[Run]) -> Iterator[str]:
    yield "The same suite, with nodes that lack one of the rules of [safety](safety.md): it has to notice.\n"
    yield "| rule left out | scenario | broken promises | the first of them |\n|---|---|---|---|"
    for run in runs:
        first = run["wrong"][0].partition(":")[0] if run["wrong"] else "NOT NOTICED"
        yield f"| `{run['mutation']}` | {run['scenario']} | {len(run['wrong'])} | {first} |"
    yield ""


def _limits() -> Iterator[str]:
    yield "## What can happen\n"
    yield "| in a scenario | what it is |\n|---|---|"
    yield from (f"| `{fault.words}` | {fault.tells} |" for fault in FAULTS.values())
    yield "\n## What cannot be made to happen here\n"
    yield from (f"- **{name}**: {why}" for name, why in NOT_HERE.items())
    yield ""


def _known(struck: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [each[name] for each in struck if each[name] is not None]


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f}" if values else "-"


def _most(values: Sequence[float]) -> str:
    return f"{max(values):.1f}" if values else "-"


def main(files: Sequence[str]) -> int:
    """Write the page and the picture. The longest run comes last, whatever the order."""
    runs = sorted(map(_read, files), key=lambda run: run["ended"] - run["began"])
    if not runs:
        sys.stderr.write("Which runs? Give the files that they wrote below tests/chaos/out.\n")
        return 2
    (DOCS / "reliability.md").write_text(page(runs))
    longest = next(run for run in reversed(runs) if not run.get("mutation"))
    (DOCS / "reliability.svg").write_text(picture.of(longest))
    return 0


def _read(file: str) -> Run:
    found: Run = json.loads(Path(file).read_text())
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
