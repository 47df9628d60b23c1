"""A node that does nothing but answer ``cfy_manager``: the formation tasks by name, on a real node's queues.

``python node_stub.py FOLDER`` serves the Redis socket in that folder, and keeps its state in ``node.json``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery
from kombu import Queue

FOLDER = Path(sys.argv[1])
STATE = FOLDER / "node.json"

app = Celery("node_stub")
app.conf.update(
    broker_url=f"redis+socket://{FOLDER}/redis.sock?virtual_host=0",
    result_backend=f"redis+socket://{FOLDER}/redis.sock?virtual_host=1",
    task_queues=[Queue("health"), Queue("cluster")],
    worker_prefetch_multiplier=1,
)


class Refused(Exception):
    """As in the model: the command line has no such class."""


def read() -> dict[str, Any]:
    return (
        json.loads(STATE.read_text()) if STATE.exists() else {"initialized": False, "logs": [], "error": None}
    )


def say(message: str, **changes: Any) -> None:
    state = read()
    line = {"message": message, "timestamp": time.time_ns() // 1000, "cursor": len(state["logs"]) + 1}
    fresh = STATE.with_suffix(".new")
    fresh.write_text(json.dumps({**state, "logs": [*state["logs"], line], **changes}))
    fresh.replace(STATE)


@app.task(name="formation.begin")
def begin(message: str) -> None:
    STATE.unlink(missing_ok=True)
    say(message)


@app.task(name="formation.start")
def start(host_ip: str, node_name: str, options: dict[str, str]) -> None:
    if "colour" in options:
        raise Refused("There is no node option 'colour'.")
    say("Making the internal CA")
    say(f"{node_name} leads at {host_ip}", initialized=True)


@app.task(name="formation.remove")
def remove(name: str) -> None:
    raise Refused(f"There is no node {name}.")


@app.task(name="formation.status")
def status(since: str | None = None) -> dict[str, Any]:
    state = read()
    return {**state, "logs": [line for line in state["logs"] if line["cursor"] > int(since or 0)]}


@app.task(name="formation.pause")
def pause() -> None:
    say("paused", paused=True)


@app.task(name="formation.resume")
def resume() -> None:
    say("resumed", paused=False)


@app.task(name="formation.plan")
def plan() -> dict[str, Any]:
    return {"node": "n1", "situation": "LEADING", "plan": ["Keep the slots of n2"]}


@app.task(name="formation.history")
def history(limit: int) -> list[dict[str, Any]]:
    entry = {"at": 1_700_000_000.0, "term": 1, "node": "n1", "kind": "start"}
    return [{**entry, "number": number, "summary": f"entry {number}"} for number in range(1, limit + 1)]


@app.task(name="formation.balanced")
def balanced() -> dict[str, Any]:
    if not read()["initialized"]:
        raise Refused("This manager is in no cluster.")
    members = [{"name": "n1", "address": "127.94.9.1"}, {"name": "n2", "address": "fd00::2"}]
    return {"members": members, "port": 8443, "protocol": "https", "ca_file": "/etc/cluster-ssl/ca.pem"}


if __name__ == "__main__":
    app.worker_main(
        ["worker", "--concurrency", "2", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    )
