"""Requests to whoever leads: one pass over the members of a profile."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import click

from cli.errors import NOT_LEADER, REMOVED, CliError, Denied, Failure, NoManager, Rejected
from cli.profile import Profile
from cli.wire import (
    READ_TIMEOUT_S,
    TRANSFER_TIMEOUT_S,
    Answer,
    Content,
    Query,
    Receiver,
    Request,
    Target,
    Unreachable,
    exchange,
    tls_context,
)

Trace = Callable[[str], None]
QueryValue = str | int | Sequence[str] | None


def path(*parts: str) -> str:
    """A resource's path, with whatever a name holds made harmless.

    Raises ``click.UsageError`` when one can be no name: it would stand for another path.
    """
    for part in parts:
        if not part or "/" in part:
            raise click.UsageError(f"{part!r} cannot be a name: it may not be empty, nor hold a slash.")
    return "".join("/" + quote(part, safe="") for part in parts)


class Api:
    """The REST API of a cluster.

    Each request goes to who led last; when that member does not answer or does not lead, to the next one, and
    so on, once round. When the connection broke after a request was sent, it may have been carried out: a
    conflict (or on a DELETE "not found") that another member then answers says that it was, and is a success.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        trace: Trace = lambda _: None,
        on_leader: Trace = lambda _: None,
        on_minority: Callable[[str, str], None] = lambda _, __: None,
        more_ca_files: Iterable[str] = (),
    ) -> None:
        """``on_leader`` is told the address of a member that leads when it is not the one that led before.

        ``on_minority`` is told that of one that answers without the majority of its cluster, and how it acts.

        Raises ``CliError`` when the CA file cannot be read.
        """
        self.profile = profile
        self._trace = trace
        self._on_leader = on_leader
        self._on_minority = on_minority
        self._order = list(profile.addresses())
        self._leader = profile.leader
        self._tls = _tls(profile, more_ca_files) if profile.protocol == "https" else None

    def get(self, where: str, **query: QueryValue) -> Any:
        """Read a resource."""
        return self.request("GET", where, query=query)

    def put(self, where: str, body: Any, *, answer_needed: bool = False) -> Any:
        """Create a resource. ``answer_needed``: a conflict after a broken connection is no success."""
        return self.request("PUT", where, body=body, answer_needed=answer_needed)

    def post(self, where: str, body: Any = None) -> Any:
        """Change a resource, or create it."""
        return self.request("POST", where, body=body)

    def patch(self, where: str, body: Any) -> Any:
        """Change a resource."""
        return self.request("PATCH", where, body=body)

    def delete(self, where: str, body: Any = None, **query: QueryValue) -> Any:
        """Delete a resource."""
        return self.request("DELETE", where, query=query, body=body)

    def upload(self, where: str, content: Content | None, **query: QueryValue) -> Any:
        """Create a resource from a file (None: from a URL, in ``query``); each member gets all of it.

        A manager recognises a repeat by its bytes, and answers it like the first: a conflict is a refusal,
        always.
        """
        return self.request(
            "PUT", where, query=query, content=content, answer_needed=True, timeout_s=TRANSFER_TIMEOUT_S
        )

    def download(self, where: str, receive: Receiver) -> Any:
        """Fetch a file; ``receive`` gets it anew from each member, until one has sent all of it."""
        return self.request("GET", where, receive=receive)

    def items(self, where: str, **query: QueryValue) -> list[dict[str, Any]]:
        """All the entries of a list, however many pages it has."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(where, **query, _offset=len(found) or None)
            if isinstance(page, list):
                return page
            found += page["items"]
            total = page.get("metadata", {}).get("pagination", {}).get("total", 0)
            if not page["items"] or len(found) >= total:
                return found

    def request(
        self,
        method: str,
        where: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content: Content | None = None,
        receive: Receiver | None = None,
        answer_needed: bool = False,
        timeout_s: float = READ_TIMEOUT_S,
    ) -> Any:
        """Ask the members in turn, and return what the first one that leads answers.

        Raises ``Rejected`` when it refuses, ``NoManager`` when there is none. Returns None when the request
        was carried out by a member that could not say so any more.
        """
        request = Request(method, where, query or {}, body, self._headers(), content, receive, timeout_s)
        failures: list[Failure] = []
        for address in tuple(self._order):
            outcome = self._ask(address, request)
            if isinstance(outcome, Answer):
                self._remember(address)
                return _judge(
                    outcome, request, after_drop=_may_be_done(failures), answer_needed=answer_needed
                )
            failures.append(outcome)
        raise NoManager(failures)

    def _ask(self, address: str, request: Request) -> Answer | Failure:
        started_s = time.monotonic()
        label = f"{request.method} {self.profile.protocol}://{address}:{self.profile.port}{request.url}"
        try:
            answer = exchange(Target(address, self.profile.port, self._tls), request)
        except Unreachable as error:
            self._trace(f"{label} -> {error}")
            # What only reads may be asked again, whatever has become of it.
            return Failure(address, str(error), sent=error.sent and request.method != "GET")
        self._trace(
            f"{label} -> {answer.status} {answer.error_code} ({(time.monotonic() - started_s) * 1000:.0f} ms)"
        )
        if answer.minority and answer.error_code != NOT_LEADER:
            self._on_minority(address, answer.minority)
        if answer.error_code in {NOT_LEADER, REMOVED}:
            return Failure(address, answer.message, answer.error_code)
        return answer

    def _remember(self, address: str) -> None:
        self._order.remove(address)
        self._order.insert(0, address)
        if address != self._leader:
            self._leader = address
            self._on_leader(address)

    def prefer(self, address: str) -> None:
        """Ask this member first from now on: it is expected to lead soon."""
        self._order = [address, *(other for other in self._order if other != address)]

    def _headers(self) -> Mapping[str, str]:
        profile = self.profile
        if profile.token:
            return {"Authentication-Token": profile.token, "Tenant": profile.tenant}
        pair = f"{profile.username}:{profile.password or ''}".encode()
        return {"Authorization": "Basic " + b64encode(pair).decode(), "Tenant": profile.tenant}


def _tls(profile: Profile, more_ca_files: Iterable[str]) -> Any:
    ca_files = tuple(dict.fromkeys(name for name in (profile.ca_file, *more_ca_files) if name))
    try:
        return tls_context(ca_files, trust_all=profile.trust_all)
    except OSError as error:
        raise CliError(
            f"The CA file cannot be used: {', '.join(ca_files)}: {error.strerror or error}",
            "Name another one: cfy profiles set --ssl-ca-file FILE",
        ) from error


def _may_be_done(failures: list[Failure]) -> bool:
    return any(failure.sent for failure in failures)


def _judge(answer: Answer, request: Request, *, after_drop: bool, answer_needed: bool) -> Any:
    if answer.ok:
        return answer.body
    done = {HTTPStatus.NOT_FOUND} if request.method == "DELETE" else {HTTPStatus.CONFLICT}
    if after_drop and request.method != "GET" and answer.status in done and not answer_needed:
        return None
    denied = answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    kind = Denied if denied else Rejected
    raise kind(answer.status, answer.error_code, answer.message, after_drop=after_drop)
