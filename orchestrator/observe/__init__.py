"""Observe: read everything that matters once, into one immutable snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.clients import Clients
from orchestrator.model.minority import ACTIVE, READ_ONLY, Company
from orchestrator.model.snapshot import ClusterView, Database, MembershipState, Role, Snapshot
from orchestrator.model.spec import Spec
from orchestrator.observe import company, confirmation, files, leadership, postgres, services, workflows
from orchestrator.observe.stopwatch import Stopwatch
from orchestrator.record import lease_file, minority, promises, session, word
from orchestrator.record.lease_file import LeaseState


@dataclass(slots=True)
class Observer:
    """Observes one node. It keeps nothing but stopwatches between two looks."""

    clients: Clients
    spec: Spec
    lease_ttl_s: float
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    def observe(self, membership: MembershipState, began_s: float) -> Snapshot:
        """Look at the cluster and at this node. ``began_s``: when the look began, on CLOCK_BOOTTIME.

        A renewal is dated with its beginning: what it proves was true then, and may be over by now.
        """
        clients = self.clients
        told = lease_file.read(clients.config.paths.lease_file) or LeaseState()
        database = clients.postgres.read()
        view, confirmed_until_s = None, 0.0
        if membership is MembershipState.MEMBER:
            patience_s = confirmation.patience_s(told)
            with confirmation.made_ready(clients, told):
                view = leadership.renew_and_read(clients, self.stopwatch, began_s, patience_s)
            confirmed_until_s = self._confirmed_until_s(view, told)
        own_session = session.read(clients.config)
        mark = minority.read(clients.config)
        cut_off_s = self._failing_s("consul", view is not None, began_s)
        acts = view is None and mark is not None and self.spec.options.minority_mode == ACTIVE
        leads = view is not None and view.lease.held_by(own_session)
        # Who acts without a lease is stopped by its guard all the same, when its loop stands still for long.
        acts_until_s = began_s + self.spec.minority_after_s if acts else 0.0
        renewed_until_s = self._renewed_until_s(began_s) if leads else acts_until_s
        running = services.running(clients)
        return Snapshot(
            me=clients.me,
            taken_at_s=began_s,
            membership=membership,
            cluster=view,
            database=database,
            promise=promises.read(clients.config.paths.promise_file),
            running=running,
            session=own_session,
            valid_until_s=renewed_until_s or max(told.valid_until_s, confirmed_until_s),
            confirmed_until_s=confirmed_until_s,
            known_term=told.term,
            known_leader=told.leader,
            word=word.read(clients.config),
            minority=mark,
            company=self._company(cut_off_s, began_s) if membership is MembershipState.MEMBER else None,
            claiming_s=self._claiming_s(view, began_s),
            cut_off_s=cut_off_s,
            absent_s=self._absent_s(view, database, began_s),
            not_receiving_s=self._failing_s("receiver", database.receiving, began_s),
            services_failing_s=self._failing_s(
                # Leader's services are expected once it has been serving; before, they are only starting.
                "services",
                services.are_well(running, self.spec, leads=leads and told.serving),
                began_s,
            ),
            database_failing_s=self._failing_s(
                "database", postgres.is_well(database, view, leads=leads), began_s
            ),
            files=files.state(clients, began_s),
            resumed_term=workflows.resumed_term(clients),
        )

    def _confirmed_until_s(self, view: ClusterView | None, told: LeaseState) -> float:
        """What the members said lately stands for a lease until Consul says whose it is."""
        if view is None:
            return confirmation.confirmed_until_s(self.clients, told, self.lease_ttl_s)
        return told.confirmed_until_s if view.lease.free else 0.0

    def _company(self, cut_off_s: float, now_s: float) -> Company | None:
        """Whom this node can reach, once it has been cut off for long; to ask costs a second or more.

        That they are few has to be seen more than once: one look that fails makes no second history.
        """
        wants_to_know = self.spec.options.minority_mode in (ACTIVE, READ_ONLY)
        if not wants_to_know or cut_off_s < self.spec.minority_after_s:
            return None
        found = company.reachable(self.clients)
        lonely_s = self.stopwatch.true_for_s("lonely", value=found.is_minority, now_s=now_s)
        return None if found.is_minority and lonely_s < company.SURE_AFTER_S else found

    def _claiming_s(self, view: ClusterView | None, now_s: float) -> float:
        """For how long its claim has been without an answer."""
        claim = view.claims.get(self.clients.me) if view else None
        asked = claim.term if claim else None
        return self.stopwatch.held_s("claim", asked, now_s) if asked is not None else 0.0

    def _renewed_until_s(self, began_s: float) -> float:
        """A confirmed renewal lasts for the lease's time to live, less the guard's margin."""
        return began_s + self.lease_ttl_s - self.clients.config.timing.guard_margin_s

    def _failing_s(self, fact: str, well: bool, now_s: float) -> float:  # noqa: FBT001 - one of two equals
        return self.stopwatch.true_for_s(fact, value=not well, now_s=now_s)

    def _absent_s(self, view: ClusterView | None, database: Database, now_s: float) -> dict[str, float]:
        """Absence is measured by the primary only, and so from the moment on which it became one."""
        names = view.members if view else ()
        streaming = {name for name, stream in database.streams.items() if stream.streaming}
        missing = {name: database.role is Role.PRIMARY and name not in streaming for name in names}
        return {
            name: self.stopwatch.true_for_s(("absent", name), value=away, now_s=now_s)
            for name, away in missing.items()
        }
