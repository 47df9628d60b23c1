"""Act on the workflows that an earlier leader was running."""

from __future__ import annotations

from orchestrator.act.lease import require_lease
from orchestrator.clients import Clients
from orchestrator.model.action import AlreadyDone, Done, Outcome, ResumeWorkflows
from orchestrator.record import journal, workflows


def resume_workflows(clients: Clients, action: ResumeWorkflows) -> Outcome:
    """Have the product's database say which executions go on and which have failed; then remember it.

    The workflow worker, which starts next, goes on with those that may. What a living one works on is left
    alone, so this can be repeated.
    """
    require_lease(clients, action.term)
    resumed, failed = clients.product.take_up_executions(action.term)
    workflows.note_resumed(clients.config, action.term)
    if not resumed and not failed:
        return AlreadyDone("no execution was interrupted")
    told = f"{resumed} interrupted executions go on, {failed} failed: their workflows cannot be resumed"
    journal.tell(clients, action.term, "workflows", told)
    return Done(told)
