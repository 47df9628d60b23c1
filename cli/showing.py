"""How both command lines show the cluster's history and a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from cli.output import Output


def show_history(out: Output, entries: Iterable[Mapping[str, Any]]) -> None:
    """Print history entries, the newest last."""
    entries = sorted(entries, key=_order)
    rows = [{**entry, "at": local_time(entry.get("at")), "took_s": _seconds(entry)} for entry in entries]
    columns = ("at", "node", "kind", "summary", "took_s", "cause", "term")
    out.table(rows, columns, data=entries, empty="Nothing has happened yet.")


def _order(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    # Each node tells what it did when it has done it: the order of arrival is that of one node alone.
    return entry.get("term", 0), _unix(entry.get("at")), entry.get("number", 0)


def _unix(at: float | str | None) -> float:
    return datetime.fromisoformat(at).timestamp() if isinstance(at, str) else at or 0


def local_time(at: float | str | None) -> str:
    """A moment (Unix seconds, or as REST writes it) in this machine's time zone."""
    if at is None:
        return ""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else datetime.fromtimestamp(at, UTC)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _seconds(entry: Mapping[str, Any]) -> str:
    duration_s = entry.get("duration_s")
    return "" if duration_s is None else f"{duration_s:.2f}"


def show_plans(out: Output, plans: Iterable[Mapping[str, Any]]) -> None:
    """Print what each of these nodes would do now."""
    plans = list(plans)
    out.table([row for plan in plans for row in _steps(plan)], ("node", "situation", "plan"), data=plans)


def _steps(plan: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    steps = plan.get("plan") or ["nothing to do"]
    first = {
        "node": plan.get("node") or plan.get("name"),
        "situation": plan.get("situation"),
        "plan": steps[0],
    }
    return [first, *({"plan": step} for step in steps[1:])]
