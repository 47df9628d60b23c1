"""One manager with a real database for all tests here; each test that changes something takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from manager.gateway import settings_of
from manager.storage import engine_for
from tests.support.rest import ManagerNode, RestClient, manager_node
from tests.support.shop import deploy, shop

NUMBERS = count(1)


@pytest.fixture(scope="session")
def node() -> Iterator[ManagerNode]:
    with manager_node() as node:
        node.process = node.start_process()
        yield node


@pytest.fixture
def rest(node: ManagerNode) -> RestClient:
    return node.client()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"thing{next(NUMBERS)}"


@pytest.fixture(scope="session")
def engine(node: ManagerNode) -> Iterator[Engine]:
    engine = engine_for(settings_of(node.config).database, writers=8)
    yield engine
    engine.dispose()


@pytest.fixture
def database(engine: Engine) -> Iterator[Session]:
    """The manager's own database, behind its back."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def blueprint(rest: RestClient, name: str) -> Iterator[str]:
    """The id of an uploaded blueprint (see ``shop``)."""
    with shop(rest, f"{name}-shop") as identifier:
        yield identifier


@pytest.fixture
def deployment(rest: RestClient, blueprint: str, name: str) -> str:
    """The id of a deployment of it; it goes with the blueprint."""
    made = deploy(rest, blueprint, name)
    return str(made["id"])


@pytest.fixture(scope="module")
def module_deployment(node: ManagerNode) -> Iterator[str]:
    """The id of a deployment for all tests of a module."""
    name = f"shared{next(NUMBERS)}"
    with shop(node.client(), f"{name}-shop") as blueprint:
        deploy(node.client(), blueprint, name)
        yield name
