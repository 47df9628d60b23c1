"""Three machines with systemd, each with the program and no manager yet. Run by ``make test-cluster``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.bed import Bed
from tests.cluster.machines.managers import Managers
from tests.cluster.traffic import Traffic

HERE = Path(__file__).parent
TIMEOUT_S = 1800


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.bed)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def machines():
    with Bed.made(f"machines-{os.getpid()}") as bed:
        for node in bed:
            node.install_python("/opt/cloudify")
        yield bed


@pytest.fixture(scope="session")
def managed(machines, tmp_path_factory):
    """A manager on each machine, and a cluster of them, by the scripts of ``vagrant/provision`` alone."""
    with Managers(machines, tmp_path_factory.mktemp("managers")) as managers:
        managers.form()
        yield managers


@pytest.fixture
def managers(managed):
    """The same, and well, whatever the story before has left."""
    managed.bed.heal_all()
    for node in managed.bed:
        node.thaw()
        node.start()
    managed.whole()
    return managed


@pytest.fixture
def traffic(managers):
    """Clients that write through the cluster for the whole length of the story."""
    with Traffic(managers, managers.writer, managers.names_on) as traffic:
        traffic.flows()
        yield traffic
