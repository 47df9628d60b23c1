"""How an execution is begun, or gone on with: which function builds its graphs."""

from __future__ import annotations

import logging
from collections.abc import Container, Generator, Sequence
from typing import Any, cast

from manager.storage import Storage
from manager.workflows import builtin, mappings, soundness, store
from manager.workflows.building import Graph
from manager.workflows.context import Say, WorkflowContext
from manager.workflows.processes import Room, WorkflowProcess
from manager.workflows.reading import Records, Retrying
from manager.workflows.runs import Run
from manager.workflows.store import Batch, Facts

log = logging.getLogger(__name__)


class Beginning:
    """Makes a ``Run`` of each execution."""

    def __init__(self, storage: Storage, retrying: Retrying, room: Room) -> None:
        self._storage = storage
        self._retrying = retrying
        self._room = room

    def begin(
        self, facts: Facts, graphs: Sequence[store.Graph], batch: Batch, alive: Container[str] = ()
    ) -> Run:
        """Begin, with the graphs that there are already. What cannot begin has failed.

        ``alive``: operations that this engine has sent, and that may still be running.
        """
        plan = facts.workflow
        if plan is None:
            error = f"The deployment {facts.deployment_id} has no workflow {facts.workflow_id}."
            return Run.failed(facts, error, batch)
        try:
            for graph in graphs:
                soundness.check(graph.tasks, facts.id)
            if mappings.is_custom(plan):
                process = WorkflowProcess(facts.id, self._room)
                return self._restored(Run(facts, batch, process=process), graphs, alive)
            function = builtin.find(plan)
        except (mappings.UnknownWorkflow, soundness.Unsound, OSError) as error:
            return Run.failed(facts, str(error), batch)
        batch.resumable[facts.pk] = bool(getattr(function, "resumable", False))
        run = Run(facts, batch, make_steps=lambda say: self._call(facts, function, say))
        return self._restored(run, graphs, alive)

    @staticmethod
    def _restored(run: Run, graphs: Sequence[store.Graph], alive: Container[str]) -> Run:
        for graph in graphs:
            run.restore(graph, alive)
        return run

    def _call(self, facts: Facts, function: Any, say: Say) -> Generator[Graph, None, None]:
        """Nothing of it runs before the first graph is asked for."""
        records = Records(self._storage, facts.id)
        ctx = WorkflowContext(records, say, self._retrying)
        return cast("Generator[Graph, None, None]", function(ctx, **facts.parameters))
