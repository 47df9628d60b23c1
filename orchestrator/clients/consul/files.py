"""What the members share about the replicated files (``docs/safety.md``, "Files")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.clients.consul import keys
from orchestrator.clients.consul.codec import decode, encode
from orchestrator.clients.consul.connection import ABSENT, Pair, next_index
from orchestrator.clients.consul.connection import pair as pair_of
from orchestrator.clients.consul.lease import LeaseOperations
from orchestrator.model.errors import LeaseLost, Stale, StaleTerm
from orchestrator.model.files import FilesRecord, FilesReport

ATTEMPTS = 20


class FileOperations(LeaseOperations):
    """The files record, which only the leader writes, and the reports of the replicas."""

    def files_record(self) -> FilesRecord | None:
        """The record now, as a majority confirms it; None before the first leader has written one."""
        return _record_of(self._pairs(keys.FILES).get(keys.FILES, ABSENT))

    def bump_files(self, session: str, term: int, **changes: Any) -> FilesRecord:
        """As the leader of ``term``: say that the files have changed. Returns the record that was written.

        ``changes``: other fields of the record that change as well. In a new term it begins as not complete.
        No two writes get the same generation. Raises ``LeaseLost``, ``StaleTerm``, and ``Stale`` when others
        were faster again and again.
        """

        def next_record(present: Pair) -> FilesRecord:
            known = _record_of(present) or FilesRecord(term, 0)
            base = known if known.term == term else FilesRecord(term, known.generation)
            return replace(base, generation=base.generation + 1, **changes)

        for _ in range(ATTEMPTS):
            try:
                return self._change_as_leader(session, term, keys.FILES, next_record)
            except (LeaseLost, StaleTerm):
                raise
            except Stale:
                continue
        raise Stale("The files record was written to by too many at once.")

    def report_files(self, report: FilesReport) -> None:
        """Say what this node has mirrored; wakes nobody's loop."""
        self._api.kv.put(keys.FILE_REPORTS + self.me, encode(report))

    def file_reports(self, index: int = 0, wait_s: float = 0.0) -> tuple[Mapping[str, FilesReport], int]:
        """What each node has reported, and the index for the next call.

        With an ``index`` it returns when something has changed since, or after ``wait_s``.
        """
        waiting = (
            {"index": index, "wait": f"{max(wait_s, 0.01):.3f}s"} if index else {"consistency": "consistent"}
        )
        now, found = self._api.kv.get(keys.FILE_REPORTS, recurse=True, **waiting)
        pairs = map(pair_of, found or ())
        reports = {
            pair.key.removeprefix(keys.FILE_REPORTS): decode(FilesReport, pair.value, pair.key)
            for pair in pairs
        }
        return reports, next_index(index, now)


def _record_of(pair: Pair) -> FilesRecord | None:
    return None if pair is ABSENT else decode(FilesRecord, pair.value, keys.FILES)
