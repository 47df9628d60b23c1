"""More or fewer instances of a node, or of a group of nodes.

How a deployment changes is computed once (see ``changing``), and kept in the first graph of the execution: on
a resume it is read from there. Each change of the database is a task, so that it happens exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from manager.workflows import changing, lifecycle
from manager.workflows.building import Graph, WorkflowTask
from manager.workflows.context import WorkflowContext
from manager.workflows.decorators import workflow
from manager.workflows.model import GraphFailed, TaskType

Json = dict[str, Any]


@workflow(resumable=True)
def scale(
    ctx: WorkflowContext,
    *,
    scalable_entity_name: str,
    delta: Any = 1,
    scale_compute: bool = False,
    ignore_failure: bool = False,
    include_instances: Any = None,
    exclude_instances: Any = None,
    rollback_if_failed: bool = True,
    **_: Any,
) -> Iterator[Graph]:
    """Add or remove instances, with all that is contained in them, until there are ``delta`` more."""
    wish = changing.Wish.of(
        scalable_entity_name, delta, include_instances, exclude_instances, scale_compute=scale_compute
    )
    if wish.delta == 0:
        ctx.logger.info("delta parameter is 0, so no scaling will take place.")
        return
    begin = ctx.graph(f"{wish.entity}_begin")
    change: Json = begin.stored[0].parameters["change"] if begin.stored else changing.compute(ctx, wish)
    if not begin.restored:
        begin.add_task(_task(ctx, {**change["begin"], "change": change}))
    yield begin
    ctx.refresh_node_instances()
    go = _out if wish.delta > 0 else _in
    yield from go(ctx, wish.entity, change, ignore_failure=ignore_failure, rollback=rollback_if_failed)


@workflow
def scale_node(ctx: WorkflowContext, *, node_id: str, **more: Any) -> Iterator[Graph]:
    """As older types call it."""
    found: Iterator[Graph] = scale(ctx, scalable_entity_name=node_id, **more)
    return found


def _out(
    ctx: WorkflowContext, entity: str, change: Json, *, ignore_failure: bool, rollback: bool
) -> Iterator[Graph]:
    failure: Exception | None = None
    # Once it has been begun, going back is the only way: a resume finds the graph for it.
    if not ctx.graph(f"{entity}_rollback").restored:
        try:
            yield lifecycle.install(
                ctx,
                f"{entity}_install",
                changing.found(ctx, change[changing.ADDED]),
                changing.found(ctx, change["related"]),
            )
            yield _update(ctx, f"{entity}_finish", change["finish"])
        except GraphFailed as error:
            if not rollback:
                raise
            failure = error
        else:
            return
    ctx.logger.error("Scale out failed, scaling back in.")
    ctx.refresh_node_instances()
    added, related = changing.found(ctx, change[changing.ADDED]), changing.found(ctx, change["related"])
    yield lifecycle.uninstall(ctx, f"{entity}_rollback", added, related, ignore_failure=ignore_failure)
    yield _update(ctx, f"{entity}_undo", change["undo"])
    raise failure or RuntimeError("Scale out had failed, and has been rolled back.")


def _in(
    ctx: WorkflowContext, entity: str, change: Json, *, ignore_failure: bool, rollback: bool
) -> Iterator[Graph]:
    removed, related = changing.found(ctx, change[changing.REMOVED]), changing.found(ctx, change["related"])
    try:
        yield lifecycle.uninstall(ctx, f"{entity}_uninstall", removed, related, ignore_failure=ignore_failure)
    except GraphFailed:
        if rollback:
            yield _update(ctx, f"{entity}_undo", change["undo"])
        raise
    yield _update(ctx, f"{entity}_finish", change["finish"])


def _update(ctx: WorkflowContext, name: str, parameters: Json) -> Graph:
    graph = ctx.graph(name)
    if not graph.restored:
        graph.add_task(_task(ctx, parameters))
    return graph


def _task(ctx: WorkflowContext, parameters: Json) -> WorkflowTask:
    kind = TaskType.NOP if ctx.dry_run else TaskType.UPDATE_INSTANCES
    task: WorkflowTask = ctx.engine_task(kind, parameters)
    return task
