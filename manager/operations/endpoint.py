"""What ``ctx`` asks on the manager: the database, and the blueprint's files."""

from __future__ import annotations

import json
import logging
from typing import Any

from cloudify.context import CloudifyContext
from cloudify.endpoint import Endpoint
from cloudify.exceptions import NonRecoverableError
from cloudify.manager import NodeInstance
from cloudify_rest_client.exceptions import CloudifyClientError
from cloudify_rest_client.executions import Execution
from cloudify_rest_client.nodes import Node

from manager.operations import reading
from manager.operations.database import Database
from manager.operations.evaluating import evaluate_instance, evaluate_node, evaluated, has_functions
from manager.operations.fence import Started
from manager.operations.lines import Handler, Lines
from manager.operations.reading import Deployment, NotThere, unit_of
from manager.operations.resources import Resources
from manager.operations.settings import OperationsSettings

Json = dict[str, Any]
Begun = tuple[Started, Lines]

CONFLICT = 409


class DatabaseEndpoint(Endpoint):
    """Of one operation. What it raises is what ``cloudify`` raises."""

    def __init__(
        self, ctx: CloudifyContext, database: Database, settings: OperationsSettings, begun: Begun
    ) -> None:
        super().__init__(ctx)
        started, self._lines = begun
        self._database, self._started = database, started
        self._folders, self._work = settings.folders, settings.work
        pk = started.deployment_pk
        self._deployment = None if pk is None else Deployment(database, started.tenant_id, pk)

    @property
    def deployment(self) -> Deployment:
        """Raises ``NonRecoverableError`` for an operation without one."""
        if self._deployment is None:
            raise NonRecoverableError("This operation belongs to no deployment.")
        return self._deployment

    def get_node(self, node_id: str, instance_context: str | None = None) -> Node:
        """A node; functions in its properties are evaluated for the instance ``instance_context``."""
        try:
            node = self.deployment.node(node_id)
        except NotThere as error:
            raise NonRecoverableError(str(error)) from error
        if has_functions(node["properties"]):
            evaluate_node(self.deployment, node, instance_context)
        return node

    def get_node_instance(self, node_instance_id: str) -> NodeInstance:
        """An instance; functions in its runtime properties are evaluated."""
        try:
            row = self.deployment.instance(node_instance_id)
        except NotThere as error:
            raise NonRecoverableError(str(error)) from error
        if has_functions(row["runtime_properties"]):
            evaluate_instance(self.deployment, row)
        return NodeInstance(row.pop("id"), **row)

    def update_node_instance(self, node_instance: NodeInstance) -> None:
        """Raises ``CloudifyClientError`` (409) when somebody else has changed it in between."""
        try:
            properties = json.dumps(node_instance.runtime_properties, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise NonRecoverableError(
                f"The runtime properties of {node_instance.id} cannot be stored as JSON: {error}"
            ) from error
        if "\\u0000" in properties:
            raise NonRecoverableError(
                f"The runtime properties of {node_instance.id} cannot be stored: they hold a NUL character"
            )
        if not self.deployment.update(node_instance.id, node_instance.version, properties):
            raise CloudifyClientError(
                f"Node instance update conflict [{node_instance.id}, version {node_instance.version}]",
                status_code=CONFLICT,
                error_code="conflict_error",
            )

    @property
    def _resources(self) -> Resources:
        try:
            files = self.deployment.plan.files
        except NotThere as error:
            raise NonRecoverableError(str(error)) from error
        return Resources(unit_of(files).content(self._folders))

    def get_resource(
        self,
        blueprint_id: str,  # noqa: ARG002  # it is always the operation's own
        deployment_id: str,  # noqa: ARG002
        resource_path: str,
        template_variables: Json | None = None,
    ) -> bytes:
        """The content of a file in the blueprint's archive."""
        content = self._resources.read(resource_path)
        rendered: bytes = self._render_resource_if_needed(content, template_variables)
        return rendered

    def download_resource(  # noqa: PLR0913  # cloudify's signature
        self,
        blueprint_id: str,  # noqa: ARG002
        deployment_id: str,  # noqa: ARG002
        resource_path: str,
        logger: logging.Logger,
        target_path: str | None = None,
        template_variables: Json | None = None,
    ) -> str:
        """A copy of such a file; gives where it is."""
        path = self._resources.copy(resource_path, target_path)
        logger.info("Downloaded %s to %s", resource_path, path)
        done: str = self._render_resource_if_needed(path, template_variables, download=True)
        return done

    def download_directory(  # noqa: PLR0913  # cloudify's signature
        self,
        blueprint_id: str,  # noqa: ARG002
        deployment_id: str,  # noqa: ARG002
        resource_path: str,
        logger: logging.Logger,
        target_path: str | None = None,
        preview_only: bool = False,  # noqa: FBT001, FBT002
    ) -> str | list[str]:
        """A copy of a folder; gives where it is, or what is in it."""
        if preview_only:
            return self._resources.files(resource_path)
        path = self._resources.copy_folder(resource_path, target_path)
        logger.info("Downloaded %s to %s", resource_path, path)
        return path

    def get_logging_handler(self) -> logging.Handler:
        """Where ``ctx.logger`` writes."""
        return Handler(self._lines)

    def send_plugin_event(
        self,
        message: str | None = None,
        args: Any = None,  # noqa: ARG002  # cloudify's signature
        additional_context: Json | None = None,  # noqa: ARG002
    ) -> None:
        """What ``ctx.send_event`` sends."""
        self._lines.event(message or "")

    def evaluate_functions(self, payload: Json) -> Json:
        """``payload`` with the values of all functions in it."""

        def evaluate(deployment_id: str, context: Json, payload: Json) -> Json:  # noqa: ARG001
            return evaluated(self.deployment, payload, context)

        done: Json = self._evaluate_functions_impl(payload, evaluate)
        return done

    def get_workdir(self) -> str:
        """A folder for what the deployment's operations keep on this member. It is not replicated."""
        plan = self.deployment.plan
        folder = self._work / plan.tenant / plan.id
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return str(folder)

    def get_provider_context(self) -> Json:
        """What was said of the environment when the manager was set up."""
        return reading.provider_context(self._database)

    def get_bootstrap_context(self) -> Json:
        """The part of it that is about Cloudify."""
        part: Json = self.get_provider_context().get("cloudify", {})
        return part

    def get_config(self, name: str | None = None, scope: str | None = None) -> list[Any]:  # noqa: ARG002
        """There is none in the database."""
        return []

    def get_execution(self, execution_id: str) -> Execution:  # noqa: ARG002  # it is always the operation's
        """The execution that this operation is a part of."""
        return Execution(reading.execution(self._database, self._started.execution_pk))
