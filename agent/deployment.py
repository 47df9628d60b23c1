"""A deployment as the parser's functions ask for it, over REST: see ``manager.operations.reading``."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace
from urllib.parse import quote

from agent.rest import Json, Manager
from manager.operations.reading import NotThere


class Deployment:
    """One deployment. What is read is up to date; what cannot change is read once. Raises ``RestFailed``."""

    def __init__(self, manager: Manager, identifier: str) -> None:
        self._manager, self._id = manager, identifier

    @cached_property
    def plan(self) -> SimpleNamespace:
        """What it was made from."""
        told = self._manager.get(f"/deployments/{quote(self._id, safe='')}")
        return SimpleNamespace(
            id=self._id,
            inputs=told["inputs"],
            capabilities=told["capabilities"],
            tenant=told["tenant_name"],
            files=SimpleNamespace(blueprint_id=told["blueprint_id"]),
        )

    def node(self, name: str) -> Json:
        """A node. Raises ``NotThere``."""
        found = self._manager.get("/nodes", deployment_id=self._id, id=name)["items"]
        if not found:
            raise NotThere(f"The deployment has no node '{name}'.")
        return {"name": name, **found[0]}

    def instance(self, identifier: str) -> Json:
        """One instance."""
        return self._manager.get(f"/node-instances/{quote(identifier, safe='')}")

    def instances(self, node: str) -> list[Json]:
        """All instances of a node."""
        found: list[Json] = self._manager.get("/node-instances", deployment_id=self._id, node_id=node)[
            "items"
        ]
        return found

    def other(self, identifier: str) -> Deployment:
        """Another deployment."""
        return Deployment(self._manager, identifier)
