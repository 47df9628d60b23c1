"""Errands: what is asked for once in a while, done by a process of its own that ends afterwards.

Checking a start or a join, writing an invitation and enqueueing need libraries (SSH, Celery, certificates)
that would stay in the REST service's memory for good, as much again as it needs itself. So it sends out
``python -m manager.gateway.errands NAME``, with the request on standard input (it holds secrets) and the
answer on standard output, both as JSON. Nothing imports this module.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

from kombu.exceptions import OperationalError

from manager import errors
from manager.gateway.connection import Json, translated
from orchestrator import wiring
from orchestrator.config import NodeConfig, load
from orchestrator.formation import invitation, join, start
from orchestrator.formation.progress import Progress
from tasks.app import CLUSTER, app


def begin_start(config: NodeConfig, request: Json) -> Json:
    """Check a start, and enqueue it."""
    start.check(config, start.StartRequest(**request))
    return _begin(config, "formation.start", request, f"{request['node_name']} shall make a cluster.")


def begin_join(config: NodeConfig, request: Json) -> Json:
    """Check a join, and enqueue it."""
    join.check(config, join.JoinRequest(**{**request, "join_addrs": tuple(request["join_addrs"])}))
    return _begin(config, "formation.join", request, f"{request['node_name']} shall join a cluster.")


def invite(config: NodeConfig, request: Json) -> Json:
    """Write an invitation."""
    written = invitation.invite(wiring.clients_of(config), request["name"], request["host_ip"])
    return {"credentials": written.credentials, "required": written.required}


def begin_remove(_: NodeConfig, request: Json) -> Json:
    """Enqueue a removal."""
    _enqueue("formation.remove", request)
    return {}


ERRANDS: Mapping[str, Callable[[NodeConfig, Json], Json]] = {
    "start": begin_start,
    "join": begin_join,
    "invite": invite,
    "remove": begin_remove,
}


def _begin(config: NodeConfig, task: str, request: Json, message: str) -> Json:
    progress = Progress(config.paths)
    progress.begin(message)
    try:
        _enqueue(task, request)
    except errors.Unavailable as error:
        progress.fail(str(error))
        raise
    return {}


def _enqueue(task: str, arguments: Json) -> None:
    try:
        # Arguments hold credentials: what Celery shows of them is replaced.
        app.send_task(
            task, kwargs=arguments, queue=CLUSTER, ignore_result=True, retry=False, kwargsrepr="{...}"
        )
    except OperationalError as error:
        message = "The workers of this manager cannot be reached; nothing was begun."
        raise errors.Unavailable(message) from error


def main() -> int:
    """Do one errand."""
    errand = ERRANDS[sys.argv[1]]
    try:
        with translated():
            answer = errand(load(), json.load(sys.stdin))
    except (errors.RestError, errors.Unavailable) as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
