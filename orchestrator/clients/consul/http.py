"""How requests reach Consul: python-consul2 above, a transport of our own below.

The library's own transport waits for ever, and follows proxies and other settings of the environment.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from consul.base import Consul as LibraryConsul
from consul.base import Response

from orchestrator.config import NodeConfig
from orchestrator.model.errors import ConsulUnavailable

WAIT_SLACK_S = 1.0

# Consul answers 404 for a key that is not there and 409 for a transaction that was refused: both are answers.
ANSWERS = frozenset({200, 404, 409})

Callback = Callable[[Any], Any]
Params = Iterable[tuple[str, object]] | None


class ConsulComplained(ConsulUnavailable):
    """Consul's agent answered, with an error; ``text`` is what it said."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"Consul answered {code}: {text.strip()[:300]}")
        self.text = text


def endpoint(host: str, port: int) -> str:
    """``host:port``, with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Transport:
    """The four verbs that python-consul2 needs, each bounded by ``timeout_s``."""

    def __init__(self, address: str, ssl: Path, timeout_s: float) -> None:
        self._base = f"https://{address}"
        self._ssl = ssl
        self._timeout_s = timeout_s
        self._pool: tuple[int, requests.Session] | None = None

    def get(self, callback: Callback, path: str, params: Params = None, headers: Any = None) -> Any:
        """Ask. A blocking query is given the time that it may take."""
        return self._ask(callback, "GET", path, params, headers=headers)

    def put(
        self, callback: Callback, path: str, params: Params = None, data: Any = "", headers: Any = None
    ) -> Any:
        """Write."""
        return self._ask(callback, "PUT", path, params, headers=headers, data=data)

    def post(
        self, callback: Callback, path: str, params: Params = None, headers: Any = None, data: Any = ""
    ) -> Any:
        """Write."""
        return self._ask(callback, "POST", path, params, headers=headers, data=data)

    def delete(
        self, callback: Callback, path: str, params: Params = None, data: Any = "", headers: Any = None
    ) -> Any:
        """Delete."""
        return self._ask(callback, "DELETE", path, params, headers=headers, data=data)

    def _ask(self, callback: Callback, verb: str, path: str, params: Params, **content: Any) -> Any:
        params = list(params or ())
        try:
            answer = self._session().request(
                verb,
                self._base + quote(path, safe="/"),
                params=[(name, str(value)) for name, value in params],
                **content,
                timeout=(self._timeout_s, self._timeout_s + _wait_s(params)),
                verify=str(self._ssl / "ca.pem"),
                cert=(str(self._ssl / "node.pem"), str(self._ssl / "node.key")),
                allow_redirects=False,
            )
        except OSError as error:
            raise ConsulUnavailable(f"Consul at {self._base} did not answer: {_innermost(error)}") from error
        if answer.status_code not in ANSWERS:
            raise ConsulComplained(answer.status_code, answer.text)
        return callback(Response(answer.status_code, answer.headers, answer.text, answer.content))

    def _session(self) -> requests.Session:
        # Two processes that talk over one inherited TLS connection would garble it: each has its own pool.
        if self._pool is None or self._pool[0] != os.getpid():
            session = requests.Session()
            session.trust_env = False
            self._pool = (os.getpid(), session)
        return self._pool[1]


def _innermost(error: BaseException) -> BaseException:
    """What went wrong in the first place; what the libraries wrap around it says the same, at length."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _wait_s(params: Iterable[tuple[str, object]]) -> float:
    """How long Consul may hold the request; it adds up to a sixteenth, so that not all come back at once."""
    wait = str(dict(params).get("wait", ""))
    return float(wait.removesuffix("s")) * 17 / 16 + WAIT_SLACK_S if wait else 0.0


class Library(LibraryConsul):  # type: ignore[misc]  # python-consul2 has no types
    """python-consul2 over ``Transport``."""

    def __init__(self, config: NodeConfig, timeout_s: float) -> None:
        # Set first, because the library's constructor asks for it.
        self._transport = Transport(
            endpoint(config.api_host, config.ports.consul_api), config.paths.ssl, timeout_s
        )
        with warnings.catch_warnings():
            # It warns of parts of Consul's API that are not used here.
            warnings.simplefilter("ignore", DeprecationWarning)
            super().__init__()

    def http_connect(self, *_: object, **__: object) -> Transport:
        """The transport; what the library found in the environment is not used."""
        return self._transport
