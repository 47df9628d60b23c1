"""A workflow that does not say that it can be resumed: so it is not."""  # noqa: INP001  # a folder of a blueprint

from __future__ import annotations

from cloudify.decorators import workflow
from cloudify.workflows import ctx


@workflow  # type: ignore[untyped-decorator]  # Cloudify's have no types
def once_only(**_: object) -> None:
    """Take all steps."""
    for instance in sorted(ctx.node_instances, key=lambda it: it.node_id):
        instance.execute_operation("cloudify.interfaces.lifecycle.create").get()
