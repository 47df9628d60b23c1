"""Manager snapshots in tests: made and awaited through REST, and looked at on the disk."""

from __future__ import annotations

from typing import Any

from manager.gateway import settings_of
from manager.migrate import MIGRATIONS
from manager.storage import Storage, engine_for
from tests.support.rest import ManagerNode, RestClient
from tests.support.waiting import eventually

ENDED = {"terminated", "failed", "cancelled"}
SOON_S = 60

REVISION = max(file.stem.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
"""Of the database, as this version of the product has it."""


def ended(rest: RestClient | tuple[RestClient, ...], execution: dict[str, Any]) -> dict[str, Any]:
    """The execution when it has ended, as whichever of the clients is let in sees it."""
    clients = rest if isinstance(rest, tuple) else (rest,)
    found: dict[str, Any] = {}

    def over() -> bool:
        for client in clients:
            answer = client.get(f"/executions/{execution['id']}")
            if answer.ok:
                found.update(answer.json())
        return found.get("status") in ENDED

    eventually(over, SOON_S, "the execution has ended")
    return found


def create(rest: RestClient, name: str, **body: Any) -> dict[str, Any]:
    """Make a snapshot; the execution when it has ended."""
    answer = rest.put(f"/snapshots/{name}", body)
    assert answer.status_code == 201, answer.text
    return ended(rest, answer.json())


def restore(rest: RestClient, name: str, **body: Any) -> dict[str, Any]:
    """Restore one; the execution when it has ended."""
    answer = rest.post(f"/snapshots/{name}/restore", body)
    assert answer.status_code == 200, answer.text
    return ended(rest, answer.json())


def archive(rest: RestClient, name: str) -> bytes:
    """Its file."""
    answer = rest.get(f"/snapshots/{name}/archive")
    assert answer.status_code == 200, answer.text
    return answer.content


def upload(rest: RestClient, name: str, content: bytes) -> dict[str, Any]:
    """Upload a file."""
    answer = rest.request("PUT", f"/snapshots/{name}/archive", data=iter([content]))
    assert answer.status_code == 201, answer.text
    uploaded: dict[str, Any] = answer.json()
    return uploaded


def messages(rest: RestClient, execution: dict[str, Any]) -> list[str]:
    """What an execution said."""
    items = rest.get(f"/events?execution_id={execution['id']}&_sort=reported_timestamp").json()["items"]
    return [item["message"] for item in items]


def storage_of(node: ManagerNode) -> Storage:
    """Another way to the node's database."""
    return Storage(engine_for(settings_of(node.config).database, writers=2))
