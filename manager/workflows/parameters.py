"""What a workflow is called with: what the blueprint declares, and what the caller gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from manager.errors import IllegalExecutionParameters

Json = dict[str, Any]

MAX_SHOWN = 60
"""Characters of a value that is told to whoever gave it."""

BOOLEANS = {"true": True, "false": False, "yes": True, "no": False}


def _boolean(text: str) -> bool:
    return BOOLEANS[text.lower()]


READ: Mapping[str, Callable[[str], Any]] = {"integer": int, "float": float, "boolean": _boolean}
"""How a value that came as text, as those of a command line do, becomes one of its type."""

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "list": lambda value: isinstance(value, list),
    "dict": lambda value: isinstance(value, dict),
}
"""Whether a value is of a type. Any value is of one that is not named here: those are the blueprint's own."""


def merge(workflow_id: str, declared: Json, given: Json, *, allow_custom: bool) -> Json:
    """The parameters of an execution: those ``given``, and the defaults of those ``declared``.

    ``declared``: as in the deployment's plan. ``allow_custom``: whether others may be given as well. Raises
    ``IllegalExecutionParameters`` with all that is wrong.
    """
    values = {name: _read(declared.get(name), value) for name, value in given.items()}
    wrong = list(_complaints(workflow_id, declared, values, allow_custom=allow_custom))
    if wrong:
        raise IllegalExecutionParameters(" ".join(wrong))
    defaults = {name: item["default"] for name, item in declared.items() if "default" in item}
    return {**defaults, **values}


def _read(declaration: Json | None, value: Any) -> Any:
    read = READ.get((declaration or {}).get("type") or "")
    if read is None or not isinstance(value, str):
        return value
    try:
        return read(value)
    except (KeyError, ValueError):
        return value


def _complaints(workflow_id: str, declared: Json, values: Json, *, allow_custom: bool) -> Iterator[str]:
    missing = [name for name, item in declared.items() if _is_mandatory(item) and name not in values]
    unknown = [name for name in values if name not in declared]
    if missing:
        yield (
            f"Workflow `{workflow_id}` must be provided with the following parameters to execute: "
            f"{', '.join(missing)}."
        )
    if unknown and not allow_custom:
        yield (
            f"Workflow `{workflow_id}` does not have the following parameters declared: "
            f"{', '.join(unknown)}. Remove these parameters or use the flag for allowing custom parameters."
        )
    for name, item in declared.items():
        fits = TYPES.get(item.get("type") or "")
        if name in values and values[name] is not None and fits and not fits(values[name]):
            wanted, given = item["type"], repr(values[name])[:MAX_SHOWN]
            yield f"Parameter `{name}` of workflow `{workflow_id}` must be of type {wanted}, not {given}."


def _is_mandatory(declaration: Json) -> bool:
    return "default" not in declaration and declaration.get("required", True) is not False
