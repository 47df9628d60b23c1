"""Clients that write while something happens to the cluster, and remember what they were promised."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

import pytest

from demo.cluster import Cluster
from demo.node import Node
from demo.phases import Moment
from demo.writer import Journal, Writer
from tests.cluster import checker
from tests.support.waiting import eventually

SOON_S = 60.0
ENOUGH_WRITES = 5
CHECK_S = 40.0


class Traffic:
    """One client of the whole cluster, and one at each member that takes no other for an answer.

    The latter would notice a member that acknowledges what it must not.
    """

    def __init__(
        self,
        cluster: Cluster,
        writer: Callable[..., Writer] = Writer,
        ask: checker.Names | None = None,
    ) -> None:
        """``writer`` and ``ask``: for managers that are reached in another way than those of a demo."""
        self._cluster = cluster
        self._ask = ask
        self._began = Moment.now()
        self._client = writer(cluster.access, interval_s=0.03)
        self._pinned = [
            writer(cluster.access_to(node), interval_s=0.2, retry_s=0.2)
            for node in cluster.bed
            if node.running()
        ]

    def __enter__(self) -> Self:
        for writer in self._writers:
            writer.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.stop()

    @property
    def journals(self) -> list[Journal]:
        """What each of the clients has to tell."""
        return [writer.journal for writer in self._writers]

    @property
    def _writers(self) -> list[Writer]:
        return [self._client, *self._pinned]

    def flows(self, within_s: float = SOON_S) -> None:
        """Some writes that are asked for from now on are acknowledged."""
        since_s = time.monotonic()
        self.until(lambda: self.acknowledged_since(since_s) >= ENOUGH_WRITES, "clients can write", within_s)

    def moves_away_from(self, node: Node, within_s: float = SOON_S) -> Node:
        """Another member acknowledges a write that is asked for from now on; returns that member."""
        since_s, journal = time.monotonic(), self._client.journal

        def moved() -> bool:
            return journal.first_after(since_s, not_by=node.host_ip) is not None

        self.until(moved, f"a member other than {node.name} accepts writes", within_s)
        write = journal.first_after(since_s, not_by=node.host_ip)
        return next(each for each in self._cluster.bed if write and each.host_ip == write.host_ip)

    def goes_on_for(self, duration_s: float) -> None:
        """Writes are acknowledged now, and still after a while."""
        until_s = time.monotonic() + duration_s
        self.flows()
        self.until(lambda: time.monotonic() >= until_s, "the while is over", duration_s + SOON_S)
        self.flows()

    def acknowledged_since(self, since_s: float, by: Node | None = None) -> int:
        """How many writes that were asked for after ``since_s`` (monotonic) were acknowledged (by one)."""
        return sum(
            write.asked_s >= since_s and (by is None or write.host_ip == by.host_ip)
            for journal in self.journals
            for write in journal.acknowledged
        )

    def until(self, condition: Callable[[], bool], what: str, within_s: float = SOON_S) -> None:
        """Let the clients write until a condition holds; the story fails when it does not in time."""
        if not self._client.wait_until(condition, within_s):
            pytest.fail(f"not within {within_s:g} s: {what}. A client: {self._client.journal.complaint}")

    def was_kept(self) -> None:
        """The clients stop. All that they were promised is on every member, and only leaders promised it."""
        self.__exit__()
        found: list[str] = []

        def all_is_well() -> bool:
            found[:] = checker.complaints(self._cluster, self.journals, self._began, self._ask)
            return not found

        try:
            eventually(all_is_well, CHECK_S)
        except AssertionError:
            pytest.fail("\n".join(found))
        assert self.acknowledged_since(0), "nothing was written at all"
