"""What ``orchestrator.clients.consul.Consul`` is on a simulated machine, condition for condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.model.errors import ConsulUnavailable, LeaseLost, Stale, StaleTerm
from orchestrator.model.files import FilesRecord, FilesReport
from orchestrator.model.history import HistoryEntry
from orchestrator.model.minority import Claim
from orchestrator.model.snapshot import (
    Announcement,
    ClusterView,
    Lease,
    NodeStatus,
    Report,
    Switchover,
    SyncRecord,
)
from tests.simulation.programs import nap

if TYPE_CHECKING:
    from tests.simulation.machine import Machine


class SimConsulClient:
    """Every call takes a while, and may find the servers gone, before or after they have done it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._cluster = machine.cluster
        self._consul = machine.cluster.consul
        self.me = machine.name
        self._patience_s = 1.5

    @contextmanager
    def within(self, timeout_s: float) -> Iterator[None]:
        """While the servers are gone, an agent says nothing for as long as it is waited for."""
        usual_s, self._patience_s = self._patience_s, min(self._patience_s, timeout_s)
        try:
            yield
        finally:
            self._patience_s = usual_s

    def _ask(self) -> None:
        nap(self._cluster.pace.between(0.003, 0.02))
        if self._consul.gone:
            nap(self._cluster.pace.between(0.0, self._patience_s))
        if not self._cluster.consul_answers(self._machine):
            raise ConsulUnavailable("no answer")
        if self._cluster.pace.happens(self._cluster.lost_calls):
            raise ConsulUnavailable("the request was lost")

    def _answered(self) -> None:
        if self._cluster.pace.happens(self._cluster.lost_calls):
            raise ConsulUnavailable("the answer was lost")

    def view(self) -> ClusterView:
        """What is observed may be old when it is decided on; what an action reads for itself is not."""
        self._ask()
        if self._machine.sees is not None and self._machine.ticker.is_at_work:
            return self._machine.sees
        observes = self._machine.ticker.is_at_work and self._cluster.earlier_views
        if observes and self._cluster.pace.happens(self._cluster.stale_reads):
            return self._cluster.pace.random.choice(self._cluster.earlier_views)
        return self._consul.view()

    def health(self) -> Mapping[str, frozenset[str]]:
        return self._consul.health()

    def read_lease(self) -> Lease:
        self._ask()
        return self._consul.lease

    def pass_check(self, check: str) -> None:
        """The local agent answers, also when it is cut off."""
        if self._machine.consul_up:
            self._consul.checks[self.me].passed_s[check] = self._cluster.schedule.now_s

    def fail_check(self, check: str, why: str) -> None:
        if self._machine.consul_up:
            self._consul.checks[self.me].passed_s.pop(check, None)

    def create_session(self) -> str:
        self._ask()
        if "heartbeat" not in self._consul.health().get(self.me, ()):
            raise ConsulUnavailable("a check of the session is critical")
        session = f"{self.me}/{self._consul.index}/{self._cluster.schedule.steps}"
        self._consul.sessions[session] = self.me
        self._answered()
        return session

    def destroy_session(self, session: str) -> None:
        self._ask()
        self._consul.end_session(session, f"{self.me} ended its session")
        self._answered()

    def acquire_lease(self, session: str, modified: int | None = None) -> bool:
        self._ask()
        if modified is not None and self._consul.lease.modified != modified:
            return False
        held = self._consul.acquire(session)
        self._answered()
        return held

    def release_lease(self, session: str) -> None:
        self._ask()
        self._consul.release(session)
        self._answered()

    def _as_leader(self, session: str, term: int) -> None:
        """First a read that names the state, then a transaction that insists on it."""
        self._ask()
        lease = self._consul.lease
        if lease.session != session:
            raise LeaseLost("this node does not hold the lease")
        if lease.term != term:
            raise StaleTerm(f"of term {term}, but this is term {lease.term}")
        self._ask()
        if self._consul.lease != lease:
            raise LeaseLost("the lease was lost meanwhile")

    def announce(self, session: str, announcement: Announcement) -> None:
        self._as_leader(session, announcement.term)
        self._consul.announcement = announcement
        self._consul.touch()
        self._cluster.invariants.announced(announcement)
        self._answered()

    def write_record(self, session: str, record: SyncRecord) -> None:
        before = self._consul.record
        self._as_leader(session, record.term)
        if self._consul.record is not before:
            raise Stale("an earlier write came through late")
        self._consul.record = record
        self._consul.touch()
        self._cluster.invariants.recorded(record)
        self._answered()

    def put_switchover(self, session: str | None, switchover: Switchover) -> None:
        if session is None:
            self._ask()
        else:
            self._as_leader(session, switchover.term)
        self._consul.switchover = switchover
        self._consul.touch()
        self._answered()

    def hand_over(self, session: str, switchover: Switchover) -> None:
        self._as_leader(session, switchover.term)
        self._consul.switchover = switchover
        if switchover.heals:
            self._cluster.invariants.given_up(switchover.target)
        self._consul.release(session)
        self._answered()

    def clear_switchover(self, term: int) -> None:
        self._ask()
        if self._consul.switchover is not None and self._consul.switchover.term == term:
            self._consul.switchover = None
            self._consul.touch()
        self._answered()

    def report(self, report: Report) -> None:
        self._ask()
        self._consul.reports[self.me] = report
        self._consul.touch()
        self._answered()

    def claim(self, claim: Claim) -> None:
        self._ask()
        self._consul.claims[self.me] = claim
        self._consul.touch()
        self._answered()

    def refuse_claim(self, node: str, term: int) -> None:
        self._ask()
        claim = self._consul.claims.get(node)
        if claim is not None and claim.term == term:
            self._consul.claims[node] = replace(claim, refused=True)
            self._consul.touch()
        self._answered()

    def suspect(self, term: int | None) -> None:
        """The watcher's word; it is said outside of any program, so it takes no time."""
        if self._consul.suspicions.get(self.me) != term and self._cluster.consul_answers(self._machine):
            if term is None:
                del self._consul.suspicions[self.me]
            else:
                self._consul.suspicions[self.me] = term
            self._consul.touch()

    def put_status(self, status: NodeStatus) -> None:
        self._consul.statuses[self.me] = replace(status, plan=())

    def files_record(self) -> FilesRecord | None:
        self._ask()
        return self._consul.files

    def bump_files(self, session: str, term: int, **changes: Any) -> FilesRecord:
        self._as_leader(session, term)
        known = self._consul.files or FilesRecord(term, 0)
        base = known if known.term == term else FilesRecord(term, known.generation)
        record = replace(base, generation=base.generation + 1, **changes)
        self._consul.files = record
        self._consul.touch()
        if record.complete and not base.complete:
            self._cluster.invariants.files_complete(self._machine)
        self._answered()
        return record

    def report_files(self, report: FilesReport) -> None:
        self._ask()
        self._consul.file_reports[self.me] = report
        self._consul.touch(wakes=False)
        self._answered()

    def file_reports(self, index: int = 0, wait_s: float = 0.0) -> tuple[Mapping[str, FilesReport], int]:
        """A blocking query: it returns when something was written, or after ``wait_s``."""
        until_s = self._cluster.schedule.now_s + wait_s
        known = dict(self._consul.file_reports)
        self._ask()
        while index and self._consul.file_reports == known and self._cluster.schedule.now_s < until_s:
            nap(0.03)
        return dict(self._consul.file_reports), self._consul.index

    def append_history(self, entry: HistoryEntry) -> None:
        self._cluster.tell(self.me, f"tells the history: {entry.summary}")
