"""Waiting for a database that is away, in the process of a blueprint's own workflow.

Its function knows nothing of databases, and must not fail because a leader is drained or a connection is cut.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from manager.errors import OutcomeUnknown, Unavailable
from manager.workflows.model import Task
from manager.workflows.reading import Facts, Rows, Source

log = logging.getLogger(__name__)

T = TypeVar("T")

TRY_AGAIN_S = 0.5


def patiently(do: Callable[[], T]) -> T:
    """Do what can be done twice, until the database has answered.

    The bound is the engine's: when it has waited for long enough it ends, and this process with it. Whoever
    takes up the execution resumes it, so it does not fail here.
    """
    while True:
        try:
            return do()
        except (Unavailable, OutcomeUnknown) as error:
            log.warning("The workflow waits for the database: %s", error)
        time.sleep(TRY_AGAIN_S)


class PatientSource:
    """A ``Source`` that is asked until it answers."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def facts(self) -> Facts:
        """The execution."""
        return patiently(self._source.facts)

    def nodes_and_instances(self) -> Rows:
        """The deployment, as it is now."""
        return patiently(self._source.nodes_and_instances)

    def graph(self, name: str) -> tuple[Task, ...] | None:
        """The tasks of a graph."""
        return patiently(lambda: self._source.graph(name))

    def taken(self, ids: Collection[str]) -> set[str]:
        """Which of these ids some instance of the tenant has."""
        return patiently(lambda: self._source.taken(ids))
