"""Running one operation, from its message to its answer, in whatever world it is in.

In this order: its function is found (so that it is known whether it may run again), it is stored as started,
it runs with its ``ctx``, what it changed and said is stored, and it is answered.
"""

from __future__ import annotations

import copy
import logging
import traceback
from typing import Any

from cloudify import exceptions, state
from cloudify.constants import NODE_INSTANCE, RELATIONSHIP_INSTANCE

from manager.operations.code import CodeNotFound
from manager.operations.isolation import isolated
from manager.operations.message import MARK, Answer, Message, Outcome
from manager.operations.plain import plain, text
from manager.operations.world import Context, Function, NotStarted, World

log = logging.getLogger(__name__)


def run(message: Message, world: World, worker: str) -> Answer | None:
    """Run it; None when it may not run: then there is nothing to answer."""
    with isolated(**{MARK: message.task_id}):
        try:
            with world.code(message) as function:
                if function is None or not _start(message, world, function):
                    return None
                return _carry_out(message, world, worker, function)
        except NotStarted as error:
            answer = failure(message, worker, str(error), recoverable=True)
            return answer.model_copy(update={"outcome": Outcome.NOT_STARTED})
        except CodeNotFound as error:
            return failure(message, worker, str(error), recoverable=False)
        except (Exception, SystemExit) as error:
            # Only importing the user's module can raise this: whatever else is the user's is caught below.
            log.debug("The code of operation %s cannot be imported", message.id, exc_info=True)
            what = f"The code of '{message.context.get('task_name')}' cannot be imported: {_told(error)}"
            return failure(message, worker, what, recoverable=False, cause=cause_of(error))


def failure(
    message: Message, worker: str, error: str, *, recoverable: bool, cause: dict[str, Any] | None = None
) -> Answer:
    """The answer that it has failed."""
    cause = cause or {"message": text(error), "type": "Error", "traceback": ""}
    return Answer(
        id=message.id,
        attempt=message.attempt,
        refused=message.refused,
        outcome=Outcome.FAILED,
        error=text(error),
        causes=[cause],
        recoverable=recoverable,
        worker=worker,
    )


def _start(message: Message, world: World, function: Function) -> bool:
    return world.start(message, resumable=bool(getattr(function, "resumable", False)))


def _carry_out(message: Message, world: World, worker: str, function: Function) -> Answer:
    try:
        result = _call(message, world, function)
        answer = Answer(
            id=message.id,
            attempt=message.attempt,
            outcome=Outcome.SUCCEEDED,
            result=plain(result),
            worker=worker,
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the user's code raises is its answer
        answer = answer_of(message, worker, error)
    try:
        world.finish()
    except Exception as error:  # noqa: BLE001  # its answer counts for more than what it has said
        log.warning("What operation %s has said could not all be stored: %s", message.id, error)
    return answer


def _call(message: Message, world: World, function: Function) -> Any:
    context = {**message.context, "task_id": message.id}
    context["operation"] = {**(context.get("operation") or {}), "retry_number": message.attempt}
    ctx = Context(context, world)
    kwargs = copy.deepcopy(message.kwargs)
    with state.current_ctx.push(ctx, kwargs):
        if context.get("has_intrinsic_functions"):
            kwargs = ctx._endpoint.evaluate_functions(kwargs)  # noqa: SLF001  # as cloudify.dispatch does
    kwargs["ctx"] = ctx
    with state.current_ctx.push(ctx, kwargs):
        try:
            result = function(**kwargs)
        finally:
            _store_properties(ctx)
    if ctx.operation._operation_retry:  # noqa: SLF001  # as cloudify.dispatch does
        raise ctx.operation._operation_retry  # noqa: SLF001
    return result


def _store_properties(ctx: Context) -> None:
    if ctx.type == NODE_INSTANCE:
        ctx.instance.update()
    elif ctx.type == RELATIONSHIP_INSTANCE:
        ctx.source.instance.update()
        ctx.target.instance.update()


def answer_of(message: Message, worker: str, error: BaseException) -> Answer:
    """What an error of the user's code means."""
    if isinstance(error, exceptions.OperationRetry):
        return Answer(
            id=message.id,
            attempt=message.attempt,
            outcome=Outcome.RETRY,
            error=text(error),
            recoverable=True,
            retry_after_s=error.retry_after,
            worker=worker,
        )
    recoverable = not isinstance(error, exceptions.NonRecoverableError)
    answer = failure(message, worker, _told(error), recoverable=recoverable, cause=cause_of(error))
    causes = [*answer.causes, *plain(getattr(error, "causes", None) or [])]
    after_s = getattr(error, "retry_after", None) if recoverable else None
    return answer.model_copy(update={"causes": causes, "retry_after_s": after_s})


def cause_of(error: BaseException) -> dict[str, Any]:
    """An error as events carry it. The frames of this module are not shown."""
    frames = traceback.extract_tb(error.__traceback__)
    shown = [frame for frame in frames if frame.filename != __file__]
    lines = [*traceback.format_list(shown), *traceback.format_exception_only(error)]
    return {"message": _told(error), "type": type(error).__name__, "traceback": text("".join(lines))}


def _told(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"It called exit ({error.code})."
    return text(error) or type(error).__name__
