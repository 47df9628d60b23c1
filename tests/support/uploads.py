"""Uploading blueprints as existing clients do, and looking at what a manager has on its disk afterwards."""

from __future__ import annotations

import base64
import fcntl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
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


def units(node: ManagerNode) -> list[Path]:
    """The folders of all the blueprints' files."""
    return list(node.config.paths.files.glob("blueprints/*/*/*"))


def is_locked(lock: Path) -> bool:
    """Whether somebody works on the unit that has this lock."""
    with lock.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def rows(node: ManagerNode, *statements: str) -> list[Any]:
    """What the last of some statements finds in the manager's database."""
    paths, port = node.config.paths, node.config.ports.postgres
    with closing(
        psycopg2.connect(host=str(paths.run), port=port, user="postgres", dbname="cloudify")
    ) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def address_of(rest: RestClient) -> tuple[str, int]:
    """Where to connect to, for whoever speaks HTTP by hand."""
    parts = urlsplit(rest.base)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def head_of(rest: RestClient, name: str, length: str) -> bytes:
    """How the request of an upload begins; ``length`` is the header that tells how long its body is."""
    assert rest.user is not None
    authorization = base64.b64encode(":".join(rest.user).encode()).decode()
    return (
        f"PUT /api/v3.1/blueprints/{name} HTTP/1.1\r\nHost: x\r\nTenant: {rest.tenant}\r\n"
        f"Authorization: Basic {authorization}\r\n{length}\r\n\r\n"
    ).encode()


def remove_all(rest: RestClient) -> None:
    """Delete all blueprints, of all tenants."""
    for item in rest.get("/blueprints?_all_tenants=true").json()["items"]:
        rest.delete(f"/blueprints/{item['id']}", headers={"Tenant": item["tenant_name"]})
