"""The gate: a manager that is not the leader refuses everything, in the words that clients understand.

A client goes on to the next member when it reads one of the two refusals below, and at nothing else. While
an election is going on a request is held for a short time: this member may be about to know that it leads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection
from enum import Enum, auto
from typing import TYPE_CHECKING

from manager import errors

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

POLL_S = 0.005
EXEMPT = frozenset({"/api/version"})


class Verdict(Enum):
    """What this manager is at this moment."""

    ALONE = auto()  # in no cluster: it serves
    LEADING = auto()  # it serves
    UNDECIDED = auto()  # an election is going on
    NOT_LEADING = auto()
    REMOVED = auto()


SERVING = frozenset({Verdict.ALONE, Verdict.LEADING})

NOT_CLUSTER_MASTER = errors.body(
    "This node is a replica of a Cloudify Manager cluster. It is not the active manager in the cluster.",
    "not_cluster_master",
)
REMOVED_FROM_CLUSTER = errors.body(
    "This node was removed from the Cloudify Manager cluster", "removed_from_cluster"
)

GetVerdict = Callable[[], Verdict]


def refusal(verdict: Verdict) -> bytes:
    """The body of the 400 that a manager which does not serve answers with."""
    return json.dumps(REMOVED_FROM_CLUSTER if verdict is Verdict.REMOVED else NOT_CLUSTER_MASTER).encode()


async def hold(get_verdict: GetVerdict, pending: Collection[Verdict], limit_s: float) -> Verdict:
    """Wait, for ``limit_s`` seconds at most, while the verdict is one of ``pending``; the last verdict."""
    clock = asyncio.get_running_loop().time
    deadline_s = clock() + limit_s
    while (verdict := get_verdict()) in pending and clock() < deadline_s:  # noqa: ASYNC110  # a file has no event
        await asyncio.sleep(POLL_S)
    return verdict


class Gate:
    """ASGI middleware that asks for the verdict on every request."""

    def __init__(self, app: ASGIApp, get_verdict: GetVerdict, hold_s: float) -> None:
        self.app = app
        self.get_verdict = get_verdict
        self.hold_s = hold_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self.app(scope, receive, send)
            return
        verdict = self.get_verdict()
        if verdict is Verdict.UNDECIDED:
            verdict = await hold(self.get_verdict, {Verdict.UNDECIDED}, self.hold_s)
        if verdict in SERVING:
            # Some load balancers look with HEAD. The server leaves the body out by the original scope.
            get = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
            await self.app(get, receive, send)
        else:
            await _refuse(send, refusal(verdict))


async def _refuse(send: Send, content: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": content})
