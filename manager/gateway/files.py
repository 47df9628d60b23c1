"""An uploaded file outlives its leader: it is acknowledged when replicas have it (``docs/adr/0010``)."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from manager import errors
from manager.gateway.connection import Connection, Json, translated
from orchestrator.clients.clock import now_s
from orchestrator.model.errors import ClusterError, ConsulUnavailable
from orchestrator.model.files import FilesRecord, FilesReport
from orchestrator.model.snapshot import ClusterView
from orchestrator.record import session

log = logging.getLogger(__name__)

ALIVE = frozenset({"consul", "heartbeat"})
POLL_S = 0.05
LOOK_AGAIN_S = 1.0
"""How often it is looked whether replicas are still well, while their reports are waited for."""


class _Absence:
    """For how long nobody was well. When Consul is back, members are well before it has heard of that."""

    def __init__(self, bearable_s: float) -> None:
        self._bearable_s = bearable_s
        self._since_s: float | None = None

    def is_too_long(self, *, well: bool) -> bool:
        """Whether nobody is well, and nobody has been for longer than is bearable."""
        self._since_s = None if well else (self._since_s or now_s())
        return self._since_s is not None and now_s() - self._since_s >= self._bearable_s


class Files(Connection):
    """Telling the cluster of changed files, and waiting until they are safe."""

    def protect_files(self, timeout_s: float) -> None:
        """Wait until whatever lies in the replicated folders now survives the loss of this machine.

        As many members of the sync record must report it as confirm each commit. With no healthy replica that
        has ever had all files, which is logged, and in a manager that is alone nobody is waited for. Raises
        ``Unavailable`` when healthy replicas did not confirm within ``timeout_s``, or when this manager leads
        no more.
        """
        deadline_s = now_s() + timeout_s
        if not self.is_member():
            return
        if self.minority():
            log.warning("Unprotected: in minority mode files are on this machine only.")
            return
        with translated():
            wanted = self._bump()
            reports, index = self.consul().file_reports()
            absence = _Absence(self.config.timing.heartbeat_ttl_s)
            while not self._is_safe(wanted, reports, absence):
                left_s = deadline_s - now_s()
                if left_s <= 0:
                    raise errors.Unavailable(
                        f"The files were not confirmed by enough replicas within {timeout_s:g} s."
                    )
                reports, index = self.consul().file_reports(index, min(left_s, LOOK_AGAIN_S))

    def files_changed(self) -> None:
        """Have the replicas follow a change, a deletion for example, without waiting for them. Never raises.

        What goes wrong is only logged: replicas compare everything from time to time.
        """
        if not self.is_member() or self.minority():
            return
        try:
            self._bump()
        except ClusterError as error:
            log.warning("The replicas were not told of changed files: %s", error)

    @contextmanager
    def files_held(self, timeout_s: float) -> Iterator[None]:
        """Have the cluster's own work leave the replicated folders alone for the length of the block.

        Whoever brings units in before their rows, and is no upload with a lock of its own (a restore), would
        see them swept otherwise. Raises ``Unavailable`` when that work does not end within ``timeout_s``.
        """
        lock = self.paths.files_lock
        lock.parent.mkdir(parents=True, exist_ok=True)
        deadline_s = now_s() + timeout_s
        with lock.open("w") as held:
            while not _locked(held):
                if now_s() > deadline_s:
                    raise errors.Unavailable("The replicated folders are in use by a transfer.")
                time.sleep(POLL_S)
            yield

    def files_state(self) -> Json | None:
        """How the replication of files stands; None when there is none, or nobody can tell at the moment."""
        if not self.is_member():
            return None
        try:
            view = self.consul().view()
        except ConsulUnavailable:
            return None
        if view.files is None:
            return None
        return {
            "generation": view.files.generation,
            "complete": view.files.complete,
            "missing": view.files.missing,
            "nodes": {name: files_of(name, view) for name in sorted(view.members)},
        }

    def _bump(self) -> FilesRecord:
        own, consul = session.read(self.config) or "", self.consul()
        return consul.bump_files(own, consul.read_lease().term)

    def _is_safe(self, wanted: FilesRecord, reports: Mapping[str, FilesReport], absence: _Absence) -> bool:
        """Whether enough members have reported ``wanted``. Raises ``Unavailable`` in another term."""
        view, health = self.consul().view(), self.consul().health()
        if view.lease.term != wanted.term or view.record is None or view.record.term != wanted.term:
            raise errors.Unavailable("Another term has begun; it is not known whether the files are safe.")
        # Who has never reported is still in its first transfer, which takes as long as there are files.
        mirrors = view.record.members & frozenset(view.members) & frozenset(reports)
        well = any(health.get(name, frozenset()) >= ALIVE for name in mirrors)
        if not mirrors or absence.is_too_long(well=well):
            log.warning("Unprotected: files of generation %d are on this machine only.", wanted.generation)
            return True
        having = sum(_covers(reports[name], wanted) for name in mirrors)
        return having >= max(1, min(view.record.k, len(mirrors)))


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _covers(report: FilesReport, wanted: FilesRecord) -> bool:
    return report.term == wanted.term and report.generation >= wanted.generation


def files_of(name: str, view: ClusterView) -> Json | None:
    """How far a node's files are: ``generation``, and how many changes of the leader's it is ``behind``.

    None when that cannot be told: nobody has said anything of files yet, or not this node.
    """
    if view.files is None:
        return None
    if name == view.lease.holder:
        return {"generation": view.files.generation, "behind": 0}
    report = view.file_reports.get(name)
    if report is None:
        return None
    behind = max(0, view.files.generation - report.generation)
    # What it has is another leader's, until it has followed the present one.
    return {"generation": report.generation, "behind": max(behind, int(report.term != view.files.term))}
