"""Functions in inputs and properties (``get_attribute``, ``concat`` ...), evaluated for an operation."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NoReturn

from manager.operations.reading import Deployment, NotThere

Json = dict[str, Any]


class Absent(ModuleType):
    """A module of which only names are needed."""

    __path__: list[str] = []  # noqa: RUF012  # that makes it a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


UNUSED = ("networkx", "networkx.algorithms", "networkx.classes")
"""What the parser imports to check blueprints: five times as much as all that is needed here."""


def _functions() -> ModuleType:
    absent = {name: Absent(name) for name in UNUSED if name not in sys.modules}
    sys.modules.update(absent)
    try:
        from dsl_parser import functions  # noqa: PLC0415  # with the above in place
    finally:
        for name in absent:
            del sys.modules[name]
    found: ModuleType = functions
    return found


functions: Any = _functions()
FunctionEvaluationError: type[Exception] = functions.exceptions.FunctionEvaluationError

SYSTEM = {
    ("tenant", "name"): lambda plan: plan.tenant,
    ("deployment", "id"): lambda plan: plan.id,
    ("deployment", "name"): lambda plan: plan.id,
    ("deployment", "blueprint"): lambda plan: plan.files.blueprint_id,
}


class Storage:
    """A deployment as the parser's functions ask for it."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def get_input(self, name: str) -> Any:
        """The value of an input."""
        inputs = self._deployment.plan.inputs
        if name not in inputs:
            raise FunctionEvaluationError("get_input", f"there is no input {name}")
        return inputs[name]

    def get_node(self, name: str) -> Json:
        """A node with its properties."""
        try:
            node: Json = self._deployment.node(name)
        except NotThere as error:
            raise FunctionEvaluationError("node", str(error)) from error
        return node

    def get_node_instance(self, identifier: str) -> Json:
        """One instance."""
        try:
            return self._deployment.instance(identifier)
        except NotThere as error:
            raise FunctionEvaluationError("node instance", str(error)) from error

    def get_node_instances(self, node: str) -> list[Json]:
        """All instances of a node."""
        return self._deployment.instances(node)

    def get_capability(self, path: list[Any]) -> Any:
        """A capability of another deployment: its id, the name, and what leads to a part of the value."""
        identifier, name, *rest = path
        try:
            other = self._deployment.other(identifier)
        except NotThere as error:
            raise FunctionEvaluationError("get_capability", str(error)) from error
        if name not in other.plan.capabilities:
            raise FunctionEvaluationError("get_capability", f"{identifier} has no capability {name}")
        value = evaluated(other, {"value": other.plan.capabilities[name]["value"]}, {})["value"]
        for part in rest:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError) as error:
                raise FunctionEvaluationError("get_capability", f"{name} has no {part!r}") from error
        return value

    def get_sys(self, entity: str, part: str) -> Any:
        """What this is all about."""
        return SYSTEM[entity, part](self._deployment.plan)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("get_"):
            raise AttributeError(name)

        def missing(*_: Any) -> NoReturn:
            raise FunctionEvaluationError(name, "this manager has no values for it")

        return missing


def evaluated(deployment: Deployment, payload: Json, context: Json) -> Json:
    """``payload`` with the values of all functions in it; it is changed.

    ``context``: which instance is ``SELF`` (``self``), or ``SOURCE`` and ``TARGET``. Raises
    ``FunctionEvaluationError``.
    """
    done: Json = functions.evaluate_functions(payload, dict(context), Storage(deployment))
    return done


def evaluate_node(deployment: Deployment, node: Json, instance: str | None) -> None:
    """Evaluate the functions in a node's properties, as its ``instance`` sees them."""
    functions.evaluate_node_functions(node, Storage(deployment), instance)


def evaluate_instance(deployment: Deployment, instance: Json) -> None:
    """Evaluate the functions in an instance's runtime properties."""
    functions.evaluate_node_instance_functions(instance, Storage(deployment))


def has_functions(value: Any) -> bool:
    """Whether there may be anything to evaluate."""
    if isinstance(value, dict):
        return not functions.TEMPLATE_FUNCTIONS.keys().isdisjoint(value) or any(
            map(has_functions, value.values())
        )
    return isinstance(value, list) and any(map(has_functions, value))
