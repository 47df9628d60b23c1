"""The lease as this machine knows it, in shared memory: the tick writes it, the guard and REST read it.

It says until when this node may act as the leader. Whoever reads it needs neither Consul nor Celery, so a
hung worker or a dead broker cannot make anyone believe in a lease that is over.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from orchestrator.clients import clock
from orchestrator.clients.files import write_atomically


@dataclass(frozen=True, slots=True)
class LeaseState:
    """What the last tick knew. ``valid_until_s`` is on CLOCK_BOOTTIME.

    ``held``: this node holds the lease. ``serving``: and has finished becoming the leader.
    ``opened``: it has let writes in, after that tick; the next one says whether it is ``serving``.
    ``settled``: it is known who leads, so that waiting for an election is pointless.
    ``confirmed_until_s``: until when the members follow this node although Consul cannot be asked.
    ``term`` and ``leader`` are those of the newest look at Consul that succeeded.
    ``minority``: how this node acts without the majority; empty while it does not. ``cut_off``: that look was
    not the last one. ``led``, ``place``: what other members that are cut off ask for (``Standing``).
    """

    member: bool = False
    removed: bool = False
    term: int = 0
    held: bool = False
    valid_until_s: float = 0.0
    confirmed_until_s: float = 0.0
    serving: bool = False
    opened: bool = False
    settled: bool = True
    leader: str | None = None
    minority: str = ""
    cut_off: bool = False
    led: bool = False
    place: tuple[int, int, int] = (0, 0, 0)

    @property
    def serves(self) -> bool:
        """Whether this node is in office, for as long as its lease is valid."""
        return self.serving or self.opened

    def leads(self, at_s: float) -> bool:
        """Whether this node may act as the leader at ``at_s``."""
        return self.serves and at_s < self.valid_until_s


def read(path: Path) -> LeaseState | None:
    """The state on file; None when there is none that can be read, which means: not the leader.

    One from the future is none either. The machine was started since: its clock has begun again at 0, so a
    lease that is long over would seem to last for days. That can only be where the folder is not in memory
    after all. (The kernel's boot id would tell as well, but is not the same for all services of a container.)
    """
    try:
        content = json.loads(path.read_bytes())
        return LeaseState(**content) if content.pop("written_at_s", math.inf) <= clock.now_s() else None
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def write(path: Path, state: LeaseState) -> None:
    """Replace the state in one step. It lives in memory, so it is not synced to disk."""
    content = {**asdict(state), "written_at_s": clock.now_s()}
    write_atomically(path, json.dumps(content), mode=0o644, durable=False)


def open_gate(path: Path, term: int) -> None:
    """Have this node serve at once, if by the last tick it holds the lease in ``term``.

    Said by the last step into office, which has made sure of everything that a tick would look for. A tick
    that writes at the same moment may be overwritten; then its word is missing until the next one, and what
    is in force until then ends with the older of two renewals.
    """
    state = read(path)
    if state is not None and state.held and not state.removed and state.term == term:
        write(path, replace(state, opened=True))
