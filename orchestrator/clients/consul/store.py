"""The cluster's shared facts that need no lease: members, reports, wishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.clients.consul import keys, view
from orchestrator.clients.consul.codec import decode, encode
from orchestrator.clients.consul.connection import ABSENT, Connection, operation
from orchestrator.model.errors import Conflict, NotFound
from orchestrator.model.minority import Claim
from orchestrator.model.snapshot import ClusterView, Forced, Member, NodeStatus, Report, Switchover

PRESENT = "true"  # the value of a key whose existence is what it says
# the keys that belong to one node
OWN = (keys.MEMBERS, keys.REPORTS, keys.CLAIMS, keys.SUSPICIONS, keys.STATUSES, keys.FILE_REPORTS)


class StoreOperations(Connection):
    """Reads and writes of the key-value store."""

    def view(self) -> ClusterView:
        """Everything below ``cluster`` at one moment, as a majority confirms it; health is not in it."""
        return view.build(self._pairs(keys.EVERYTHING))

    def clear_switchover(self, term: int) -> None:
        """Forget the switchover that was asked for in ``term``; another one stays."""
        pair = self._pairs(keys.SWITCHOVER).get(keys.SWITCHOVER, ABSENT)
        if pair is ABSENT or decode(Switchover, pair.value, pair.key).term != term:
            return
        self._transact([operation("delete-cas", keys.SWITCHOVER, Index=pair.modified)])

    def set_paused(self, paused: bool) -> None:  # noqa: FBT001  # the contract's signature: the value is the word
        """Hold automatic failover, or allow it again."""
        if paused:
            self._api.kv.put(keys.PAUSE, PRESENT)
        else:
            self._api.kv.delete(keys.PAUSE)

    def force(self, forced: Forced) -> None:
        """Pass on an operator's word; it holds for its round alone."""
        self._api.kv.put(keys.FORCED, encode(forced))

    def report(self, report: Report) -> None:
        """Say how far this detached node is."""
        self._api.kv.put(keys.REPORTS + self.me, encode(report))

    def claim(self, claim: Claim) -> None:
        """Ask the leader of a term to give way to this node."""
        self._api.kv.put(keys.CLAIMS + self.me, encode(claim))

    def refuse_claim(self, node: str, term: int) -> None:
        """Say no to what ``node`` asked for in ``term``; anything else that it asks stays."""
        key = keys.CLAIMS + node
        pair = self._pairs(key).get(key, ABSENT)
        if pair is ABSENT or (claim := decode(Claim, pair.value, key)).term != term:
            return
        self._transact([operation("cas", key, encode(replace(claim, refused=True)), Index=pair.modified)])

    def suspect(self, term: int | None) -> None:
        """Say that this node cannot reach the leader of ``term``; None: that it can."""
        if term is None:
            self._api.kv.delete(keys.SUSPICIONS + self.me)
        else:
            self._api.kv.put(keys.SUSPICIONS + self.me, encode(term))

    def put_status(self, status: NodeStatus) -> None:
        """Say what this node is doing; wakes nobody."""
        self._api.kv.put(keys.STATUSES + self.me, encode(status))

    def put_member(self, member: Member) -> None:
        """Register a member, or renew its registration. Raises ``Conflict`` for a removed name."""
        refused = self._transact(
            [
                operation("check-not-exists", keys.REMOVED + member.name),
                operation("set", keys.MEMBERS + member.name, encode(member)),
            ]
        )
        if refused is not None:
            raise Conflict(f"The name {member.name!r} belongs to a node that was removed from this cluster.")

    def remove_member(self, name: str) -> None:
        """Take a node off the cluster for good: its keys go, and its name is never used again."""
        deletions = [operation("delete", prefix + name) for prefix in OWN]
        self._transact([*deletions, operation("set", keys.REMOVED + name, PRESENT)])

    def forget_member(self, name: str) -> None:
        """Undo ``put_member`` after a failed join: the name may be used again."""
        self._transact([operation("delete", prefix + name) for prefix in OWN])

    def update_options(self, name: str, options: Mapping[str, object]) -> None:
        """Replace a member's options. Raises ``NotFound``, and ``Conflict`` when it changed meanwhile."""
        key = keys.MEMBERS + name
        pair = self._pairs(key).get(key, ABSENT)
        if pair is ABSENT:
            raise NotFound(f"There is no node {name!r} in this cluster.")
        member = replace(decode(Member, pair.value, key), options=dict(options))
        if self._transact([operation("cas", key, encode(member), Index=pair.modified)]) is not None:
            raise Conflict(f"The node {name!r} was changed by somebody else in this moment; try again.")
