"""The parser's process: one request as JSON on standard input, one answer on standard output.

``{"do": "parse", "folder", "main_file"}`` is answered with the plan, ``{"do": "prepare", "plan", "inputs"}``
with the parts of ``DeploymentPlan``, ``{"do": "evaluate", "definitions", "inputs", "nodes",
"node_instances"}`` with ``{"values"}``, and ``{"do": "modify", "nodes", "node_instances", "scaling_groups",
"modified_nodes"}`` with what ``dsl_parser.tasks.modify_deployment`` says. What goes wrong is answered
``{"error": <class in manager.errors>, "message"}``. What a blueprint may use of this machine is bounded here,
once, before anything of it is read; which files and addresses it may import is bounded in ``imports``.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import manager.dsl.lean  # noqa: F401  # isort: skip  # what it does to the parser has to be done before
from dsl_parser import exceptions, parser, tasks, utils

from manager.dsl import DeploymentPlan, Json
from manager.dsl.evaluation import evaluate
from manager.dsl.imports import Imports, is_inside

MEGABYTE = 1024 * 1024
LIMITS = (
    (resource.RLIMIT_DATA, 400 * MEGABYTE),
    (resource.RLIMIT_CPU, 60),  # seconds
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_CORE, 0),
)
MAX_PLAN_BYTES = 8 * MEGABYTE
MAX_INSTANCES = 10_000
MAX_NAME = 256
"""Of an instance, as the database takes it."""

REFUSALS: Mapping[type[Exception], str] = {
    exceptions.MissingRequiredInputError: "MissingInput",
    exceptions.UnknownInputError: "UnknownInput",
}


class NotThereError(Exception):
    """The main file is not in the archive."""


def parse(request: Json) -> Json:
    """The plan of a blueprint."""
    folder = Path(request["folder"]).resolve()
    main_file = folder / request["main_file"]
    if not is_inside(main_file, folder) or not main_file.is_file():
        raise NotThereError(f"{request['main_file']} does not exist in the application directory")
    utils.url_exists = _within(folder)
    plan = parser.parse_from_path(str(main_file), resources_base_path=str(folder), resolver=Imports(folder))
    _check_names(plan["nodes"])
    return dict(plan)


def prepare(request: Json) -> Json:
    """The plan of a deployment."""
    plan = tasks.prepare_deployment_plan(request["plan"], None, request["inputs"])
    _check_instances(len(plan["node_instances"]))
    names = {field.name for field in dataclasses.fields(DeploymentPlan)}
    return {name: plan[name] for name in names}


def modify(request: Json) -> Json:
    """What is added to a deployment and removed from it when the numbers of instances change."""
    modification: Json = tasks.modify_deployment(
        nodes=request["nodes"],
        previous_nodes=copy.deepcopy(request["nodes"]),
        previous_node_instances=request["node_instances"],
        modified_nodes=request["modified_nodes"],
        scaling_groups=request["scaling_groups"],
    )
    added = [row for row in modification["added_and_related"] if row.get("modification") == "added"]
    _check_instances(len(request["node_instances"]) + len(added))
    return modification


REQUESTS: Mapping[str, Callable[[Json], Json]] = {
    "parse": parse,
    "prepare": prepare,
    "modify": modify,
    "evaluate": lambda request: {"values": evaluate(request)},
}


def _within(folder: Path) -> Callable[[str], bool]:
    """Whether a script is there: the parser would open any address at all to learn that."""

    def exists(url: str) -> bool:
        path = Path(url.removeprefix("file:"))
        return url.startswith("file:") and is_inside(path, folder) and path.is_file()

    return exists


def _check_names(nodes: list[Json]) -> None:
    for node in nodes:
        if len(node["id"]) > MAX_NAME - len("_xxxxxx"):
            raise ValueError(f"The name of the node {node['id'][:40]}... is too long.")


def _check_instances(count: int) -> None:
    if count > MAX_INSTANCES:
        raise ValueError(f"{count} node instances are more than a deployment may have ({MAX_INSTANCES}).")


def _encoded(answer: Any) -> str:
    text = json.dumps(answer)
    if len(text) > MAX_PLAN_BYTES:
        raise ValueError(f"Its plan is longer than {MAX_PLAN_BYTES} bytes.")
    if "\\u0000" in text:
        raise ValueError("It contains the NUL character.")
    return text


def _answer(request: Json) -> str:
    """What to answer. Whatever the parser raises is the blueprint's fault, and its author's to read."""
    fallback = "InvalidBlueprint" if request["do"] == "parse" else "BadParameters"
    try:
        return _encoded(REQUESTS[request["do"]](request))
    except NotThereError as error:
        return _refusal("BadParameters", str(error))
    except MemoryError:
        return _refusal(fallback, "It takes too much memory to parse.")
    except RecursionError:
        return _refusal(fallback, "It is nested too deeply.")
    except Exception as error:  # noqa: BLE001  # the parser has no root of its own errors
        text = str(error) or type(error).__name__
        name = REFUSALS.get(type(error), fallback)
        return _refusal(name, text.replace(f"{request.get('folder')}/", ""))


def _refusal(name: str, message: str) -> str:
    return json.dumps({"error": name, "message": message.replace("\0", "")})


def main() -> int:
    """Answer one request."""
    for what, limit in LIMITS:
        resource.setrlimit(what, (limit, limit))
    sys.stdout.write(_answer(json.load(sys.stdin)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
