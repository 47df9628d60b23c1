"""From an operation in the plan to the task that runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from manager.workflows.building import WorkflowTask
from manager.workflows.model import TaskType

if TYPE_CHECKING:
    from manager.workflows.topology import WorkflowNodeInstance

Json = dict[str, Any]

AUTO, HOST_AGENT = "auto", "host_agent"
MANAGER, AGENT = "manager", "agent"

PLUGIN_PARTS = ("name", "package_name", "package_version", "visibility", "tenant_name", "source")


@dataclass(frozen=True, slots=True)
class Call:
    """What is called: an operation among ``operations``, with inputs beside those of the blueprint."""

    operation: str
    operations: Json
    kwargs: Json
    allow_kwargs_override: bool = False
    send_task_events: bool = True


@dataclass(frozen=True, slots=True)
class Related:
    """The other instance of a relationship whose operation is called. ``is_target``: which end it is."""

    instance: WorkflowNodeInstance
    is_target: bool


def task(call: Call, instance: WorkflowNodeInstance, related: Related | None = None) -> WorkflowTask:
    """The task that runs it; one that does nothing when there is no implementation.

    Raises ``ValueError`` when an input is given twice, or when it shall run on an agent that there is not.
    """
    planned = call.operations.get(call.operation) or {}
    if not planned.get("operation"):
        return WorkflowTask(TaskType.NOP, call.operation)
    ctx = instance.ctx
    executor, agent = _place(call, planned["executor"], instance)
    max_retries = _or(planned.get("max_retries"), ctx.retrying.max_retries)
    parameters = {
        "executor": executor,
        "agent": agent,
        "context": _context(call, planned, instance, related, max_retries),
        "kwargs": _inputs(call, planned.get("inputs") or {}),
        "max_retries": max_retries,
        "retry_interval_s": _or(planned.get("retry_interval"), ctx.retrying.retry_interval_s),
        "timeout_s": planned.get("timeout") or None,
        "timeout_recoverable": bool(planned.get("timeout_recoverable")),
        "send_task_events": call.send_task_events,
        "ignore_failure": False,
    }
    return WorkflowTask(TaskType.REMOTE, planned["operation"], parameters)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _place(call: Call, executor: str, instance: WorkflowNodeInstance) -> tuple[str, str | None]:
    host = instance.host
    agent = host.agent_name if host else None
    if executor == AUTO:
        return (AGENT, agent) if agent else (MANAGER, None)
    if executor != HOST_AGENT:
        return MANAGER, None
    if agent is None:
        where = f"no agent is installed on {host.id}" if host else "it is on no machine"
        raise ValueError(
            f"The operation {call.operation} of {instance.id} shall run on an agent, but {where}. Let its "
            "executor be central_deployment_agent, or its machine's install_method another than none."
        )
    return AGENT, agent


def _inputs(call: Call, planned: Json) -> Json:
    twice = [name for name in call.kwargs if name in planned]
    if twice and not call.allow_kwargs_override:
        raise ValueError(
            f"Inputs of {call.operation} are in the blueprint and are given as well: {', '.join(twice)}. "
            "Set allow_kwargs_override to replace those of the blueprint."
        )
    return {**planned, **call.kwargs}


def _context(
    call: Call,
    planned: Json,
    instance: WorkflowNodeInstance,
    related: Related | None,
    max_retries: int,
) -> Json:
    """What ``cloudify.context.CloudifyContext`` is made of."""
    operation = {"name": call.operation, "retry_number": 0, "max_retries": max_retries}
    context = {
        **instance.ctx.names,
        "type": "operation",
        "task_name": planned["operation"],
        "node_id": instance.id,
        "node_name": instance.node_id,
        "host_id": instance.host_id,
        "executor": planned["executor"],
        "has_intrinsic_functions": bool(planned.get("has_intrinsic_functions")),
        "plugin": _plugin(planned["plugin"], instance, related),
        "operation": operation,
        "relationships": [relationship.target_id for relationship in instance.relationships],
    }
    if related:
        other = related.instance
        operation["relationship"] = "source" if related.is_target else "target"
        context["related"] = {
            "node_id": other.id,
            "node_name": other.node_id,
            "is_target": related.is_target,
        }
    return context


def _plugin(name: str, instance: WorkflowNodeInstance, related: Related | None) -> Json:
    known = [*instance.node.plugins, *(related.instance.node.plugins if related else ())]
    plugin = next((item for item in known if item["name"] == name), None)
    if plugin is None:
        raise ValueError(f"The plan of {instance.node_id} names no plugin {name}")
    return {**{part: plugin.get(part) for part in PLUGIN_PARTS}, "properties": plugin.get("properties") or {}}
