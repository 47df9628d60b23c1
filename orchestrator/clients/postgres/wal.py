"""Which timeline a position lies on, told from the files of the write-ahead log.

PostgreSQL shows the timeline of a standby only while it streams, and in checkpoints, which come late. The
files of the log tell it at any time, also after the server has stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from orchestrator.model.errors import DatabaseUnavailable
from orchestrator.model.lsn import Fork, Lsn

_SEGMENT = re.compile(r"[0-9A-F]{24}")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
FIRST_TIMELINE = 1

ForksOf = Callable[[int], tuple[Fork, ...]]


def parse_history(text: str) -> tuple[Fork, ...]:
    """The timelines left on the way, oldest first, as a ``.history`` file lists them."""
    lines = (line.split("#", 1)[0].split() for line in text.splitlines())
    return tuple(Fork(int(fields[0]), Lsn.parse(fields[1])) for fields in lines if fields)


def segment_name(timeline: int, byte: int, segment_size: int) -> str:
    """The file that holds ``byte`` of the log on ``timeline``. ``segment_size`` in bytes."""
    segments_per_file_id = 0x1_0000_0000 // segment_size
    high, low = divmod(byte // segment_size, segments_per_file_id)
    return f"{timeline:08X}{high:08X}{low:08X}"


def timeline_of(lsn: Lsn, names: Iterable[str], segment_size: int, forks_of: ForksOf) -> int:
    """The timeline of a log that ends at ``lsn``, given the names of its files.

    It is the newest one of which there is a file with the last byte, if that byte lies behind the point where
    this timeline began. A history file alone says nothing: a diverged standby fetches the history of a
    timeline that it is not on, and taking it for newer would lose what others have acknowledged.

    Raises ``DatabaseUnavailable`` when the files do not tell.
    """
    last_byte = max(lsn.value - 1, 0)
    own_part = segment_name(0, last_byte, segment_size)[8:]
    holders = sorted(
        {int(name[:8], 16) for name in names if _SEGMENT.fullmatch(name) and name[8:] == own_part}
    )
    for timeline in reversed(holders):
        if timeline == FIRST_TIMELINE or lsn > forks_of(timeline)[-1].lsn:
            return timeline
    if not holders:
        raise DatabaseUnavailable(f"The write-ahead log has no file that ends at {lsn}.")
    # The file was copied when the newer timeline began; what lies before that point belongs to an older one.
    return next(fork.timeline for fork in forks_of(holders[-1]) if lsn <= fork.lsn)


class WalFolder:
    """The folder ``pg_wal`` of one database."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "pg_wal"

    def forks_of(self, timeline: int) -> tuple[Fork, ...]:
        """The timelines that ``timeline`` has left. Raises ``DatabaseUnavailable`` without its history."""
        if timeline == FIRST_TIMELINE:
            return ()
        path = self._folder / f"{timeline:08X}.history"
        try:
            forks = parse_history(path.read_text())
        except (OSError, ValueError) as error:
            raise DatabaseUnavailable(
                f"The history of timeline {timeline} cannot be read: {error}"
            ) from error
        if not forks:
            raise DatabaseUnavailable(f"{path} is empty.")
        return forks

    def timeline_of(self, lsn: Lsn, segment_size: int) -> int:
        """See the function ``timeline_of``."""
        return timeline_of(lsn, self._names(), segment_size, self.forks_of)

    def newest_known_timeline(self) -> int:
        """The newest timeline whose history is here, whether this database is on it or not."""
        matches = (_HISTORY.fullmatch(name) for name in self._names())
        return max((int(match[1], 16) for match in matches if match), default=FIRST_TIMELINE)

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self._folder.iterdir()]
        except OSError as error:
            raise DatabaseUnavailable(f"{self._folder} cannot be read: {error.strerror}") from error
