"""A client of a cluster's REST API that behaves as the contract's clients do: one pass, no sleeping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests

from orchestrator.model.errors import ClusterError

API = "/api/v3.1"
PAGE = 1000
ROTATE_ON = frozenset({"not_cluster_master", "removed_from_cluster"})


class NoLeader(ClusterError):
    """No member of the cluster accepted the request; the message says what each of them did."""


class Rejected(ClusterError):
    """A member that leads refused the request itself."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class Access:
    """Where a cluster is and who asks. ``ca_file`` None: certificates are those that this machine trusts."""

    addresses: tuple[str, ...]
    port: int
    protocol: str
    ca_file: str | None
    username: str
    password: str
    tenant: str

    @classmethod
    def from_demo(cls, demo: dict[str, Any]) -> Access:
        """From the content of ``.demo/demo.json``."""
        return cls(
            addresses=tuple(node["host_ip"] for node in demo["nodes"]),
            port=demo["rest_port"],
            protocol=demo["rest_protocol"],
            ca_file=demo["ca_file"],
            username=demo["username"],
            password=demo["password"],
            tenant=demo["tenant"],
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a leader answered, and its address."""

    host_ip: str
    content: Any


class Client:
    """One user's connection to a cluster. It remembers which member answered last, and asks that one first.

    ``connect_timeout_s``, ``read_timeout_s``: after these a member counts as not answering. Not for use by
    several threads at once.
    """

    def __init__(
        self, access: Access, *, connect_timeout_s: float = 1.0, read_timeout_s: float = 5.0
    ) -> None:
        self._access = access
        self._timeouts = (connect_timeout_s, read_timeout_s)
        self._first = 0
        self._session = requests.Session()
        # Proxies and .netrc files of the environment are for other hosts than those of this machine.
        self._session.trust_env = False
        self._session.verify = access.ca_file or True
        self._session.auth = (access.username, access.password)
        self._session.headers.update({"Tenant": access.tenant, "Content-type": "application/json"})

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def request(self, method: str, path: str, **options: Any) -> Answer:
        """Ask the members in turn, each once, until one that leads answers.

        Raises ``NoLeader`` when none does, and ``Rejected`` when the leader refuses. After ``NoLeader`` a
        request may have been carried out all the same: a connection can break between deed and answer.
        """
        complaints = []
        for host_ip in self._in_turn():
            try:
                return Answer(host_ip, self.ask(host_ip, method, path, **options))
            except requests.RequestException as error:
                complaints.append(f"{host_ip}: {type(error).__name__}")
            except Rejected as error:
                if error.code not in ROTATE_ON:
                    raise
                complaints.append(f"{host_ip}: {error.code}")
            self._first += 1
        raise NoLeader(f"no member accepted the request ({', '.join(complaints)})")

    def ask(self, host_ip: str, method: str, path: str, **options: Any) -> Any:
        """Ask one member, whether it leads or not. Raises ``Rejected`` and ``requests.RequestException``."""
        access = self._access
        url = f"{access.protocol}://{host_ip}:{access.port}{API}{path}"
        response = self._session.request(method, url, timeout=self._timeouts, **options)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            raise _rejection(response)
        return response.json()

    def items(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page. Raises as ``request`` does."""
        offset, total = 0, 1
        while offset < total:
            page = {**query, "_offset": str(offset), "_size": str(PAGE)}
            content = self.request("GET", path, params=page).content
            yield from content["items"]
            total = content["metadata"]["pagination"]["total"]
            offset += PAGE

    def _in_turn(self) -> Sequence[str]:
        addresses = self._access.addresses
        start = self._first % len(addresses)
        return addresses[start:] + addresses[:start]


def _rejection(response: requests.Response) -> Rejected:
    try:
        content = response.json()
    except requests.JSONDecodeError:
        content = {}
    code, message = content.get("error_code", "no error_code"), content.get("message", response.text[:200])
    return Rejected(response.status_code, code, message)
