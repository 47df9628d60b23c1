"""A manager of its own, whose files are looked at while they change, and one service of it for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from manager.gateway import Gateway
from tests.support.rest import ManagerNode, RestClient, manager_node
from tests.support.uploads import files_of, remove_all
from tests.support.waiting import eventually

LIMIT_S = 1.0


class Cluster(Gateway):
    """A manager that is alone, with a hook at the place where a cluster would wait for its replicas."""

    protecting: Callable[[], None] = staticmethod(lambda: None)
    changes = 0

    def protect_files(self, timeout_s: float) -> None:
        self.protecting()

    def files_changed(self) -> None:
        self.changes += 1


@pytest.fixture(scope="session")
def node() -> Iterator[ManagerNode]:
    with manager_node() as node:
        yield node


@pytest.fixture
def gateway(node: ManagerNode) -> Cluster:
    return Cluster(node.config)


@pytest.fixture
def rest(node: ManagerNode, gateway: Cluster) -> Iterator[RestClient]:
    """Afterwards each row has its files, and there are no other files."""
    with node.serving(gateway, commit_limit_s=LIMIT_S) as rest:
        yield rest
        gateway.protecting = lambda: None
        remove_all(rest)
        eventually(lambda: files_of(node) == [], what="no files without rows")


@pytest.fixture
def next_leader(node: ManagerNode, rest: RestClient) -> Iterator[RestClient]:
    """Another service in front of the same database and the same files."""
    with node.serving(Cluster(node.config)) as next_leader:
        yield next_leader
