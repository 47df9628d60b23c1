"""Whether processes are there."""

from __future__ import annotations

from pathlib import Path


def is_stopped(pid: int) -> bool:
    """Whether every thread of a process stands still: on a busy machine some go on for a while."""
    return all(_state(thread / "stat") in "Tt" for thread in Path(f"/proc/{pid}/task").iterdir())


def _state(stat: Path) -> str:
    return stat.read_text().rpartition(")")[2].split()[0]


def is_there(pid: int) -> bool:
    try:
        return _state(Path(f"/proc/{pid}/stat")) != "Z"
    except OSError:
        return False


def all_gone(pids: list[int]) -> bool:
    return not any(map(is_there, pids))


def parent_of(pid: int) -> int:
    """The process that a process is a child of."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
