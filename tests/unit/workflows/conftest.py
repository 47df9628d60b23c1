"""One deployment on paper for all stories: a shop on two machines with agents, and a table on none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from manager import dsl
from tests.support.workflow_stories import Paper, planned

SHOP = """\
node_types:
  machine:
    derived_from: cloudify.nodes.Compute
    interfaces:
      cloudify.interfaces.lifecycle: {create: p.iron.build, delete: p.iron.scrap}
      cloudify.interfaces.host: {get_state: p.iron.is_up}
  server:
    derived_from: cloudify.nodes.WebServer
    interfaces:
      cloudify.interfaces.lifecycle:
        precreate: p.web.look
        create: {implementation: p.web.create, inputs: {size: {default: 3}}}
        configure: h.web.configure
        start: scripts/start.sh
        poststart: p.web.greet
        stop: scripts/stop.sh
        delete: p.web.delete
  table:
    derived_from: cloudify.nodes.Database
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: p.db.create, max_retries: 1, retry_interval: 2}
relationships:
  reads:
    derived_from: cloudify.relationships.connected_to
    source_interfaces:
      cloudify.interfaces.relationship_lifecycle:
        preconfigure: p.link.prepare
        establish: h.link.open
        unlink: h.link.close
    target_interfaces:
      cloudify.interfaces.relationship_lifecycle: {establish: p.link.admit}
node_templates:
  house:
    type: machine
    instances: {deploy: 2}
    properties: {agent_config: {user: me}}
  till:
    type: server
    relationships:
      - {type: cloudify.relationships.contained_in, target: house}
      - {type: reads, target: stock}
  stock:
    type: table
  sign:
    type: cloudify.nodes.Root
    relationships: [{type: cloudify.relationships.depends_on, target: till}]
groups:
  branch: {members: [house], policies: {}}
policies:
  scaling:
    type: cloudify.policies.scaling
    targets: [branch]
    properties: {default_instances: 1, max_instances: 3}
"""

Makes = Callable[..., Paper]


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> dsl.DeploymentPlan:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "scripts").mkdir()
    for name in ("start", "stop"):
        (folder / "scripts" / f"{name}.sh").touch()
    return planned(folder, SHOP)


@pytest.fixture
def shop(plan: dsl.DeploymentPlan) -> Makes:
    """The shop, in the states that are given; ``everything``: the state of all that are not named."""

    def make(everything: str = "uninitialized", **more: Any) -> Paper:
        states = {row["id"]: everything for row in plan.node_instances} | dict(more.pop("states", {}))
        return Paper(plan, states=states, **more)

    return make
