"""A node with one rule less: what its supervisord imports before it forks the node's services.

Which rule is written in the file ``mutation`` beside the node's configuration. The rules that are taken out
are those of the simulation, where they apply to what runs here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from manager.gateway import files as gateway_files
from orchestrator.clients.postgres import reading
from orchestrator.config import config_file
from tests.simulation.mutations import MUTATIONS
from tests.simulation.mutations.catalogue import Swap

FILE = "mutation"


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule less, and the scenario in which that shows."""

    apply: Callable[[Swap], None]
    scenario: str


def _detach_left_out(swap: Swap) -> None:
    MUTATIONS["detach_left_out"].apply(swap)
    # The real database says as well that what still streams has no final position.
    swap(reading.Reader, "final_position", lambda self: self._position(self._row()))


def _acknowledged_without_report(swap: Swap) -> None:
    swap(gateway_files.Files, "_is_safe", lambda *_: True)


DANGEROUS: Mapping[str, Mutation] = {
    "detach_left_out": Mutation(_detach_left_out, "database_goes_on"),
    "one_report_too_few": Mutation(MUTATIONS["one_report_too_few"].apply, "newest_are_away"),
    "acknowledged_without_report": Mutation(_acknowledged_without_report, "upload_and_lose"),
}
"""The most dangerous ones."""


def _apply() -> None:
    file = config_file().parent / FILE
    if file.exists():
        DANGEROUS[file.read_text().strip()].apply(setattr)


_apply()
