"""The members, in the words of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manager import errors
from manager.gateway.connection import Connection, Health, Json, translated
from manager.gateway.files import files_of
from orchestrator.model.snapshot import ClusterView, Member
from orchestrator.model.spec import Options

CHECKS = ("database", "services", "consul", "heartbeat")


class Nodes(Connection):
    """Reading members, and changing their options."""

    def nodes(self) -> list[Json]:
        """All members as the contract's ClusterNode, by name."""
        view, health = self.look()
        return [node_of(member, view, health) for _, member in sorted(view.members.items())]

    def node(self, name: str) -> Json:
        """One member."""
        view, health = self.look()
        return node_of(member_of(view, name), view, health)

    def update_options(self, name: str, changes: Mapping[str, Any], who: str) -> Json:
        """Change options of a member, as ``who`` asks; the ones that are not named stay."""
        view, _ = self.look()
        with translated():
            options = Options().updated(member_of(view, name).options).updated(changes)
            self.consul().update_options(name, options.as_dict())
        self.wishes_of(who).options(view, name, options.as_dict())
        return self.node(name)


def member_of(view: ClusterView, name: str) -> Member:
    if name not in view.members:
        raise errors.NotFound.of("Node", name)
    return view.members[name]


def node_of(member: Member, view: ClusterView, health: Health) -> Json:
    """A member as the contract's ClusterNode, with a little more."""
    passing = health.get(member.name, frozenset())
    status = view.statuses.get(member.name)
    return {
        "name": member.name,
        "host_ip": member.host_ip,
        "public_ip": member.public_ip,
        "initialized": status is not None,
        "online": {"consul", "heartbeat"} <= passing,
        "master": view.lease.holder == member.name and not view.lease.free,
        "checks": {check: check in passing for check in CHECKS},
        "options": dict(member.options),
        "situation": status.situation if status else None,
        "role": status.role.value if status else None,
        "upstream": status.upstream if status else None,
        "lag": _lag(member.name, view),
        "files": files_of(member.name, view),
        "version": member.version or (status.version if status else ""),
    }


def _lag(name: str, view: ClusterView) -> int | None:
    """How many bytes the node was behind the leader when both spoke last; None when that cannot be told."""
    leader, node = view.statuses.get(view.lease.holder or ""), view.statuses.get(name)
    ours, theirs = (status.position if status else None for status in (node, leader))
    if ours is None or theirs is None or ours.timeline != theirs.timeline:
        return None
    return max(0, theirs.lsn.value - ours.lsn.value)
