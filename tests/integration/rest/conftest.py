"""One manager with a real database for all tests here; each test that changes something takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.support.rest import ManagerNode, RestClient, manager_node

NUMBERS = count(1)


@pytest.fixture(scope="session")
def node() -> Iterator[ManagerNode]:
    with manager_node("127.93.1.1") as node:
        node.process = node.start_process()
        yield node


@pytest.fixture
def rest(node: ManagerNode) -> RestClient:
    return node.client()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"thing{next(NUMBERS)}"
