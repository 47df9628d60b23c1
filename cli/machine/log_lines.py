"""Lines of logs, whichever program wrote them: when, by whom, what; and many logs as one.

Each program has a way of its own to write the time at the beginning of a line. What has none belongs to the
line before it.
"""

from __future__ import annotations

import heapq
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

ISO = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6})\d*)?(?:\s?(Z|UTC|[+-]\d\d:?\d\d))?\s+"
)
REDIS = re.compile(r"\d+:[A-Z] (\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}) ")
"""``1234:M 23 Nov 2026 11:56:41.827 * Ready``; the local time."""

REMEMBERED = 1000
"""How many lines back one is looked for that was written to two logs."""


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """``at_s``: Unix time; ``text``: what the program said, without the time."""

    at_s: float
    service: str
    text: str


def _iso(found: re.Match[str]) -> float:
    day, clock, fraction, zone = found.groups()
    offset = {None: "", "UTC": "+00:00", "Z": "+00:00"}.get(zone, zone)
    return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0').ljust(6, '0')}{offset}").timestamp()


def _redis(found: re.Match[str]) -> float:
    return datetime.strptime(found[1], "%d %b %Y %H:%M:%S.%f").astimezone().timestamp()


STAMPS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], float]], ...] = ((ISO, _iso), (REDIS, _redis))


def stamped(text: str) -> tuple[float | None, str]:
    """The time at the beginning of a line (Unix time; None: there is none), and what follows it."""
    for pattern, read in STAMPS:
        if found := pattern.match(text):
            try:
                return read(found), text[found.end() :]
            except ValueError:
                continue
    return None, text


def lines_of(service: str, texts: Iterable[str], before_s: float = 0.0) -> Iterator[Line]:
    """The lines of one log, in order. ``before_s``: the time of the line before the first one."""
    for text in texts:
        at_s, rest = stamped(text.rstrip("\n"))
        # Several processes write into one log: a line may be a moment older than the one before it.
        before_s = max(before_s, at_s or 0.0)
        yield Line(before_s, service, rest)


def merged(logs: Iterable[Iterable[Line]]) -> Iterator[Line]:
    """Many logs as one, by time. What was written to several is there once, for the first of them."""
    written: OrderedDict[tuple[float, str], str] = OrderedDict()
    for line in heapq.merge(*logs, key=lambda line: line.at_s):
        # One log may well say the same thing twice.
        if written.setdefault((round(line.at_s, 3), line.text), line.service) == line.service:
            yield line
        if len(written) > REMEMBERED:
            written.popitem(last=False)
