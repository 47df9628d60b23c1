"""A leader's REST service on a real database, with a Consul in memory; errands are only noted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manager.gateway import Gateway
from orchestrator.clients import clock
from orchestrator.clients.services import MemoryServices
from orchestrator.model.snapshot import MembershipState
from orchestrator.record import lease_file, membership
from orchestrator.record.lease_file import LeaseState
from orchestrator.record.membership import Membership
from tests.support.memory_cluster import Errands, MemoryConsul
from tests.support.rest import ManagerNode, RestClient


@pytest.fixture
def consul() -> MemoryConsul:
    return MemoryConsul()


@pytest.fixture
def errands() -> Errands:
    return Errands()


@pytest.fixture(scope="module")
def service(node: ManagerNode) -> tuple[Gateway, RestClient]:
    services = MemoryServices({"postgresql", "consul"}, {"postgresql"})
    gateway = Gateway(node.config, services=services)
    return gateway, node.start_in_thread(gateway)


@pytest.fixture
def alone(node: ManagerNode, service, consul, errands) -> Iterator[RestClient]:
    """A service whose manager is in no cluster."""
    gateway, client = service
    gateway._new_consul, gateway.errand, gateway._asked = (lambda: consul), errands, None
    yield client
    for file in (node.config.paths.membership_file, node.config.paths.lease_file):
        file.unlink(missing_ok=True)
    (node.config.paths.state / "formation.jsonl").unlink(missing_ok=True)
    node.config.paths.outbox_file.unlink(missing_ok=True)


@pytest.fixture
def rest(node: ManagerNode, alone: RestClient) -> RestClient:
    """The service of the leader n1."""
    membership.write(node.config.paths.membership_file, Membership(MembershipState.MEMBER, "n1"))
    valid_until_s = clock.now_s() + 600
    lease = LeaseState(member=True, held=True, serving=True, valid_until_s=valid_until_s, leader="n1", term=7)
    lease_file.write(node.config.paths.lease_file, lease)
    return alone
