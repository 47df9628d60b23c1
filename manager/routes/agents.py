"""The agents that are installed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from manager import pages, shapes
from manager.dependencies import Database, ListQuery
from manager.listing import Kind
from manager.models import Agent, Deployment, Node, NodeInstance
from manager.routes.json_route import router
from manager.routes.nodes import lean
from manager.tenancy import InTenant

agents = router()

OWN = ("ip", "install_method", "system", "version", "state")

TABLE = shapes.table(
    Agent,
    dict.fromkeys(("id", "host_id", "deployment", "node", *OWN), Kind.TEXT),
    {
        "id": NodeInstance.__table__.c.id,
        "host_id": NodeInstance.__table__.c.host_id,
        "deployment": Deployment.__table__.c.id,
        "node": Node.__table__.c.id,
    },
    owned=Deployment,
)

ALIASES = {
    "deployment_id": "deployment",
    "node_ids": "node",
    "node_instance_ids": "id",
    "install_methods": "install_method",
}
"""What clients call the fields when they filter by them."""


@agents.get("/agents")
def list_agents(scope: InTenant, storage: Database, query: ListQuery) -> dict[str, Any]:
    """The agents on the machines of all deployments that the caller sees."""
    instance = contains_eager(Agent.node_instance).load_only(NodeInstance.id, NodeInstance.host_id)
    path = instance.contains_eager(NodeInstance.node).load_only(Node.id).contains_eager(Node.deployment)
    statement = (
        select(Agent)
        .join(Agent.node_instance)
        .join(NodeInstance.node)
        .join(Node.deployment)
        .join(Deployment.blueprint)
        .where(scope.visible(Deployment, all_tenants=query.all_tenants))
        .options(lean(path))
    )
    with storage.reading() as session:
        found, total = pages.from_table(session, statement, TABLE, query.renamed(ALIASES))
        return query.answer(map(_shape, found), total)


def _shape(agent: Agent) -> dict[str, Any]:
    """An agent goes by the name of the node instance of its machine."""
    instance = agent.node_instance
    return {
        "id": instance.id,
        "host_id": instance.host_id,
        "deployment": instance.node.deployment.id,
        "node": instance.node.id,
        **{name: getattr(agent, name) for name in OWN},
        **shapes.owner(instance.node.deployment),
    }
