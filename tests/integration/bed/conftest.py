"""Two machines for the tests of the bed itself. They need root, and are run by ``make test-bed`` alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.bed import Bed
from tests.cluster.bed.node import OFF

HERE = Path(__file__).parent
TIMEOUT_S = 1800
"""The first test of all waits until the image is made, and another one until the wheels are."""


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.bed)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def machines():
    with Bed.made(f"test-{os.getpid()}", ["n1", "n2"]) as bed:
        yield bed


@pytest.fixture
def bed(machines):
    """Machines that are well, whatever the test before has done to them."""
    machines.heal_all()
    for node in machines:
        node.thaw()
        if node.state() == OFF:
            node.start()
    return machines


@pytest.fixture
def n1(bed):
    return bed["n1"]


@pytest.fixture
def n2(bed):
    return bed["n2"]
