"""What every story gets: a whole cluster of three, clients that write, and the logs if it fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.cluster import Cluster
from orchestrator.clients import supervisord
from tests.cluster.house import House
from tests.cluster.traffic import Traffic
from tests.support import held_steps


@pytest.fixture(scope="session")
def formed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A cluster of three for all stories; it is built for the first one.

    Its engines can be told to hold executions (``held_steps``); nothing else about them is different.
    """
    house = House(tmp_path_factory.mktemp("cluster"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisord, "PRELOADED", f"{supervisord.PRELOADED},{held_steps.__name__}")
        try:
            yield house
        finally:
            house.destroy()


@pytest.fixture(scope="module", autouse=True)
def _three(formed: House) -> None:
    """The stories of a file begin with three members, whoever joined or left in another one."""
    formed.forget_guests()


@pytest.fixture
def house(formed: House) -> House:
    """The same, and well, whatever the story before has left."""
    formed.make_whole()
    return formed


@pytest.fixture
def cluster(house: House) -> Cluster:
    """The managers of the house."""
    return house.cluster


@pytest.fixture
def traffic(cluster: Cluster) -> Iterator[Traffic]:
    """Clients that write through the cluster for the whole length of the story."""
    with Traffic(cluster) as traffic:
        traffic.flows()
        yield traffic


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None):
    """The cluster goes with the last story: the tests after that would share the machine with it."""
    house = getattr(item, "funcargs", {}).get("formed")
    yield
    if house is not None and (nextitem is None or nextitem.path.parent != item.path.parent):
        house.destroy()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """A story that fails shows what each node did last."""
    report = yield
    house = getattr(item, "funcargs", {}).get("formed")
    if report.failed and house is not None:
        report.sections += [(f"cluster log of {name}", text) for name, text in house.logs()]
    return report
