"""Sending out an errand (see ``errands``), and bringing back its answer or its error."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from manager import errors

TIMEOUT_S = 60.0

Errand = Callable[[str, dict[str, Any]], dict[str, Any]]

ERRORS: Mapping[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (errors.BadParameters, errors.Conflict, errors.IllegalAction, errors.NotFound)
}


def send(name: str, request: dict[str, Any]) -> dict[str, Any]:
    """Have the errand done, and return its answer. Raises what it raised, else ``Unavailable``."""
    command = [sys.executable, "-m", "manager.gateway.errands", name]
    text = json.dumps(request).encode()
    try:
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise errors.Unavailable(f"The manager could not begin to {name}; see its log.") from error
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise ERRORS.get(answer["error"], errors.Unavailable)(answer["message"])
    return answer
