"""What outputs and capabilities are at run time: functions in them ask for what nodes have become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from dsl_parser import exceptions, functions

Json = dict[str, Any]


class Runtime:
    """A deployment as the parser's functions ask for it. It knows nothing of other deployments."""

    def __init__(self, inputs: Json, nodes: list[Json], node_instances: list[Json]) -> None:
        self._inputs = inputs
        self._nodes = {node["id"]: node for node in nodes}
        self._instances = {instance["id"]: instance for instance in node_instances}

    def get_input(self, name: str) -> Any:
        """A value of an input."""
        return _known("input", name, self._inputs)

    def get_node(self, name: str) -> Json:
        """A node with its properties."""
        found: Json = _known("node", name, self._nodes)
        return found

    def get_node_instance(self, identifier: str) -> Json:
        """One instance."""
        found: Json = _known("node instance", identifier, self._instances)
        return found

    def get_node_instances(self, node: str) -> list[Json]:
        """All instances of a node."""
        return [instance for instance in self._instances.values() if instance["node_id"] == node]

    def __getattr__(self, name: str) -> Any:
        def missing(*_: Any) -> NoReturn:
            raise exceptions.FunctionEvaluationError(name, "this manager has no values for it")

        return missing


def _known(what: str, name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise exceptions.FunctionEvaluationError(what, f"there is no {what} {name}")
    return values[name]


def evaluate(request: Json) -> Json:
    """The values of ``definitions``. In place of one that cannot be known yet stands why: others can."""
    runtime = Runtime(request["inputs"], request["nodes"], request["node_instances"])
    return {name: _value(item["value"], runtime) for name, item in request["definitions"].items()}


def _value(value: Any, runtime: Runtime) -> Any:
    holder = {"value": value}
    try:
        # Said to be an output, a missing attribute is an error text within the value.
        found: Json = functions.evaluate_functions(holder, {"evaluate_outputs": True}, runtime)
    except (exceptions.FunctionEvaluationError, KeyError, ValueError, RuntimeError) as error:
        return f"<ERROR: {error}>"
    return found["value"]
