"""Following a start or a join on the manager that does it."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from cli.api import Api
from cli.errors import NOT_LEADER, CliError, NoManager
from cli.members import read_state
from cli.options import NewMember, is_ip_address
from cli.output import Output

FORMATION_TIMEOUT_S = 360
"""A little more than a manager itself allows: its own message says more than ours."""

MICROSECONDS = 1_000_000


def member_request(member: NewMember, address: str) -> dict[str, Any]:
    """What a manager is told of a new member; ``address`` is the default of its host ip.

    Raises ``CliError`` when that is a hostname.
    """
    host_ip = member.host_ip or address
    if not is_ip_address(host_ip):
        raise CliError(
            f"The profile has the hostname {address!r}, and the members of a cluster need IP addresses.",
            "Give this manager's address, as the others reach it: --cluster-host-ip IP",
        )
    name = member.node_name or f"cloudify_manager_{_random_letters(6)}"
    return {"host_ip": host_ip, "node_name": name, "options": dict(member.options)}


def _random_letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(count))


def refuse_member(api: Api) -> None:
    """Raise ``CliError`` when this manager belongs to a cluster already."""
    address = api.profile.address
    already = CliError(
        f"The manager at {address} already belongs to a cluster.", "See which: cfy cluster nodes list"
    )
    try:
        state = read_state(api)
    except NoManager as error:
        if error.all_say(NOT_LEADER):
            raise already from error
        raise
    if state["initialized"]:
        raise already


class Progress:
    """Asks a manager how far it is, and passes on what it says meanwhile."""

    def __init__(self, read: Callable[[str | None], Mapping[str, Any]], out: Output) -> None:
        """``read`` gives the cluster's state with the log lines after a cursor (None: with all of them)."""
        self._read = read
        self._out = out
        self._cursor: str | None = None

    @classmethod
    def over_rest(cls, api: Api, out: Output) -> Progress:
        """The progress of the one manager that ``api`` speaks to."""
        return cls(lambda since: read_state(api, _include="logs,initialized,error", since=since), out)

    def ask(self) -> Mapping[str, Any] | None:
        """The cluster's state once this manager is in it; None: not yet.

        Raises ``CliError`` when the manager has given up, ``NoManager`` when it is silent or does not lead.
        """
        state = self._read(self._cursor)
        for line in state.get("logs") or ():
            self._cursor = str(line["cursor"])
            self._out.progress(line["message"], line["timestamp"] / MICROSECONDS)
        if state.get("error"):
            raise CliError(state["error"])
        return state if state.get("initialized") else None
