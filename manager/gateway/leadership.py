"""Who leads: switchover, pause, what was done and what would be done."""

from __future__ import annotations

from datetime import UTC, datetime

from manager import errors
from manager.gateway.connection import Json, translated
from manager.gateway.nodes import Nodes, member_of, node_of
from manager.gateway.state import State
from orchestrator.model.snapshot import Switchover


class Leadership(Nodes, State):
    """Wishes are written to Consul; the loop carries them out."""

    def set_active(self, target: str) -> Json:
        """Ask for a switchover; the loop carries it out."""
        view, health = self.look()
        node = node_of(member_of(view, target), view, health)
        if node["master"]:
            raise errors.IllegalAction(f"{target!r} is the leader already.")
        if not node["online"]:
            raise errors.IllegalAction(f"{target!r} is offline, and cannot become the leader.")
        if view.paused:
            raise errors.IllegalAction("The cluster is paused: resume it first (cfy cluster resume).")
        if view.lease.free:
            raise errors.Unavailable("A new leader is being elected at this moment.")
        asked = view.switchover
        if asked is not None and asked.term == view.lease.term:
            if asked.target != target:
                raise errors.Conflict(f"A switchover to {asked.target!r} is under way already.")
            return self.cluster_state()
        with translated():
            self.consul().put_switchover(None, Switchover(term=view.lease.term, target=target))
        return self.cluster_state()

    def pause(self, who: str) -> Json:
        """No automatic failover from now on; ``who`` asks for it."""
        return self._set_paused(who, paused=True)

    def resume(self, who: str) -> Json:
        """Automatic failover again; ``who`` asks for it."""
        return self._set_paused(who, paused=False)

    def _set_paused(self, who: str, *, paused: bool) -> Json:
        before, _ = self.look()
        with translated():
            self.consul().set_paused(paused)
        self.wishes_of(who).paused(before, paused=paused)
        return self.cluster_state()

    def history(self, limit: int) -> list[Json]:
        """The newest ``limit`` entries; ``at`` is a ``datetime``."""
        self.must_be_member()
        with translated():
            entries = self.consul().history(limit)
        return [
            {
                "number": entry.number,
                "at": datetime.fromtimestamp(entry.at, UTC),
                "node": entry.node,
                "term": entry.term,
                "kind": entry.kind,
                "summary": entry.summary,
                "cause": entry.cause,
                "duration_s": entry.duration_s,
            }
            for entry in entries
        ]

    def plan(self, name: str | None = None) -> Json:
        """What a node (the leader, when none is named) said last that it would do, and in which situation."""
        view, health = self.look()
        node = node_of(member_of(view, name or view.lease.holder or self.name or ""), view, health)
        status = view.statuses.get(node["name"])
        told = {key: node[key] for key in ("name", "situation", "role", "upstream", "lag")}
        return told | {"plan": list(status.plan) if status else []}
