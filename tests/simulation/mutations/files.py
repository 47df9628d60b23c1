"""The replicated files: what makes an acknowledged upload outlive its leader."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from manager.gateway import files as gateway_files
from orchestrator.act import files as act_files
from tests.simulation.files import SimGateway, SimMirror, SimProduct
from tests.simulation.mutations.catalogue import Swap, mutation
from tests.simulation.mutations.climates import UPLOADS
from tests.simulation.mutations.stories import an_upload_is_killed_while_its_row_waits


@mutation("a replica deletes what a leader lacks that has not gathered yet", climate=UPLOADS)
def deleted_before_complete(swap: Swap) -> None:
    followed = act_files._followed

    def pretend(clients: Any, action: Any) -> Any:
        record, leader = followed(clients, action)
        return replace(record, complete=True), leader

    swap(act_files, "_followed", pretend)
    # The replica's own rows would keep most of it.
    swap(SimProduct, "named", _named_on_primaries(SimProduct.named))


def _named_on_primaries(named: Any) -> Any:
    return lambda self: named(self) if self._machine.database.is_primary else frozenset()


@mutation("an upload is acknowledged before a replica has reported it", climate=UPLOADS)
def acknowledged_without_report(swap: Swap) -> None:
    swap(SimGateway, "_is_safe", lambda *_: True)


@mutation("a leader sweeps without looking whether an upload is under way", climate=UPLOADS)
def swept_in_flight(swap: Swap) -> None:
    swap(SimMirror, "in_flight", lambda self, units: frozenset())


@mutation(
    "a leader does not wait for transactions whose client has died",
    climate=UPLOADS,
    story=an_upload_is_killed_while_its_row_waits,
)
def swept_before_settled(swap: Swap) -> None:
    swap(SimProduct, "settle", lambda self, timeout_s: None)


@mutation("a new leader calls its files complete without looking", climate=UPLOADS)
def complete_without_gathering(swap: Swap) -> None:
    swap(act_files, "_missing", lambda clients: frozenset())


@mutation("a report of an earlier generation counts", climate=UPLOADS)
def earlier_reports_count(swap: Swap) -> None:
    swap(gateway_files, "_covers", lambda report, wanted: report.term == wanted.term)


@mutation("a replica reports a generation that was written after it has looked", climate=UPLOADS)
def newest_generation_reported(swap: Swap) -> None:
    report = act_files.FilesReport

    def newest(term: int, generation: int) -> Any:
        return report(term, generation + 1)

    swap(act_files, "FilesReport", newest)
