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
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLL_S = 0.005
EXEMPT = frozenset({"/api/version"})


class Verdict(Enum):
    """What this manager is at this moment."""

    ALONE = auto()  # in no cluster: it serves
    LEADING = auto()  # it serves
    MINORITY = auto()  # it serves without the majority of its cluster, and says so
    READ_ONLY = auto()  # it has lost the majority too, and only lets read
    UNDECIDED = auto()  # an election is going on
    NOT_LEADING = auto()
    REMOVED = auto()


SERVING = frozenset({Verdict.ALONE, Verdict.LEADING, Verdict.MINORITY})

MINORITY_HEADER = b"cloudify-minority-mode"
WAYS = {Verdict.MINORITY: b"active", Verdict.READ_ONLY: b"read_only"}
"""What the header says of a manager that has lost the majority of its cluster."""

READING = frozenset({"GET", "HEAD"})
STATUS = "/api/v3.1/status"
STARTING = "/api/v3.1/executions"

NOT_CLUSTER_MASTER = errors.body(
    "This node is a replica of a Cloudify Manager cluster. It is not the active manager in the cluster.",
    "not_cluster_master",
)
ONLY_READ = errors.body(
    "This node has lost the majority of its cluster, and only lets read (minority mode). It is not the "
    "active manager in the cluster.",
    "not_cluster_master",
)
NO_WORKFLOWS = errors.body(
    "This manager has lost the majority of its cluster (minority mode). It runs no workflows until that is "
    "back: the other members may be running them.",
    "illegal_action_error",
)
REMOVED_FROM_CLUSTER = errors.body(
    "This node was removed from the Cloudify Manager cluster", "removed_from_cluster"
)

GetVerdict = Callable[[], Verdict]


REFUSALS = {
    Verdict.REMOVED: REMOVED_FROM_CLUSTER,
    Verdict.READ_ONLY: ONLY_READ,
    Verdict.MINORITY: NO_WORKFLOWS,
}


def refusal(verdict: Verdict) -> bytes:
    """The body of the 400 that a manager answers with to what it does not serve."""
    return json.dumps(REFUSALS.get(verdict, NOT_CLUSTER_MASTER)).encode()


def serves(verdict: Verdict, method: str, path: str) -> bool:
    """Whether a request is passed on.

    Who only lets read does not tell load balancers that it is the leader. Workflows reach out to the world,
    which nobody can bring back when two sides meet again.
    """
    if verdict is Verdict.READ_ONLY:
        return method in READING and path != STATUS
    if verdict is Verdict.MINORITY:
        return method in READING or not path.startswith(STARTING)
    return verdict in SERVING


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
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Some load balancers look with HEAD. The server leaves the body out by the original scope.
        get = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        if scope["path"] in EXEMPT:
            await self.app(get, receive, send)
            return
        verdict = self.get_verdict()
        if verdict is Verdict.UNDECIDED:
            verdict = await hold(self.get_verdict, {Verdict.UNDECIDED}, self.hold_s)
        if verdict in WAYS:
            send = _saying(WAYS[verdict], send)
        if serves(verdict, scope["method"], scope["path"]):
            await self.app(get, receive, send)
        else:
            await _refuse(send, refusal(verdict))


def _saying(way: bytes, send: Send) -> Send:
    """Add the header to the answer."""

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (MINORITY_HEADER, way)]}
        await send(message)

    return send_with_header


async def _refuse(send: Send, content: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": content})
