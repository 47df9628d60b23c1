"""One task for each action. A task carries the action as plain data; what it does stands in ``act``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import Task
from celery.canvas import Signature
from celery.exceptions import Reject
from pydantic import TypeAdapter

from orchestrator.act import perform
from orchestrator.model import action as actions
from orchestrator.model import file_actions, minority_actions
from orchestrator.model.action import Action
from orchestrator.model.errors import ClusterError
from orchestrator.record import journal
from tasks import progress
from tasks.app import app
from tasks.exclusive import exclusively
from tasks.node import current_node
from tasks.waking import wake

ACTIONS_LOCK = progress.CHAIN.lock

EXPIRES_S = 5
"""An action that has waited for longer than this was decided on a world that is gone."""

SHORT_S, LONG_S = 60, 4 * 3600

TASKS: Mapping[type[Action], tuple[str, int]] = {
    # action: (name of its task, hard time limit in seconds)
    actions.Fence: ("fence", SHORT_S),
    actions.Revive: ("revive", LONG_S),  # It may have to replay a long write-ahead log.
    actions.Detach: ("detach", SHORT_S),
    actions.ReportPosition: ("report_position", SHORT_S),
    actions.AcquireLease: ("acquire_lease", SHORT_S),
    actions.EndSession: ("end_session", SHORT_S),
    actions.StepDown: ("step_down", SHORT_S),
    actions.PreparePromotion: ("prepare_promotion", SHORT_S),
    actions.Promote: ("promote", LONG_S),
    actions.StartPrimary: ("start_primary", LONG_S),
    actions.Announce: ("announce", SHORT_S),
    actions.FirstRecord: ("first_record", SHORT_S),
    actions.WriteRecord: ("write_record", SHORT_S),
    actions.ConfirmRecord: ("confirm_record", SHORT_S),
    actions.SetStandbys: ("set_standbys", SHORT_S),
    actions.OpenWrites: ("open_writes", SHORT_S),
    actions.KeepSlots: ("keep_slots", SHORT_S),
    actions.StartServices: ("start_services", SHORT_S),
    actions.StopServices: ("stop_services", SHORT_S),
    actions.ResumeWorkflows: ("resume_workflows", SHORT_S),
    actions.Follow: ("follow_leader", LONG_S),  # A base backup takes as long as the database is large.
    actions.HandOver: ("hand_over", 2 * SHORT_S),  # A checkpoint, two waits for the target, a stop.
    actions.EndSwitchover: ("end_switchover", SHORT_S),
    actions.StopEverything: ("stop_everything", SHORT_S),
    minority_actions.PartWays: ("part_ways", LONG_S),  # As a revived database, it may have much to replay.
    minority_actions.GoActive: ("go_active", LONG_S),
    minority_actions.EndMinority: ("end_minority", SHORT_S),
    minority_actions.ClaimOffice: ("claim_office", SHORT_S),
    minority_actions.RefuseClaim: ("refuse_claim", SHORT_S),
    minority_actions.GiveWay: ("give_way", SHORT_S),
    # These three bound each of their steps themselves: the worker of their queue knows no limits.
    file_actions.SyncFiles: ("sync_files", LONG_S),
    file_actions.GatherFiles: ("gather_files", LONG_S),
    file_actions.SweepFiles: ("sweep_files", LONG_S),
}


# Made once, and before workers are forked: to make one takes milliseconds, and memory.
_adapters: Mapping[type[Action], TypeAdapter[Action]] = {kind: TypeAdapter(kind) for kind in TASKS}


def _register(kind: type[Action], name: str, time_limit_s: int) -> Task:
    adapter = _adapters[kind]

    @app.task(name=name, time_limit=time_limit_s, expires=EXPIRES_S, ignore_result=True)
    def task(fields: Mapping[str, Any]) -> None:
        how = _perform_beside if issubclass(kind, file_actions.BESIDE) else _perform
        how(adapter.validate_python(fields))

    task.__doc__ = kind.summary
    return task


def _perform(action: Action) -> None:
    """Carry out one action, alone; what goes wrong ends the chain, and the next tick decides anew."""
    with exclusively(ACTIONS_LOCK, wait=True):
        try:
            outcome = perform(current_node().clients, action)
        except (ClusterError, OSError) as error:  # A disk may be full, or broken.
            progress.CHAIN.ended()
            journal.write_failure(action, error)
            raise Reject(str(error), requeue=False) from error
        progress.CHAIN.goes_on()
        journal.write_outcome(action, outcome)


def _perform_beside(action: Action) -> None:
    """Carry out one action about files. It holds its own lock; one that comes too many finds that taken."""
    try:
        outcome = perform(current_node().clients, action)
    except (ClusterError, OSError) as error:
        journal.write_failure(action, error)
        raise Reject(str(error), requeue=False) from error
    finally:
        progress.BESIDE.ended()
    journal.write_outcome(action, outcome)
    # More may have changed meanwhile. After a failure the next beat is early enough.
    wake()


_registered = {kind: _register(kind, name, limit_s) for kind, (name, limit_s) in TASKS.items()}


def signature_of(action: Action) -> Signature:
    """The message that carries ``action`` to its task."""
    fields = _adapters[type(action)].dump_python(action, mode="json")
    return _registered[type(action)].si(fields)
