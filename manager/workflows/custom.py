"""``python -m manager.workflows.custom EXECUTION``: runs a workflow that comes with a blueprint.

It is started by the engine, and ends with it: its standard input is held open by the engine, and never
written to. What the blueprint's code prints goes to standard error. The last line of standard output tells
how it ended: ``{"outcome": "succeeded" | "failed" | "cancelled", "error": <message, traceback, or null>}``.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudify.state import current_workflow_ctx
from cloudify.workflows import api
from sqlalchemy import select, update

from manager import events
from manager.errors import Unavailable
from manager.events import Line
from manager.files.units import Unit
from manager.gateway import load_config, settings_of
from manager.models import Blueprint, Deployment, Execution
from manager.settings import Settings
from manager.slots import WriteSlot
from manager.storage import Storage, engine_for
from manager.workflows import compat, mappings
from manager.workflows.blocking import BlockingContext
from manager.workflows.model import GraphFailed
from manager.workflows.patience import PatientSource, patiently
from manager.workflows.reading import Records, Retrying
from manager.workflows.stored_graphs import STARTED, NotOurs, StoredGraphs

log = logging.getLogger("manager.workflows.custom")

Json = dict[str, Any]

CONNECTIONS = 2
ABANDONED = 75
CANCELLING = ("cancelling", "force_cancelling", "kill_cancelling")
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be run. ``engine``: the one that has started this process; nothing is done for another."""

    execution_id: str
    workflow_id: str
    engine: str | None
    resume: bool
    parameters: Json
    function: mappings.Custom
    content: Path


def main() -> int:
    """Do it."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    config = load_config()
    settings = settings_of(config)
    retrying = Retrying(config.workflows.max_retries, config.workflows.retry_interval_s)
    outcome, error = Run(settings, retrying).run(sys.argv[1])
    print(json.dumps({"outcome": outcome, "error": error}), file=answers, flush=True)  # the protocol
    return 0 if outcome == "succeeded" else 1


class Run:
    """One execution, from its row to its end."""

    def __init__(self, settings: Settings, retrying: Retrying) -> None:
        self._settings = settings
        self._retrying = retrying
        self._database = engine_for(settings.database, CONNECTIONS)
        self._storage = Storage(self._database)

    def run(self, execution_id: str) -> tuple[str, str | None]:
        """How it ended, and why it failed."""
        try:
            work = patiently(lambda: self._read(execution_id))
            function = _function(work)
            resumable = bool(getattr(function, "resumable", False))
            patiently(lambda: self._begin(work, resumable=resumable))
            self._call(work, function)
        except api.ExecutionCancelled:
            return "cancelled", None
        except (GraphFailed, mappings.UnknownWorkflow, NotOurs) as error:
            # Where it was raised helps nobody: an operation has failed, or the function was never called.
            return "failed", str(error)
        except Exception as error:  # noqa: BLE001  # whatever the blueprint's code raises
            return "failed", f"{str(error) or type(error).__name__}\n{traceback.format_exc()}"
        return "succeeded", None

    def _read(self, execution_id: str) -> Work:
        with self._storage.reading() as session:
            execution = session.scalars(select(Execution).where(Execution.id == execution_id)).one()
            deployment = session.get_one(Deployment, execution.deployment_pk)
            blueprint = deployment.blueprint
            plugins = select(Blueprint.plan["workflow_plugins_to_install"]).where(
                Blueprint.pk == blueprint.pk
            )
            unit = Unit("blueprints", blueprint.tenant_name, blueprint.id, blueprint.storage_id)
            return Work(
                execution.id,
                execution.workflow_id,
                execution.engine,
                execution.resume,
                dict(execution.parameters),
                mappings.custom(deployment.workflows[execution.workflow_id], session.scalar(plugins) or []),
                unit.content(self._settings.folders),
            )

    def _begin(self, work: Work, *, resumable: bool) -> None:
        """Store whether it can be resumed, before the function is called: so it is known whenever it was."""
        if work.resume and not resumable:
            raise mappings.UnknownWorkflow(f"Cannot resume - workflow not resumable: {work.workflow_id}")
        ours = Execution.id == work.execution_id, Execution.engine == work.engine
        mark = update(Execution).where(*ours).values(resumable=resumable).returning(Execution.status)
        with self._storage.writing(WriteSlot()) as session:
            status = session.scalar(mark)
        if status is None:
            raise NotOurs(f"Execution {work.execution_id} is worked on by another engine.")
        if status != STARTED:
            raise api.ExecutionCancelled

    def _call(self, work: Work, function: Callable[..., Any]) -> None:
        def write(line: Line) -> None:
            with self._storage.writing(WriteSlot()) as session:
                execution = session.scalars(select(Execution).where(Execution.id == work.execution_id)).one()
                events.write(session, execution, line)

        def say(line: Line) -> None:
            # After a commit of unknown outcome it may be there twice: better than a workflow that fails.
            patiently(lambda: write(line))

        graphs = StoredGraphs(self._storage, self._database, work.execution_id, work.engine)
        source = PatientSource(patiently(lambda: Records(self._storage, work.execution_id)))
        ctx = BlockingContext(source, say, self._retrying, graphs, work.content)
        threading.Thread(target=self._watch, args=(work.execution_id,), daemon=True).start()
        parameters = {**work.parameters, "ctx": ctx}
        with current_workflow_ctx.push(ctx, parameters):
            result = function(**parameters)
            ctx.finish_all()
        if result == api.EXECUTION_CANCELLED_RESULT:
            raise api.ExecutionCancelled

    def _watch(self, execution_id: str) -> None:
        """Tell the workflow when it is to be cancelled."""
        pause = threading.Event()
        while not pause.wait(LOOK_EVERY_S):
            try:
                with self._storage.reading() as session:
                    status = session.scalar(select(Execution.status).where(Execution.id == execution_id))
            except Unavailable:
                continue
            if status in CANCELLING:
                api.set_cancel_request()
                return


def _function(work: Work) -> Callable[..., Any]:
    """The blueprint's function, from its archive. Raises ``UnknownWorkflow``, and what its module raises."""
    where = work.function
    compat.provide()
    source = (work.content / where.source).resolve()
    if not source.is_relative_to(work.content.resolve()) or not source.is_dir():
        raise mappings.UnknownWorkflow(f"The plugin's source {where.source} is no folder of the archive.")
    sys.path.insert(0, str(source))
    sys.dont_write_bytecode = True  # The files of an archive stay as they were uploaded.
    try:
        module = importlib.import_module(where.module)
    except ModuleNotFoundError as error:
        if error.name != where.module.split(".")[0] and error.name != where.module:
            raise
        raise mappings.UnknownWorkflow(
            f"The workflow {work.workflow_id} is to be in the module {where.module} of the folder "
            f"{where.source}, which has none."
        ) from error
    found = getattr(module, where.function, None)
    if not callable(found):
        raise mappings.UnknownWorkflow(
            f"The workflow {work.workflow_id} is to be the function {where.function} of {where.module}, "
            "which has none."
        )
    function: Callable[..., Any] = found
    return function


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ABANDONED)


if __name__ == "__main__":
    sys.exit(main())
