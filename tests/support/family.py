"""The processes that descend from one."""

from __future__ import annotations

from pathlib import Path


def children(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants(pid):
    return {each for child in children(pid) for each in (child, *descendants(child))}


def all_gone(pids):
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)
