"""What one turn of the engine has decided, execution by execution: one that is broken stops no other."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable

from manager.errors import OutcomeUnknown, Unavailable
from manager.workflows.model import Task
from manager.workflows.runs import Run, Wishes
from manager.workflows.store import Batch

log = logging.getLogger(__name__)

NOT_THEIRS = (Unavailable, OutcomeUnknown)
"""What the database does to all executions alike."""


class Turn:
    """``parts``: what is to be stored, by keys of executions. ``common``: what belongs to none of them."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s
        self.common = Batch()
        self.parts: defaultdict[int, Batch] = defaultdict(Batch)
        self._wishes: dict[int, Wishes] = {}

    def do(self, run: Run, step: Callable[[Batch], Wishes | None]) -> None:
        """Let an execution go a step. One that cannot has failed; of its turn nothing else is kept."""
        if run.ended:
            return
        try:
            wishes = step(self.parts[run.facts.pk])
        except NOT_THEIRS:
            raise
        except Exception as error:
            log.exception("Execution %s cannot be carried out.", run.facts.id)
            self.give_up(run, error)
        else:
            if wishes is not None:
                self._wishes[run.facts.pk] = wishes

    def give_up(self, run: Run, error: Exception) -> None:
        """It fails instead of whatever it was to do in this turn."""
        pk = run.facts.pk
        self._wishes.pop(pk, None)
        self.parts[pk] = Batch()
        run.fail(self.parts[pk], f"It cannot be carried out: {type(error).__name__}: {error}")

    def batch(self) -> Batch:
        """All of it."""
        return Batch.joined((self.common, *self.parts.values()))

    @property
    def sends(self) -> list[Task]:
        """Operations to be sent when all is stored."""
        return [task for wishes in self._wishes.values() for task in wishes.send]

    @property
    def kills(self) -> list[Task]:
        """Operations to be ended then."""
        return [task for wishes in self._wishes.values() for task in wishes.kill]
