"""How requests reach Consul: python-consul2 above, a transport of our own below.

The library's own transport waits for ever, and follows proxies and other settings of the environment. Ours
stands on the standard library alone: a node asks Consul several times a second, all day long, and this takes
a quarter of the processor time and half of the wall time that ``requests`` takes, and less memory.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from orchestrator.clients.consul.library import LibraryConsul, Response
from orchestrator.clients.consul.links import Links
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

    def __init__(self, host: str, port: int, ssl: Path, timeout_s: float, *, any_date: bool = False) -> None:
        self._links = Links(host, port, ssl, any_date=any_date)
        self._address = endpoint(host, port)
        self._timeout_s = timeout_s
        self._over_at_s = math.inf

    @contextmanager
    def within(self, timeout_s: float) -> Iterator[None]:
        """Have one bound more for a while, over all requests together."""
        self._over_at_s = time.monotonic() + timeout_s
        try:
            yield
        finally:
            self._over_at_s = math.inf

    def _bound_s(self) -> float:
        left_s = self._over_at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the time for all requests is over")
        return min(self._timeout_s, left_s)

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
        params = [(name, str(value)) for name, value in params or ()]
        target = quote(path, safe="/") + ("?" + urlencode(params) if params else "")
        data = content.get("data")
        body = data.encode() if isinstance(data, str) else data
        try:
            with self._links.link(self._bound_s()) as link:
                # To connect may have taken a part of the time.
                link.sock.settimeout(self._bound_s() + _wait_s(params))
                link.request(verb, target, body=body, headers=content.get("headers") or {})
                answer = link.getresponse()
                received = answer.read()
        except (OSError, HTTPException) as error:
            why = str(error) or type(error).__name__
            raise ConsulUnavailable(f"Consul at {self._address} did not answer: {why}") from error
        text = received.decode(errors="replace")
        if answer.status not in ANSWERS:
            raise ConsulComplained(answer.status, text)
        return callback(Response(answer.status, answer.headers, text, received))


def _wait_s(params: Iterable[tuple[str, object]]) -> float:
    """How long Consul may hold the request; it adds up to a sixteenth, so that not all come back at once."""
    wait = str(dict(params).get("wait", ""))
    return float(wait.removesuffix("s")) * 17 / 16 + WAIT_SLACK_S if wait else 0.0


class Library(LibraryConsul):  # type: ignore[misc]  # python-consul2 has no types
    """python-consul2 over ``Transport``."""

    def __init__(self, config: NodeConfig, timeout_s: float, *, any_date: bool = False) -> None:
        """``any_date``: the agent's certificate may have ended."""
        # Set first, because the library's constructor asks for it.
        self._transport = Transport(
            config.api_host, config.ports.consul_api, config.paths.ssl, timeout_s, any_date=any_date
        )
        with warnings.catch_warnings():
            # It warns of parts of Consul's API that are not used here.
            warnings.simplefilter("ignore", DeprecationWarning)
            super().__init__()

    def http_connect(self, *_: object, **__: object) -> Transport:
        """The transport; what the library found in the environment is not used."""
        return self._transport
