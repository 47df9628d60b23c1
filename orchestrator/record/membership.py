"""Where this node stands towards a cluster, on its own disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.clients.files import write_atomically
from orchestrator.model.snapshot import MembershipState


@dataclass(frozen=True, slots=True)
class Membership:
    """``name`` and ``options`` are the node's own in its cluster; a manager that is alone has neither."""

    state: MembershipState = MembershipState.ALONE
    name: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)


def read(path: Path) -> Membership:
    """The membership on file; a machine without the file belongs to no cluster.

    A file that cannot be understood raises ``ValueError``: who does not know whether it is a member must
    not act as if it were none.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Membership()
    try:
        return Membership(MembershipState(content["state"]), content["name"], content["options"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: no membership can be read from it") from error


def write(path: Path, membership: Membership) -> None:
    """Replace the membership in one step, synced to disk."""
    content = {
        "state": membership.state.value,
        "name": membership.name,
        "options": dict(membership.options),
    }
    write_atomically(path, json.dumps(content))
