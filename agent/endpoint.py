"""What ``ctx`` asks on an agent: the leader's REST service, and the blueprint's files that it gives out."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from cloudify.context import CloudifyContext
from cloudify.endpoint import Endpoint
from cloudify.exceptions import NonRecoverableError
from cloudify.manager import NodeInstance
from cloudify_rest_client.executions import Execution
from cloudify_rest_client.nodes import Node

from agent.blueprints import Blueprints
from agent.deployment import Deployment
from agent.lines import Handler, Lines
from agent.rest import Json, Manager, RestFailed
from agent.settings import OWN_FOLDER, Folder
from manager.operations.evaluating import evaluated, has_functions
from manager.operations.reading import NotThere
from manager.operations.resources import Resources

CONFLICT = 409
INSTANCE_KEYS = (
    *("node_id", "state", "runtime_properties", "system_properties", "relationships", "scaling_groups"),
    *("host_id", "version", "index"),
)


class RestEndpoint(Endpoint):
    """Of one operation. What it raises is what ``cloudify`` raises."""

    def __init__(
        self, ctx: CloudifyContext, manager: Manager, blueprints: Blueprints, lines: Lines, folder: Folder
    ) -> None:
        super().__init__(ctx)
        self._manager, self._blueprints, self._lines, self._folder = manager, blueprints, lines, folder
        self._deployment = Deployment(manager, ctx.deployment.id)

    def get_node(self, node_id: str, instance_context: str | None = None) -> Node:
        """A node; functions in its properties are evaluated for the instance ``instance_context``."""
        try:
            node = self._deployment.node(node_id)
        except NotThere as error:
            raise NonRecoverableError(str(error)) from error
        if has_functions(node["properties"]):
            self._evaluate(node["properties"], {"self": instance_context} if instance_context else {})
        return Node(node)

    def get_node_instance(self, node_instance_id: str) -> NodeInstance:
        """An instance; functions in its runtime properties are evaluated."""
        row = self._deployment.instance(node_instance_id)
        if has_functions(row["runtime_properties"]):
            self._evaluate(row["runtime_properties"], {"self": node_instance_id})
        return NodeInstance(node_instance_id, **{name: row.get(name) for name in INSTANCE_KEYS})

    def update_node_instance(self, node_instance: NodeInstance) -> None:
        """Raises ``CloudifyClientError`` (409) when somebody else has changed it in between."""
        path = f"/node-instances/{quote(node_instance.id, safe='')}"
        wanted = dict(node_instance.runtime_properties)
        change = {"version": node_instance.version, "runtime_properties": wanted}
        try:
            self._manager.send("PATCH", path, change)
        except RestFailed as error:
            # Whether this was our own change, of which the answer was lost on the way, can be seen.
            if error.status_code != CONFLICT or not self._is_stored(node_instance, wanted):
                raise

    def _is_stored(self, node_instance: NodeInstance, wanted: Json) -> bool:
        now = self._deployment.instance(node_instance.id)
        same: bool = now["runtime_properties"] == wanted
        return same and now["version"] == (node_instance.version or 1) + 1

    @property
    def _resources(self) -> Resources:
        return Resources(self._blueprints.content(self.ctx.blueprint.id))

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
            return self._evaluate(payload, context)

        done: Json = self._evaluate_functions_impl(payload, evaluate)
        return done

    def _evaluate(self, payload: Json, context: Json) -> Json:
        return evaluated(self._deployment, payload, context)  # type: ignore[arg-type]  # asked over REST

    def get_workdir(self) -> str:
        """A folder for what the deployment's operations keep on this machine."""
        folder = self._folder.work / self.ctx.tenant_name / self.ctx.deployment.id
        folder.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
        return str(folder)

    def get_provider_context(self) -> Json:
        """What was said of the environment when the manager was set up."""
        try:
            found: Json = self._manager.get("/provider/context")["context"]
        except RestFailed:
            return {}
        return found

    def get_bootstrap_context(self) -> Json:
        """The part of it that is about Cloudify."""
        part: Json = self.get_provider_context().get("cloudify", {})
        return part

    def get_config(self, name: str | None = None, scope: str | None = None) -> list[Any]:  # noqa: ARG002
        """There is none."""
        return []

    def get_execution(self, execution_id: str) -> Execution:
        """An execution."""
        return Execution(self._manager.get(f"/executions/{quote(execution_id, safe='')}"))
