"""How both command lines show the cluster's history and a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cli.output import Output


def show_history(out: Output, entries: Iterable[Mapping[str, Any]]) -> None:
    """Print history entries, the newest last."""
    entries = sorted(entries, key=lambda entry: entry.get("number", 0))
    rows = [{**entry, "at": local_time(entry.get("at")), "took_s": _seconds(entry)} for entry in entries]
    columns = ("at", "term", "node", "kind", "summary", "cause", "took_s")
    out.table(rows, columns, data=entries, empty="Nothing has happened yet.")


def local_time(at: float | str | None) -> str:
    """A moment (Unix seconds, or as REST writes it) in this machine's time zone."""
    if at is None:
        return ""
    if isinstance(at, str):
        return at
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _seconds(entry: Mapping[str, Any]) -> str:
    duration_s = entry.get("duration_s")
    return "" if duration_s is None else f"{duration_s:.2f}"


def show_plan(out: Output, found: Mapping[str, Any]) -> None:
    """Print what one node would do now (or each of several, when ``found`` is a list's page)."""
    plans = found.get("items", [found])
    rows = [row for plan in plans for row in _steps(plan)]
    out.table(rows, ("node", "situation", "plan"), data=found)


def _steps(plan: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    steps = plan.get("plan") or ["nothing to do"]
    first = {"node": plan.get("node"), "situation": plan.get("situation"), "plan": steps[0]}
    return [first, *({"plan": step} for step in steps[1:])]
