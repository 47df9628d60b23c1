"""Shared memory that killed PostgreSQL servers leave behind: the kernel keeps it, up to a limit."""

from __future__ import annotations

import subprocess
from pathlib import Path

SEGMENTS = Path("/proc/sysvipc/shm")
TIMEOUT_S = 5.0
LINE_OF_SEGMENT = 6

IN_FILES = {"dynamic_shared_memory_type": "mmap"}
"""A server with this setting keeps its other shared memory in its data folder, and it goes with that."""


def remove_left_behind(data_folder: Path) -> None:
    """Remove the segment of the server that last ran on ``data_folder``, unless somebody still uses it."""
    try:
        lines = (data_folder / "postmaster.pid").read_text().splitlines()
        key, segment = lines[LINE_OF_SEGMENT].split()
    except (OSError, IndexError, ValueError):
        return
    if (key, segment) in _unused():
        subprocess.run(["ipcrm", "-m", segment], timeout=TIMEOUT_S, capture_output=True, check=False)


def _unused() -> set[tuple[str, str]]:
    header, *rows = (line.split() for line in SEGMENTS.read_text().splitlines())
    segments = [dict(zip(header, row, strict=True)) for row in rows]
    # The kernel shows keys as signed numbers, and PostgreSQL writes them unsigned.
    return {(str(int(each["key"]) % 2**32), each["shmid"]) for each in segments if each["nattch"] == "0"}
