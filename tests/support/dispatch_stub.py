"""What becomes of plans that a tick hands over, as JSON; with ``CLOUDIFY_CONFIG``, a Redis and no workers."""

from __future__ import annotations

import json
from unittest import mock

from orchestrator.clients.mirror import Mirror
from orchestrator.model.action import KeepSlots, Plan
from orchestrator.model.file_actions import SweepFiles, SyncFiles
from tasks import demand, progress
from tasks.app import app, config
from tasks.tick import dispatch

FILES = Plan("following", (SyncFiles(3, "n1"),))
CHAIN = Plan("following", (KeepSlots(frozenset({"n1"})),))
LINES = (progress.CHAIN, progress.BESIDE)


def seen():
    return {line: line.actions_done() for line in LINES}


def queued():
    client = app.backend.client.__class__(unix_socket_path=str(config.paths.redis_socket), db=0)
    return {line.queue: client.llen(line.queue) for line in LINES}


def forget():
    """As if the workers had done everything."""
    client = app.backend.client.__class__(unix_socket_path=str(config.paths.redis_socket), db=0)
    client.delete("files", "cluster")
    for line in LINES:
        line.ended()


def main() -> None:
    told = {}
    both = Plan("leading", (*CHAIN.actions, SweepFiles(3), *FILES.actions))
    told["parts"] = [[type(action).__name__ for action in part.actions] for part in both.parts()]
    with mock.patch.object(demand, "ask") as ask:
        told["files"] = dispatch(FILES, seen())
        told["files again, while it waits"] = dispatch(FILES, seen())
        told["chain, while files wait"] = dispatch(CHAIN, seen())
        told["asked for the worker of files"] = ask.call_count
    told["chain again"] = dispatch(CHAIN, seen())
    told["queued"] = queued()
    forget()
    with Mirror(config).alone():
        told["files, while one runs"] = dispatch(FILES, seen())
        told["chain, while files run"] = dispatch(CHAIN, seen())
    forget()
    before = seen()
    progress.BESIDE.ended()
    told["files, decided before the last one ended"] = dispatch(FILES, before)
    told["chain, decided before files ended"] = dispatch(CHAIN, before)
    forget()
    told["files, when all is done"] = dispatch(FILES, seen())
    print(json.dumps(told))  # noqa: T201  That is what this program is for.


if __name__ == "__main__":
    main()
