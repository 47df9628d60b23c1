"""A cluster's store in memory, and errands that are only noted, for a real REST service in front of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import requests

from orchestrator.model.errors import ConsulUnavailable
from orchestrator.model.history import HistoryEntry
from orchestrator.model.lsn import Lsn, Position
from orchestrator.model.snapshot import ClusterView, Lease, Member, NodeStatus, Role, Switchover
from orchestrator.model.spec import Options

ALL_CHECKS = frozenset({"database", "services", "consul", "heartbeat", "guard"})


class MemoryConsul:
    """As much of Consul's client as the gateway uses."""

    def __init__(self) -> None:
        names = {"n1": "127.93.1.1", "n2": "127.93.1.2", "n3": "127.93.1.3"}
        self.now = ClusterView(
            lease=Lease("n1", "session", 7, 70),
            members={
                name: Member(name, address, options=Options().as_dict()) for name, address in names.items()
            },
            statuses={
                "n1": NodeStatus("n1", "leading", Role.PRIMARY, Position(2, Lsn(1000))),
                "n2": NodeStatus("n2", "following", Role.STANDBY, Position(2, Lsn(900)), "n1", ("Follow.",)),
            },
        )
        self.passing = {"n1": ALL_CHECKS, "n2": ALL_CHECKS - {"services"}}
        self.entries = tuple(
            HistoryEntry(1492431156.626 + n, "n1", "started", f"entry {n}", n, 7) for n in range(1, 31)
        )
        self.down = False

    def view(self) -> ClusterView:
        if self.down:
            raise ConsulUnavailable("no leader")
        return self.now

    def health(self) -> Mapping[str, frozenset[str]]:
        return self.passing

    def consul_leader(self) -> str:
        return "127.93.1.1:8300"

    def put_switchover(self, session: str | None, switchover: Switchover) -> None:
        assert session is None
        self.now = replace(self.now, switchover=switchover)

    def set_paused(self, paused: bool) -> None:  # noqa: FBT001
        self.now = replace(self.now, paused=paused)

    def update_options(self, name: str, options: Mapping[str, object]) -> None:
        member = replace(self.now.members[name], options=dict(options))
        self.now = replace(self.now, members={**self.now.members, name: member})

    def history(self, limit: int) -> tuple[HistoryEntry, ...]:
        return self.entries[-limit:]


class Errands:
    """What was asked for; ``refusal`` is what the next one comes to."""

    def __init__(self) -> None:
        self.run: list[tuple[str, dict[str, Any]]] = []
        self.refusal: Exception | None = None

    def __call__(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        self.run.append((name, request))
        if self.refusal is not None:
            raise self.refusal
        return {"credentials": {"secret": 1}, "required": {"version": "1"}} if name == "invite" else {}


def refused(answer: requests.Response, status: int, error_code: str) -> str:
    """The message of a refusal that is as expected."""
    assert (answer.status_code, answer.json()["error_code"]) == (status, error_code), answer.text
    message: str = answer.json()["message"]
    return message
