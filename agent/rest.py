"""The leader's REST service, whichever member that is at the moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from cloudify_rest_client.exceptions import CloudifyClientError

from agent.settings import Folder

log = logging.getLogger(__name__)

Json = dict[str, Any]

CONNECT_S, READ_S = 3.0, 30.0
PATIENCE_S = 120.0
"""For how long a leader is looked for: a failover takes less."""

LONGEST_WAIT_S = 5.0
NOT_LEADING = frozenset({"not_cluster_master", "removed_from_cluster"})
NOBODY, UNAVAILABLE = 0, 503
MAINTENANCE = "maintenance_mode_active"
CHUNK = 256 * 1024


class RestFailed(CloudifyClientError):
    """The leader has refused (``status_code``), or there was none (0)."""


class Manager:
    """Requests of one operation, with its token, in its tenant. Each raises ``RestFailed``."""

    def __init__(self, folder: Folder, tenant: str, token: str, patience_s: float = PATIENCE_S) -> None:
        self._folder = folder
        self._patience_s = patience_s
        self._session = requests.Session()
        self._session.headers.update({"Tenant": tenant, "Execution-Token": token})
        self._session.verify = str(folder.ca_file)
        # The environment's proxies lead nowhere inside of a cluster's network.
        self._session.trust_env = False

    def get(self, path: str, **params: Any) -> Json:
        """The answer to a GET."""
        found: Json = self.request("GET", path, params=params).json()
        return found

    def send(self, method: str, path: str, body: Json) -> Json:
        """The answer to a request with a body."""
        found: Json = self.request(method, path, json=body).json()
        return found

    def download(self, path: str, target: Path) -> None:
        """Write what a GET gives into a file."""
        with self.request("GET", path, stream=True) as answer, target.open("wb") as file:
            try:
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)
            except requests.RequestException as error:
                raise RestFailed(f"A download broke off: {error}", status_code=NOBODY) from error

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        """Ask one member after the other, for a while, until one of them leads."""
        errors: list[str] = []
        for member in self._tries():
            try:
                answer = self._session.request(
                    method, self._url(member) + path, timeout=(CONNECT_S, READ_S), **more
                )
            except requests.RequestException as error:
                errors = [*errors[-5:], f"{member}: {error}"]
                continue
            if answer.ok:
                return answer
            failed = refusal(answer)
            if _leads(failed):
                raise failed
            errors = [*errors[-5:], f"{member}: {failed}"]
        raise RestFailed(f"No member of the cluster leads: {'; '.join(errors)}", status_code=NOBODY)

    def _url(self, member: str) -> str:
        settings = self._folder.settings()
        host = f"[{member}]" if ":" in member else member
        return f"{settings.rest_protocol}://{host}:{settings.rest_port}/api/v3.1"

    def _tries(self) -> Iterator[str]:
        """Members in turn, the active one first; after each round a pause, until patience ends."""
        until_s, wait_s = time.monotonic() + self._patience_s, 0.5
        while True:
            yield from self._folder.in_turn()
            if time.monotonic() + wait_s > until_s:
                return
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def refusal(answer: requests.Response) -> RestFailed:
    """What a member has answered that did not do what was asked."""
    try:
        told = answer.json()
    except ValueError:
        told = {}
    message = told.get("message") or answer.reason
    return RestFailed(
        f"{answer.status_code}: {message}",
        status_code=answer.status_code,
        error_code=told.get("error_code"),
    )


def _leads(error: RestFailed) -> bool:
    if error.status_code == UNAVAILABLE:
        return bool(error.error_code == MAINTENANCE)
    return error.error_code not in NOT_LEADING
