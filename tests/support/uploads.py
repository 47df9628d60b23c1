"""Uploading blueprints as existing clients do, and looking at what a manager has on its disk afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from tests.support.archives import blueprint
from tests.support.rest import ManagerNode, RestClient


def pieces(content: bytes, size: int = 100) -> Iterator[bytes]:
    """A body that is sent in chunks, without a length."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def upload(
    rest: RestClient, name: str, content: bytes | None = None, query: str = "", **more: object
) -> requests.Response:
    """Upload a blueprint; without ``content`` a good one."""
    content = blueprint() if content is None else content
    return rest.request("PUT", f"/blueprints/{name}{query}", data=pieces(content), **more)


def error_of(answer: requests.Response) -> tuple[int, str]:
    """The status, and the error code."""
    return answer.status_code, answer.json()["error_code"]


def files_of(node: ManagerNode) -> list[str]:
    """Everything that lies in the folders of the manager's files, but empty folders."""
    state = node.config.paths.state
    return [
        str(path.relative_to(state))
        for folder in ("files", "staging", "uploads")
        for path in (state / folder).rglob("*")
        if not path.is_dir()
    ]


def remove_all(rest: RestClient) -> None:
    """Delete all blueprints, of all tenants."""
    for item in rest.get("/blueprints?_all_tenants=true").json()["items"]:
        rest.delete(f"/blueprints/{item['id']}", headers={"Tenant": item["tenant_name"]})
