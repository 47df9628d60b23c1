"""Three machines with systemd, each with the program and no manager yet. Run by ``make test-bed``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.bed import Bed
from tests.cluster.machines.managers import Managers

HERE = Path(__file__).parent
TIMEOUT_S = 1800


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.bed)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="module")
def machines():
    with Bed.made(f"machines-{os.getpid()}") as bed:
        for node in bed:
            node.install_python("/opt/cloudify")
        yield bed


@pytest.fixture(scope="module")
def managers(machines):
    """A manager on each machine, and a cluster of them, by the documented commands alone."""
    managers = Managers(machines)
    managers.install()
    managers.form()
    return managers
