"""The list of agents, and the provider's context."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from manager.models import Agent, Node, NodeInstance
from tests.support.shop import deploy, ids, refusal

pytestmark = pytest.mark.integration

KEYS = {"id", "ip", "deployment", "node", "system", "version", "install_method", "host_id"}


@pytest.fixture
def agents(rest, blueprint, name, database) -> list[str]:
    """Agents on the houses of two deployments; they go with these. The ids of the instances."""
    deployments = [deploy(rest, blueprint, f"{name}-{number}")["id"] for number in range(2)]
    houses = database.scalars(
        select(NodeInstance)
        .join(NodeInstance.node)
        .join(Node.deployment)
        .where(Node.id == "house")
        .order_by(NodeInstance.pk)
    ).unique()
    mine = [house for house in houses if house.node.deployment.id in deployments]
    for place, house in enumerate(mine):
        method = "remote" if place else "plugin"
        database.add(
            Agent(
                name=f"{house.id}-agent",
                node_instance_pk=house.pk,
                ip=f"10.0.0.{place}",
                install_method=method,
                system="debian",
                version="1",
                state="started",
            )
        )
    database.commit()
    return [house.id for house in mine]


def test_the_keys_that_clients_need(rest, agents, name):
    (agent,) = rest.get(f"/agents?node_instance_ids={agents[0]}").json()["items"]
    assert set(agent) >= KEYS
    assert (agent["id"], agent["host_id"], agent["node"], agent["deployment"], agent["ip"]) == (
        *(agents[0], agents[0], "house"),
        *(f"{name}-0", "10.0.0.0"),
    )


def test_which_ones(rest, agents, name):
    def found(query: str) -> list[int]:
        return [agents.index(it) for it in ids(rest.get(f"/agents?{query}"))]

    both = f"deployment_id={name}-0&deployment_id={name}-1"
    assert sorted(found(both)) == [0, 1, 2, 3]
    assert sorted(found(f"deployment_id={name}-1")) == [2, 3]
    assert found(f"{both}&node_ids=till") == []
    assert sorted(found(f"{both}&node_ids=till&node_ids=house")) == [0, 1, 2, 3]
    assert sorted(found(f"node_instance_ids={agents[1]}&node_instance_ids={agents[2]}")) == [1, 2]
    assert found(f"{both}&install_methods=plugin") == [0]
    assert found(f"{both}&_sort=-ip&_size=2") == [3, 2]
    assert refusal(rest.get("/agents?colour=red")) == (400, "bad_parameters_error")
    assert refusal(rest.get("/agents?_include=colour")) == (400, "no_such_include_field_error")
