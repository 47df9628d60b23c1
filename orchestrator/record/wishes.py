"""What people have asked the cluster for, as lines for its history: who, what, and what it was before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.config import NodeConfig
from orchestrator.model.history import HistoryEntry
from orchestrator.model.snapshot import ClusterView
from orchestrator.record import outbox


@dataclass(frozen=True, slots=True)
class Wishes:
    """Leaves lines on the node ``me``, whose next tick delivers them. ``who``: as people know them."""

    config: NodeConfig
    me: str
    who: str

    def paused(self, before: ClusterView, *, paused: bool) -> None:
        """``who`` has held or allowed automatic failover; nothing is said when it was so ``before``."""
        if paused != before.paused:
            kind, verb = ("paused", "held") if paused else ("resumed", "allowed")
            self._tell(before, kind, f"{self.who} {verb} automatic failover")

    def options(self, before: ClusterView, node: str, now: Mapping[str, object]) -> None:
        """``who`` has changed the options of ``node`` to ``now``; nothing is said of those that stay."""
        old = before.members[node].options
        news = [
            f"{name} {old.get(name)} -> {value}"
            for name, value in sorted(now.items())
            if value != old.get(name)
        ]
        if news:
            self._tell(before, "options", f"{self.who} changed options of {node}: {', '.join(news)}")

    def _tell(self, view: ClusterView, kind: str, summary: str) -> None:
        entry = HistoryEntry(at=time.time(), node=self.me, kind=kind, summary=summary, term=view.lease.term)
        outbox.put(self.config.paths.outbox_file, entry)
