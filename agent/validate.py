"""Looks whether an agent, as it is configured, would find a leader."""

from __future__ import annotations

from typing import Any

import requests

from agent.settings import Folder

TIMEOUT_S = 5.0
UNKNOWN_CALLER = 401
REFUSED = 400


def validated(folder: Folder) -> dict[str, Any]:
    """For the broker and for the REST service: which member leads, or what each of them says."""
    return {"broker": _outcome(_broker(folder)), "rest": _outcome(_rest(folder))}


def _outcome(errors: dict[str, str | None]) -> dict[str, Any]:
    leader = next((member for member, error in errors.items() if error is None), None)
    told = {member: error for member, error in errors.items() if error is not None}
    return {"ok": leader is not None, "leader": leader, "others": told}


def _broker(folder: Folder) -> dict[str, str | None]:
    from agent.brokers import brokers, ping  # noqa: PLC0415  # Celery takes its time to be imported

    return {broker.host: ping(broker) for broker in brokers(folder)}


def _rest(folder: Folder) -> dict[str, str | None]:
    return {member: _ask(folder, member) for member in folder.in_turn()}


def _ask(folder: Folder, member: str) -> str | None:
    """What is wrong with a member's REST service; None when it leads."""
    settings = folder.settings()
    host = f"[{member}]" if ":" in member else member
    url = f"{settings.rest_protocol}://{host}:{settings.rest_port}/api/v3.1/status"
    headers = {"Authentication-Token": settings.token} if settings.token else {}
    with requests.Session() as session:
        # As the agent itself asks: the environment's proxies lead nowhere inside of a cluster's network.
        session.trust_env = False
        try:
            answer = session.get(url, headers=headers, verify=str(folder.ca_file), timeout=TIMEOUT_S)
        except requests.RequestException as error:
            return str(error)
    # A member that does not lead says so to anybody; whoever asks for a name leads.
    if answer.ok or (answer.status_code == UNKNOWN_CALLER and not settings.token):
        return None
    from agent.rest import refusal  # noqa: PLC0415  # what it needs takes its time to be imported

    return str(refusal(answer))
