"""Act: carry out what was decided. Every effect is idempotent, and says what it did or why it did nothing.

An action that belongs to an older term or round than the cluster's refuses to run (``Stale``): it may come
late, from a worker that was paused. Whatever is left half-done, the next tick decides anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.act import files, leadership, minority, postgres, services, workflows
from orchestrator.clients import Clients
from orchestrator.model import action as actions
from orchestrator.model import file_actions, minority_actions
from orchestrator.model.action import Action, Outcome

PERFORMERS: Mapping[type[Action], Callable[[Clients, Any], Outcome]] = {
    actions.Fence: postgres.fence,
    actions.Revive: postgres.revive,
    actions.Detach: leadership.detach,
    actions.ReportPosition: leadership.report_position,
    actions.AcquireLease: leadership.acquire_lease,
    actions.EndSession: leadership.end_session,
    actions.StepDown: leadership.step_down,
    actions.PreparePromotion: postgres.prepare_promotion,
    actions.Promote: postgres.promote,
    actions.StartPrimary: postgres.start_primary,
    actions.Announce: leadership.announce,
    actions.FirstRecord: leadership.first_record,
    actions.WriteRecord: leadership.write_record,
    actions.ConfirmRecord: leadership.confirm_record,
    actions.SetStandbys: postgres.set_standbys,
    actions.OpenWrites: postgres.open_writes,
    actions.KeepSlots: postgres.keep_slots,
    actions.StartServices: services.start_services,
    actions.StopServices: services.stop_services,
    actions.ResumeWorkflows: workflows.resume_workflows,
    actions.Follow: postgres.follow,
    actions.HandOver: leadership.hand_over,
    actions.EndSwitchover: leadership.end_switchover,
    actions.StopEverything: postgres.stop_everything,
    minority_actions.PartWays: minority.part_ways,
    minority_actions.GoActive: minority.go_active,
    minority_actions.EndMinority: minority.end_minority,
    minority_actions.ClaimOffice: minority.claim_office,
    minority_actions.RefuseClaim: minority.refuse_claim,
    minority_actions.GiveWay: minority.give_way,
    file_actions.SyncFiles: files.sync_files,
    file_actions.GatherFiles: files.gather_files,
    file_actions.SweepFiles: files.sweep_files,
}


def perform(clients: Clients, action: Action) -> Outcome:
    """Carry out ``action``. Raises the errors of ``model.errors``; the next tick mends what is left."""
    return PERFORMERS[type(action)](clients, action)
