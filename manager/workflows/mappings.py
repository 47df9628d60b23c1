"""Which function a workflow of a plan is: one of ours, or one of the blueprint's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

BUILT_IN = "default_workflows"
"""The plugin by which blueprints call the workflows that every deployment has."""


class UnknownWorkflow(Exception):
    """A blueprint maps a workflow to something that is not there."""


@dataclass(frozen=True, slots=True)
class Custom:
    """A function in the blueprint's archive. ``source``: the folder that is put on ``sys.path``."""

    source: str
    module: str
    function: str


def is_custom(workflow: Json) -> bool:
    """Whether it comes with the blueprint, and is run in a process of its own."""
    return bool(workflow["plugin"] != BUILT_IN)


def mapping_of(workflow: Json) -> str:
    """As its blueprint says it."""
    return f"{workflow['plugin']}.{workflow['operation']}"


def custom(workflow: Json, plugins: Iterable[Json]) -> Custom:
    """Where its function is. ``plugins``: ``workflow_plugins_to_install`` of the plan.

    Raises ``UnknownWorkflow``.
    """
    plugin = next((item for item in plugins if item["name"] == workflow["plugin"]), None)
    if plugin is None or not plugin.get("source"):
        raise UnknownWorkflow(
            f"The workflow's mapping {mapping_of(workflow)} leads nowhere: this manager has no plugin "
            f"{workflow['plugin']}. Put its folder into the blueprint's archive, and name it as the "
            "plugin's source."
        )
    module, _, function = workflow["operation"].rpartition(".")
    if not module:
        raise UnknownWorkflow(
            f"The workflow's mapping {mapping_of(workflow)} names no function: it has to be "
            "plugin.module.function."
        )
    return Custom(plugin["source"], module, function)
