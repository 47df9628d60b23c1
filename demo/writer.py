"""A steady writer through the REST API, and the comparison of what it was promised with what is there."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from demo.rest import Access, Client, NoLeader, Rejected

PAUSE_S = 0.01
"""Between two passes over members none of which leads: enough to leave the processor to the election."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A write that a member has confirmed. Times are on the monotonic clock, in seconds."""

    name: str
    host_ip: str
    asked_s: float
    answered_s: float


@dataclass(frozen=True, slots=True)
class Interruption:
    """The longest time in which nothing was acknowledged, and who answered before and after."""

    before: Acknowledged
    after: Acknowledged

    @property
    def duration_s(self) -> float:
        """From one acknowledged write to the next."""
        return self.after.answered_s - self.before.answered_s


@dataclass(slots=True)
class Journal:
    """What a writer has to tell.

    ``unanswered``: names that may be there or not, for nobody said. ``complaint``: why the last write failed.
    """

    acknowledged: list[Acknowledged] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    complaint: str = ""

    def interruption(self, since_s: float = 0.0) -> Interruption | None:
        """The longest interruption that ended after ``since_s``; None with fewer than two writes."""
        writes = sorted(self.acknowledged, key=lambda write: write.answered_s)
        gaps = [Interruption(*pair) for pair in pairwise(writes) if pair[1].answered_s >= since_s]
        return max(gaps, key=lambda gap: gap.duration_s, default=None)

    def first_after(self, at_s: float, *, not_by: str = "") -> Acknowledged | None:
        """The first write that was asked for and acknowledged after ``at_s``, by another member than one."""
        later = (write for write in self.acknowledged if write.asked_s >= at_s and write.host_ip != not_by)
        return min(later, key=lambda write: write.answered_s, default=None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the acknowledged writes. ``lost`` has to be empty."""

    acknowledged: int
    present: int
    lost: tuple[str, ...]


class Writer:
    """Creates tenants, one after the other, in a thread of its own, for as long as it runs.

    Each attempt has a name of its own, so that a write that nobody confirmed cannot be taken for one that
    somebody did. An ``access`` with one address writes to that member only.
    ``interval_s``: between two writes; ``retry_s``: after one that nobody confirmed.
    """

    def __init__(
        self,
        access: Access,
        *,
        interval_s: float = 0.02,
        retry_s: float = PAUSE_S,
        read_timeout_s: float = 1.0,
    ) -> None:
        self.journal = Journal()
        self._client = Client(access, read_timeout_s=read_timeout_s)
        self._interval_s, self._retry_s = interval_s, retry_s
        self._prefix = f"write-{uuid.uuid4().hex[:8]}"
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Write no more; returns when the last answer has come."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.close()

    def wait_for(self, count: int, timeout_s: float) -> bool:
        """Wait until ``count`` writes more are acknowledged; whether they were in time."""
        wanted = len(self.journal.acknowledged) + count
        return self.wait_until(lambda: len(self.journal.acknowledged) >= wanted, timeout_s)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for a condition while writing goes on; whether it came true in time."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline_s or not self._thread.is_alive():
                return False
            time.sleep(PAUSE_S)
        return True

    def _run(self) -> None:
        number = 0
        while not self._ending.is_set():
            number += 1
            written = self._write(f"{self._prefix}-{number:06d}")
            self._ending.wait(self._interval_s if written else self._retry_s)

    def _write(self, name: str) -> bool:
        asked_s = time.monotonic()
        try:
            answer = self._client.request("POST", f"/tenants/{name}")
        except (NoLeader, Rejected) as error:
            self.journal.complaint = str(error)
            self.journal.unanswered.append(name)
            return False
        self.journal.acknowledged.append(Acknowledged(name, answer.host_ip, asked_s, time.monotonic()))
        return True


def check(client: Client, journals: Sequence[Journal]) -> Verdict:
    """Compare what was acknowledged with what is there now. Raises ``NoLeader`` and ``Rejected``."""
    promised = [write.name for journal in journals for write in journal.acknowledged]
    there = {tenant["name"] for tenant in client.items("/tenants", _include="name")}
    lost = tuple(name for name in promised if name not in there)
    return Verdict(len(promised), len(promised) - len(lost), lost)


def acknowledged_by_two(journals: Sequence[Journal], since_s: float) -> int:
    """How many writes a member acknowledged although another had taken over from it. It has to be 0.

    Meant for a time in which leadership changes once: members lead in the order of their first write.
    """
    writes = sorted(
        (write for journal in journals for write in journal.acknowledged if write.answered_s >= since_s),
        key=lambda write: write.answered_s,
    )
    taken_over_s: dict[str, float] = {}
    for write in writes:
        taken_over_s.setdefault(write.host_ip, write.answered_s)
    order = list(taken_over_s)
    return sum(
        any(write.asked_s > taken_over_s[later] for later in order[order.index(write.host_ip) + 1 :])
        for write in writes
    )
