"""What blueprints mean: the DSL parser of ``cloudify-common``, in a process of its own.

Its libraries would stay in the REST service's memory for good, and a hostile blueprint shall hurt nobody: the
process is bounded in time and memory, knows no secrets, and ends with its answer (see ``__main__``).
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manager import errors

log = logging.getLogger(__name__)

Json = dict[str, Any]

TIMEOUT_S = 60.0
AT_ONCE = 2
"""How many parsers run at a time: each takes some 50 MB."""

ENVIRONMENT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL")
"""What the parser's process gets of this one's environment."""

MAX_LOGGED = 2000

ERRORS: Mapping[str, type[errors.RestError]] = {
    kind.__name__: kind
    for kind in (errors.BadParameters, errors.InvalidBlueprint, errors.MissingInput, errors.UnknownInput)
}

_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """A blueprint's plan with its inputs filled in, as the parser hands it out.

    ``nodes`` and ``node_instances`` are as in ``dsl_parser``: an instance has ``id``, ``node_id``,
    ``relationships`` (``target_id``, ``target_name``, ``type``) and, where they apply, ``host_id`` and
    ``scaling_groups``.
    """

    description: str | None
    inputs: Json
    outputs: Json
    capabilities: Json
    workflows: Json
    groups: Json
    scaling_groups: Json
    policy_types: Json
    policy_triggers: Json
    labels: Json
    nodes: list[Json]
    node_instances: list[Json]


def parse(folder: Path, main_file: str) -> Json:
    """The plan of the blueprint in ``folder``: JSON, to be kept.

    ``main_file``: relative to ``folder``. Takes a third of a second at least. Raises ``BadParameters`` when
    the file is not there, ``InvalidBlueprint`` with the parser's message, and ``Unavailable``.
    """
    return _ask({"do": "parse", "folder": str(folder), "main_file": main_file})


def prepare(plan: Json, inputs: Json) -> DeploymentPlan:
    """The plan of a deployment: inputs filled in, functions evaluated, node instances made.

    ``plan``: from ``parse``. The instances' ids end in chance, so they may be taken already: in that case ask
    again. Raises ``MissingInput``, ``UnknownInput``, ``BadParameters`` for inputs that do not fit,
    ``InvalidBlueprint`` and ``Unavailable``.
    """
    return DeploymentPlan(**_ask({"do": "prepare", "plan": plan, "inputs": inputs}))


def evaluate(definitions: Json, *, inputs: Json, nodes: list[Json], node_instances: list[Json]) -> Json:
    """What outputs or capabilities (``definitions``) are at this moment.

    ``nodes`` with ``properties`` and ``relationships``; ``node_instances`` as in ``DeploymentPlan``, with
    ``runtime_properties``. Raises ``BadParameters`` and ``Unavailable``.
    """
    request = {"definitions": definitions, "inputs": inputs, "nodes": nodes, "node_instances": node_instances}
    values: Json = _ask({"do": "evaluate", **request})["values"]
    return values


def modify(
    *, nodes: list[Json], node_instances: list[Json], scaling_groups: Json, modified_nodes: Json
) -> Json:
    """How a deployment changes when it is scaled.

    ``nodes`` with ``relationships`` and numbers of instances, ``node_instances`` as in ``DeploymentPlan``.
    ``modified_nodes``: by node or group, ``{"instances": N, "removed_ids_include_hint": [],
    "removed_ids_exclude_hint": []}``. The answer has ``added_and_related`` and ``removed_and_related``, lists
    of instances; those with ``modification`` are the added and removed ones. Raises ``BadParameters`` and
    ``Unavailable``.
    """
    request = {"nodes": nodes, "node_instances": node_instances, "scaling_groups": scaling_groups}
    return _ask({"do": "modify", **request, "modified_nodes": modified_nodes})


def _ask(request: Json) -> Json:
    text = json.dumps(request).encode()
    with _places:
        done = _run(text)
    if done.returncode != 0:
        log.warning(
            "The parser ended with %d: %s",
            done.returncode,
            done.stderr[-MAX_LOGGED:].decode(errors="replace"),
        )
        raise errors.InvalidBlueprint("The blueprint cannot be parsed: it takes too much memory or time.")
    answer: Json = json.loads(done.stdout)
    if "error" in answer:
        raise ERRORS[answer["error"]](answer["message"])
    return answer


def _run(text: bytes) -> subprocess.CompletedProcess[bytes]:
    # -P: the present folder holds no modules of ours. Nor is it the blueprint's: an import may not find
    # anything there by chance.
    command = [sys.executable, "-P", "-X", "utf8", "-m", "manager.dsl"]
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    try:
        return subprocess.run(
            command,
            input=text,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            cwd="/",
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        message = f"The blueprint could not be parsed within {TIMEOUT_S:g} s."
        raise errors.InvalidBlueprint(message) from error
    except OSError as error:
        raise errors.Unavailable("The parser could not be started; see the log of the manager.") from error
