"""Managers on machines of their own, made by the scripts that Vagrant runs, and asked as anybody asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from requests import RequestException

from demo.rest import Access, Client
from demo.writer import Writer
from orchestrator.model.errors import ClusterError
from tests.cluster.bed import Bed
from tests.cluster.bed.errors import BedError
from tests.cluster.bed.node import Node
from tests.support.waiting import eventually

BIN = "/opt/cloudify/bin"
CA = "/etc/cloudify/cluster-ssl/ca.pem"
PASSWORD = "a word for tests"
COMMAND_S = 300.0
WHOLE_S = 180.0
PSQL = ("runuser", "-u", "cfyuser", "--", "psql", "-h", "/run/cloudify", "-p", "15432", "-U", "postgres")

T = TypeVar("T")


class Managers:
    """The managers of a bed, as stories want a cluster (``demo.cluster``). ``folder`` is for files."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self.bed = bed
        self._ca_file = folder / "ca.pem"
        self._inside = ThreadPoolExecutor(1, initializer=bed.network.enter)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._inside.shutdown()

    # How they come to be.

    def form(self) -> None:
        """Have a manager on each machine, and a cluster of them."""
        for node in self.bed:
            self.make_member(node)
        self._ca_file.write_text(next(iter(self.bed)).read(CA))

    def make_member(self, node: Node, name: str = "") -> None:
        """Make a machine that has the program a member of the cluster, under its own name or another one."""
        self.provision(node, "manager")
        self.provision(node, "cluster", name)

    def provision(self, node: Node, step: str, name: str = "") -> str:
        """Do a step of those that Vagrant does; what it printed."""
        return node.provision(
            step,
            NODE_NAME=node.name,
            NODE_ADDRESS=node.address,
            MEMBER_NAME=name or node.name,
            CLUSTER=" ".join(f"{each.name}={each.address}" for each in self.bed),
            CLOUDIFY_ADMIN_PASSWORD=PASSWORD,
        )

    def install_one(self, node: Node) -> dict[str, Any]:
        """Install the manager on a machine by the command alone; gives what that told."""
        variables = ("env", f"CLOUDIFY_ADMIN_PASSWORD={PASSWORD}")
        done = node.run(*variables, f"{BIN}/cfy_manager", "--json", "install", timeout_s=COMMAND_S)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    # As clients see them, who stand beside the machines.

    @property
    def access(self) -> Access:
        """How an administrator reaches the managers."""
        return self.access_to(*self.bed)

    def access_to(self, *nodes: Node) -> Access:
        """How an administrator reaches just these."""
        addresses = tuple(node.address for node in nodes)
        return Access(addresses, 443, "https", str(self._ca_file), "admin", PASSWORD, "default_tenant")

    def writer(self, access: Access, **settings: float) -> Writer:
        """A writer as stories use it."""
        return _WriterInside(self.bed, access, **settings)

    def members(self) -> list[dict[str, Any]]:
        """The members as the leader lists them."""
        return self._asked(lambda client: list(client.items("/cluster/nodes")))

    def history(self) -> list[dict[str, Any]]:
        """What the cluster has written down, newest first."""
        return self._asked(lambda client: list(client.items("/cluster/history")))

    def leader(self) -> Node:
        """The machine that leads."""
        address = self._asked(lambda client: client.request("GET", "/status").host_ip)
        return next(node for node in self.bed if node.address == address)

    def whole(self, *, size: int | None = None) -> Node:
        """Wait until as many members as there are machines are well; the leader's machine."""
        wanted = size or len(self.bed.nodes)

        def well() -> bool:
            found = self.members()
            checks = [passes for each in found for passes in (each["online"], *each["checks"].values())]
            return len(found) == wanted and sum(each["master"] for each in found) == 1 and all(checks)

        eventually(lambda: _tried(well), WHOLE_S, f"{wanted} members are well")
        return self.leader()

    def _asked(self, question: Callable[[Client], T]) -> T:
        return self._inside.submit(lambda: question(Client(self.access))).result()

    # On the machines themselves.

    def cfy(self, node: Node, *words: str) -> Any:
        """What ``cfy`` prints on a machine, as JSON, for whoever leads."""
        told = node.run(f"{BIN}/cfy", "--json", *words, timeout_s=COMMAND_S).stdout
        return json.loads(told) if told.strip() else None

    def names_on(self, node: Node) -> set[str]:
        """The tenants in the machine's own database."""
        return set(node.run(*PSQL, "-Atc", "SELECT name FROM tenants", "cloudify").stdout.split())


class _WriterInside(Writer):
    """A writer that stands beside the machines."""

    def __init__(self, bed: Bed, access: Access, **settings: float) -> None:
        super().__init__(access, **settings)
        self._enter = bed.network.enter

    def _run(self) -> None:
        self._enter()
        super()._run()


def _tried(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (BedError, ClusterError, RequestException):
        return False  # Nobody leads yet, or the machine is on its way.
