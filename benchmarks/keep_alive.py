"""A client that keeps its connection and notes the moments of each request; cheap, to measure others by."""

from __future__ import annotations

import gzip
import io
import ssl
import tarfile
import time
from base64 import b64encode
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPSConnection
from types import TracebackType
from typing import Self

from demo.rest import API, Access

TIMEOUT_S = 60.0

BLUEPRINT = b"""\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
node_templates:
  host:
    type: cloudify.nodes.Compute
  server:
    type: cloudify.nodes.WebServer
    relationships: [{type: cloudify.relationships.contained_in, target: host}]
"""


@dataclass(frozen=True, slots=True)
class Moments:
    """When a request was begun, when its last byte was sent, and when its answer was there; monotonic."""

    began_s: float
    sent_s: float
    answered_s: float

    @property
    def whole_s(self) -> float:
        """What the client waited."""
        return self.answered_s - self.began_s

    @property
    def acknowledged_s(self) -> float:
        """From the last byte sent to the answer."""
        return self.answered_s - self.sent_s


class KeepAlive:
    """One connection to one manager. A context manager."""

    def __init__(self, access: Access, host_ip: str, port: int | None = None) -> None:
        """``port`` None: that of ``access``."""
        context = ssl.create_default_context(cafile=access.ca_file)
        credentials = b64encode(f"{access.username}:{access.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Tenant": access.tenant}
        self._connection = HTTPSConnection(host_ip, port or access.port, timeout=TIMEOUT_S, context=context)

    def __enter__(self) -> Self:
        self._connection.connect()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, path: str) -> Moments:
        """Read. Raises ``RuntimeError`` when it is refused."""
        return self._ask("GET", path, b"")

    def upload(self, name: str, archive: bytes) -> Moments:
        """Upload a blueprint. Raises ``RuntimeError`` when it is refused."""
        return self._ask("PUT", f"/blueprints/{name}", archive)

    def _ask(self, method: str, path: str, body: bytes) -> Moments:
        began_s = time.monotonic()
        self._connection.request(method, API + path, body=body or None, headers=self._headers)
        sent_s = time.monotonic()
        answer = self._connection.getresponse()
        content = answer.read()
        answered_s = time.monotonic()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300].decode(errors='replace')}")
        return Moments(began_s, sent_s, answered_s)


def small_blueprint() -> bytes:
    """The archive of a blueprint of two nodes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("small/blueprint.yaml")
        info.size = len(BLUEPRINT)
        archive.addfile(info, io.BytesIO(BLUEPRINT))
    return gzip.compress(out.getvalue())
