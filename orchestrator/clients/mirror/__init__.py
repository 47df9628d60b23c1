"""The replicated files: this node's own tree, and fetching units from other members over SSH with rsync.

A unit is one folder, ``<kind>/<tenant>/<id>/<32 hexadecimal digits>``. It is complete when it is in the tree,
and never changes: it is made beside the tree, synced, and renamed into its place, by uploads and here alike.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.clients.mirror.transfer import Transfer, unit_of
from orchestrator.clients.mirror.tree import Tree
from orchestrator.config import NodeConfig
from orchestrator.model.errors import Unfinished
from orchestrator.model.snapshot import Member

__all__ = ["Mirror"]


class Mirror:
    """What the cluster does with the files of one node. Every call is bounded in time.

    What asks another member raises ``PeerUnavailable`` when that cannot be reached, or fails, and
    ``Unfinished`` when the time is over; the next call goes on with what has arrived.
    """

    def __init__(self, config: NodeConfig) -> None:
        self._lock = config.paths.files_lock
        self._tree = Tree(config)
        self._transfer = Transfer(config)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Change the tree for the length of the block as the only one. Raises ``Unfinished`` at once if not.

        The lock is also held by every rsync that is started in the block. So nothing is at work in the tree
        beside the next holder, also when the process that began was killed.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._transfer.lock = descriptor
            yield
        except BlockingIOError as error:
            raise Unfinished("an earlier transfer of files has not ended yet") from error
        finally:
            self._transfer.lock = None
            os.close(descriptor)

    def units(self) -> frozenset[str]:
        """The units that are here."""
        return self._tree.units()

    def units_of(self, member: Member) -> frozenset[str]:
        """The units that ``member`` has."""
        return self._transfer.units_of(member)

    def in_flight(self, units: Iterable[str]) -> frozenset[str]:
        """Those of ``units`` whose upload is still under way on this node."""
        return self._tree.in_flight(units)

    def fetch(self, member: Member, units: frozenset[str]) -> int:
        """Have ``units`` of ``member`` here as well, each of them whole or not at all, synced to disk.

        Returns how many have come; one that the member no longer has is left out.
        """
        self._tree.discard_arrived()
        if units:
            self._transfer.fetch(member, units)
        return self._tree.place(units)

    def mend(self, member: Member, units: frozenset[str], *, by_content: bool, delete: bool) -> int:
        """Have the content of ``units``, which both have, be that of ``member``; how many files were mended.

        ``by_content``: compare checksums, not size and time. ``delete``: also what only this node has.
        """
        how = {"by_content": by_content, "delete": delete}
        # One look at the whole tree is quicker than one into each unit, and usually finds nothing.
        differing = self._transfer.differing(member, **how) if units else ()
        names = [name for name in differing if unit_of(name) in units]
        mended = sum(self._transfer.mend(member, part, **how) for part in self._transfer.parts(names))
        if mended:
            self._tree.sync()
        return mended

    def copy(self, folder: Path) -> int:
        """Have all units that are here in ``folder`` as well, without taking room; returns how many."""
        return self._tree.copy(folder)

    def remove(self, units: Iterable[str]) -> None:
        """Remove ``units``, each of them in one step."""
        self._tree.remove(units)
