"""What all operations on Consul share: reading keys, and transactions."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.clients.consul import keys
from orchestrator.clients.consul.http import Library
from orchestrator.config import NodeConfig

CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Pair:
    """One key as Consul holds it. ``locks`` is its LockIndex, ``modified`` its ModifyIndex."""

    key: str
    value: bytes
    locks: int
    modified: int
    session: str | None


ABSENT = Pair("", b"", 0, 0, None)

Operation = Mapping[str, object]


def operation(verb: str, key: str, value: str | None = None, **more: object) -> Operation:
    """One operation of a transaction (Consul documentation, "Txn")."""
    encoded = {} if value is None else {"Value": base64.b64encode(value.encode()).decode()}
    return {"KV": {"Verb": verb, "Key": key, **encoded, **more}}


def check_unchanged(key: str, modified: int) -> Operation:
    """Refuse the transaction unless ``key`` still has this ModifyIndex; 0: unless it does not exist."""
    return operation("check-index", key, Index=modified) if modified else operation("check-not-exists", key)


class Connection:
    """A node's connection to its own agent. Safe to use from several threads, and after a fork."""

    def __init__(self, config: NodeConfig, me: str) -> None:
        self.config = config
        self.me = me
        self._api = Library(config, config.timing.consul_timeout_s)

    @contextmanager
    def within(self, timeout_s: float) -> Iterator[None]:
        """Have all that is asked in the context answered in ``timeout_s`` together, or given up.

        For whoever has this connection for itself: other threads would be bound by it as well.
        """
        with self._api.http.within(timeout_s):
            yield

    def _pairs(self, prefix: str) -> dict[str, Pair]:
        """All keys below ``prefix`` at one moment, as a majority of the servers confirms it."""
        _, found = self._api.kv.get(prefix, recurse=True, consistency="consistent")
        return {each.key: each for each in map(pair, found or ())}

    def _transact(self, operations: Iterable[Operation]) -> int | None:
        """Do all of the operations at one moment, or none.

        Returns None when they are done, otherwise the place of the first one that Consul refused.
        """

        def refused(response: Any) -> int | None:
            return (
                int(json.loads(response.body)["Errors"][0]["OpIndex"]) if response.code == CONFLICT else None
            )

        place: int | None = self._api.http.put(refused, "/v1/txn", data=json.dumps(list(operations)))
        return place

    def wait_for_change(self, index: int, wait_s: float) -> int:
        """Return when something below ``cluster/`` has changed after ``index``, or after ``wait_s``.

        The answer is the ``index`` for the next call; 0 asks for the first one.
        """
        found, _ = self._api.kv.get(keys.WATCHED, index=index, wait=f"{wait_s}s", keys=True)
        return next_index(index, found)


def next_index(before: int, found: object) -> int:
    """Consul's rule for blocking queries: an index that went back starts anew, and none is below 1."""
    now = max(int(str(found or 0)), 1)
    return now if now >= before else 0


def pair(raw: Mapping[str, Any]) -> Pair:
    """A key as the library hands it out."""
    return Pair(raw["Key"], raw["Value"] or b"", raw["LockIndex"], raw["ModifyIndex"], raw.get("Session"))
