"""The lease, and what only its holder may write (``docs/safety.md``).

Consul may carry out a write after the caller has given up on it. So each write here names the very state
that it was decided on, and Consul refuses it when that has passed: a late one does no harm.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from orchestrator.clients.consul import keys
from orchestrator.clients.consul.codec import encode
from orchestrator.clients.consul.connection import (
    ABSENT,
    Connection,
    Operation,
    Pair,
    check_unchanged,
    operation,
)
from orchestrator.model.errors import ConsulUnavailable, LeaseLost, Stale, StaleTerm
from orchestrator.model.snapshot import Announcement, Lease, Switchover, SyncRecord

T = TypeVar("T")

SESSION_NAME = "cloudify-lease"
SESSION_CHECKS = frozenset({"serfHealth", "heartbeat", "guard"})


def lease_of(pair: Pair) -> Lease:
    """The lease as its key shows it; a key that does not exist is a lease that was never held."""
    holder = json.loads(pair.value)["holder"] if pair.session else None
    return Lease(holder, pair.session, pair.locks, pair.modified)


class LeaseOperations(Connection):
    """Sessions, the lease, and writes that need it."""

    def read_lease(self) -> Lease:
        """The lease now, as a majority of the servers confirms it."""
        return lease_of(self._pairs(keys.LEASE).get(keys.LEASE, ABSENT))

    def create_session(self) -> str:
        """Make a session of this node, bound to its checks.

        Raises ``ConsulUnavailable`` also while one of the checks fails: Consul makes none then.
        """
        session: str = self._api.session.create(SESSION_NAME, checks=sorted(SESSION_CHECKS), lock_delay=0)
        # Versions of Consul differ in how they take the list, and a session without checks would never end.
        bound = self._bound_to(session)
        if bound != SESSION_CHECKS:
            self.destroy_session(session)
            raise ConsulUnavailable(
                f"Consul bound the session to {sorted(bound)}, not to {sorted(SESSION_CHECKS)}."
            )
        return session

    def _bound_to(self, session: str) -> frozenset[str]:
        _, found = self._api.session.info(session, consistency="consistent")
        return _checks_of(found) if found else frozenset()

    def destroy_session(self, session: str) -> None:
        """End a session, of this or of any node; whatever it held is free. Gone already: all the same."""
        self._api.session.destroy(session)

    def acquire_lease(self, session: str, modified: int | None = None) -> bool:
        """Try to take the lease; whether this session holds it now.

        ``modified``: the lease's ModifyIndex on which this was decided (the round; 0: never held). Consul
        refuses when the lease has changed since.
        """
        lock = operation("lock", keys.LEASE, json.dumps({"holder": self.me}), Session=session)
        condition = [] if modified is None else [check_unchanged(keys.LEASE, modified)]
        return self._transact([*condition, lock]) is None

    def release_lease(self, session: str) -> None:
        """Give the lease up; nothing happens when this session does not hold it."""
        unlock = operation("unlock", keys.LEASE, json.dumps({"holder": self.me}), Session=session)
        self._transact([unlock])

    def announce(self, session: str, announcement: Announcement) -> None:
        """Say that this node leads. Raises ``LeaseLost``, ``StaleTerm``, ``Stale``."""
        self._write_as_leader(session, announcement.term, keys.ANNOUNCEMENT, announcement)

    def write_record(self, session: str, record: SyncRecord) -> None:
        """Replace the sync record. Raises ``LeaseLost``, ``StaleTerm``, ``Stale``."""
        self._write_as_leader(session, record.term, keys.SYNC, record)

    def override_record(self, record: SyncRecord, *, at_lease: int) -> None:
        """Replace the sync record without the lease: an operator's last word, when nobody is left to ask.

        ``at_lease``: the free lease's ModifyIndex. Raises ``Stale`` when it has changed since.
        """
        write = operation("set", keys.SYNC, encode(record))
        if self._transact([check_unchanged(keys.LEASE, at_lease), write]) is not None:
            raise Stale("The sync record was not replaced: the lease has changed meanwhile.")

    def put_switchover(self, session: str | None, switchover: Switchover) -> None:
        """Ask for a switchover, or (with a session) say as the leader how far it is.

        With a session it raises ``LeaseLost``, ``StaleTerm``, ``Stale``.
        """
        if session is None:
            self._api.kv.put(keys.SWITCHOVER, encode(switchover))
        else:
            self._write_as_leader(session, switchover.term, keys.SWITCHOVER, switchover)

    def hand_over(self, session: str, switchover: Switchover) -> None:
        """Name the target of a switchover and release the lease, both or neither.

        Raises ``LeaseLost``, ``StaleTerm``, ``Stale``.
        """
        unlock = operation("unlock", keys.LEASE, json.dumps({"holder": self.me}), Session=session)
        self._write_as_leader(session, switchover.term, keys.SWITCHOVER, switchover, and_then=unlock)

    def _write_as_leader(
        self, session: str, term: int, key: str, value: object, *, and_then: Operation | None = None
    ) -> None:
        self._change_as_leader(session, term, key, lambda _: value, and_then=and_then)

    def _change_as_leader(
        self,
        session: str,
        term: int,
        key: str,
        make: Callable[[Pair], T],
        *,
        and_then: Operation | None = None,
    ) -> T:
        """Write what ``make`` makes of the key as it is now, and return that."""
        pairs = self._pairs(keys.WATCHED)
        lease = lease_of(pairs.get(keys.LEASE, ABSENT))
        if lease.session != session:
            raise LeaseLost(f"{key} was not written: this node does not hold the lease.")
        if lease.term != term:
            raise StaleTerm(
                f"{key} was not written: it belongs to term {term}, and this is term {lease.term}."
            )
        conditions = [
            operation("check-session", keys.LEASE, Session=session),
            # The same session may hold the lease again in a later term; the index tells the terms apart.
            check_unchanged(keys.LEASE, lease.modified),
        ]
        present = pairs.get(key, ABSENT)
        value = make(present)
        write = operation("cas", key, encode(value), Index=present.modified)
        refused = self._transact([*conditions, write, *([and_then] if and_then else [])])
        if refused is None:
            return value
        if refused < len(conditions):
            raise LeaseLost(f"{key} was not written: the lease was lost meanwhile.")
        raise Stale(f"{key} was not written: an earlier write to it came through late.")


def _checks_of(session: dict[str, object]) -> frozenset[str]:
    listed = (session.get("Checks"), session.get("NodeChecks"))
    return frozenset(str(check) for checks in listed if isinstance(checks, list) for check in checks)
