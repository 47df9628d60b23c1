"""A cluster on a bed: as its users see it, and from inside where a test has to know what it waits for."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

from demo.bed import Bed
from demo.node import Node
from demo.places import PORTS
from demo.rest import Access, Client, NoLeader, Rejected
from orchestrator.clients.files import write_atomically
from orchestrator.model.errors import ConsulUnavailable, Unfinished
from orchestrator.model.snapshot import ClusterView

T = TypeVar("T")

POLL_S = 0.1
ADMIN, TENANT = "admin", "default_tenant"
PASSWORD_FILE = "admin_password"  # noqa: S105  The name of a file.
PASSWORD_BYTES = 12


class Cluster:
    """The managers of a bed. They need not have formed a cluster yet."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed

    @property
    def access(self) -> Access:
        """How an administrator reaches the managers."""
        return self.access_to(*self.bed.nodes)

    def access_to(self, *nodes: Node) -> Access:
        """How an administrator reaches just these managers."""
        return Access(
            addresses=tuple(node.host_ip for node in nodes),
            port=PORTS.rest,
            protocol="https",
            ca_file=str(self.ca_file),
            username=ADMIN,
            password=self.password,
            tenant=TENANT,
        )

    @property
    def ca_file(self) -> Path:
        """The certificates of all the authorities that the managers have had."""
        return self.bed.root / "ca.pem"

    @property
    def password(self) -> str:
        """The administrator's password, the same on all the managers of the bed."""
        file = self.bed.root / PASSWORD_FILE
        if not file.exists():
            write_atomically(file, secrets.token_urlsafe(PASSWORD_BYTES), durable=False)
        return file.read_text()

    def install(self) -> None:
        """Install every manager. Nothing is started."""
        self.bed.install()
        for node in self.bed:
            self.prepare(node)

    def start(self, timeout_s: float = 60.0) -> None:
        """Start every manager, each alone; returns when all of them answer. Raises ``Unfinished``."""
        self.bed.start()
        for node in self.bed:
            self.wait_until_alone(node, timeout_s)

    def prepare(self, node: Node) -> None:
        """Give an installed node the administrator's password, and trust its authority."""
        write_atomically(node.config.paths.etc / PASSWORD_FILE, self.password, durable=False)
        known = self.ca_file.read_text() if self.ca_file.exists() else ""
        certificate = (node.config.paths.ssl / "ca.pem").read_text()
        if certificate not in known:
            write_atomically(self.ca_file, known + certificate, mode=0o644, durable=False)

    def wait_until_alone(self, node: Node, timeout_s: float) -> None:
        """Wait until the manager serves, being in no cluster. Raises ``Unfinished``."""
        client = Client(self.access_to(node))
        self.wait(lambda: client.request("GET", "/status"), timeout_s, f"{node.name} does not serve")

    def client(self, **timeouts: float) -> Client:
        """A client that finds the leader by itself."""
        return Client(self.access, **timeouts)

    def members(self) -> list[dict[str, Any]]:
        """The members as the leader lists them. Raises ``NoLeader`` and ``Rejected``."""
        return list(self.client().items("/cluster/nodes"))

    def leader(self) -> Node:
        """The node that leads. Raises ``NoLeader`` and ``Rejected``."""
        host_ip = self.client().request("GET", "/status").host_ip
        return next(node for node in self.bed if node.host_ip == host_ip)

    def history(self) -> list[dict[str, Any]]:
        """What the cluster has written down, newest first. Raises ``NoLeader`` and ``Rejected``."""
        return list(self.client().items("/cluster/history"))

    def view(self, node: Node) -> ClusterView:
        """What a node's own Consul says. Raises ``ConsulUnavailable``."""
        return node.clients.consul.view()

    def wait_until_whole(self, timeout_s: float, *names: str) -> Node:
        """Wait until all (or these) nodes are healthy members and every acknowledged write is on two of them.

        Returns the leader. Raises ``Unfinished``, saying what was missing.
        """
        wanted = set(names or (node.name for node in self.bed))
        missing = ["no leader"]

        def whole() -> Node | None:
            leader = self.leader()
            missing[:] = _missing(wanted, self.members(), leader.name, self.view(leader))
            return None if missing else leader

        try:
            return self.wait(whole, timeout_s, "")
        except Unfinished as error:
            raise Unfinished(
                f"the cluster is not whole after {timeout_s:g} s: {'; '.join(missing)}"
            ) from error

    @staticmethod
    def wait(condition: Callable[[], T | None], timeout_s: float, complaint: str) -> T:
        """The first value of ``condition`` that is true; while nobody leads or answers there is none.

        Raises ``Unfinished`` with ``complaint``.
        """
        deadline_s, why = time.monotonic() + timeout_s, ""
        while time.monotonic() < deadline_s:
            try:
                if value := condition():
                    return value
            except (NoLeader, Rejected, ConsulUnavailable, requests.RequestException) as error:
                why = f": {error}"
            time.sleep(POLL_S)
        raise Unfinished(f"{complaint} after {timeout_s:g} s{why}")


def _missing(wanted: set[str], members: list[dict[str, Any]], leader: str, view: ClusterView) -> list[str]:
    listed = {member["name"]: member for member in members}
    missing = [f"{name} is no member" for name in sorted(wanted - set(listed))]
    for name in sorted(wanted & set(listed)):
        failing = sorted(check for check, passes in listed[name]["checks"].items() if not passes)
        if failing or not listed[name]["online"]:
            missing.append(f"{name}: {', '.join(failing) or 'offline'}")
    replicas = wanted - {leader}
    record = view.record
    if replicas and (record is None or record.k < 1 or not replicas <= record.members):
        missing.append(f"the sync record is {record}")
    return missing
