"""The cluster's history in Consul."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.clients.consul import keys
from orchestrator.clients.consul.codec import decode, encode
from orchestrator.clients.consul.connection import Connection, operation
from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.history import HistoryEntry

KEPT = 1000
ATTEMPTS = 5


class HistoryOperations(Connection):
    """Appending to the history, and reading it."""

    def append_history(self, entry: HistoryEntry) -> None:
        """Add ``entry`` at the end, whatever its number says; the oldest beyond a thousand goes.

        Raises ``ConsulUnavailable`` also when others were faster again and again.
        """
        for _ in range(ATTEMPTS):
            number = self._last_number() + 1
            write = operation("cas", keys.history(number), encode(replace(entry, number=number)), Index=0)
            forget = [operation("delete", keys.history(number - KEPT))] if number > KEPT else []
            if self._transact([write, *forget]) is None:
                return
        raise ConsulUnavailable("The history was written to by too many at once.")

    def history(self, limit: int) -> tuple[HistoryEntry, ...]:
        """The newest ``limit`` entries, the oldest of them first."""
        pairs = self._pairs(keys.HISTORY)
        newest = sorted(pairs)[-limit:] if limit > 0 else []
        return tuple(decode(HistoryEntry, pairs[key].value, key) for key in newest)

    def _last_number(self) -> int:
        _, found = self._api.kv.get(keys.HISTORY, keys=True, consistency="consistent")
        return max((int(key.removeprefix(keys.HISTORY)) for key in found or ()), default=0)
