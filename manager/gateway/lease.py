"""Whether this manager may serve, by the lease file."""

from __future__ import annotations

from manager.gate import Verdict
from manager.gateway.connection import Connection
from orchestrator.clients import clock
from orchestrator.model.minority import READ_ONLY
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import lease_file, membership


class LeaseReader(Connection):
    """Reads what the last tick left on this machine."""

    def verdict(self) -> Verdict:
        """What this manager is now, by the lease file. Costs some 20 µs: it is asked on every request."""
        state = lease_file.read(self.paths.lease_file)
        if state is None:
            return self._verdict_without_lease()
        if state.removed:
            return Verdict.REMOVED
        if not state.member:
            return Verdict.ALONE
        if state.leads(clock.now_s()):
            return Verdict.MINORITY if state.minority else Verdict.LEADING
        if state.minority == READ_ONLY:
            return Verdict.READ_ONLY
        return Verdict.NOT_LEADING if state.settled else Verdict.UNDECIDED

    def term(self) -> int | None:
        """The term in which this node leads, or last saw somebody lead; None when it is in no cluster."""
        state = lease_file.read(self.paths.lease_file)
        return state.term if state is not None and state.member else None

    def _verdict_without_lease(self) -> Verdict:
        """The file lies in memory: it is not there before the first tick after a start of the machine."""
        try:
            state = membership.read(self.paths.membership_file).state
        except (OSError, ValueError):
            return Verdict.NOT_LEADING
        by_state = {
            MembershipState.MEMBER: Verdict.UNDECIDED,
            MembershipState.REMOVED: Verdict.REMOVED,
        }
        return by_state.get(state, Verdict.ALONE)
