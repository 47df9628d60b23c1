"""What a request can come to, and how the REST contract words it.

::

    RestError
    ├── BadParameters                 400 bad_parameters_error
    │   ├── NoSuchIncludeField        400 no_such_include_field_error
    │   └── TooLarge                  413 bad_parameters_error
    ├── IllegalAction                 400 illegal_action_error
    ├── InvalidBlueprint              400 invalid_blueprint_error
    ├── MissingInput                  400 missing_required_deployment_input_error
    ├── UnknownInput                  400 unknown_deployment_input_error
    ├── ExistingRunningExecution      400 existing_running_execution_error
    ├── NonexistentWorkflow           400 nonexistent_workflow_error
    ├── IllegalExecutionParameters    400 illegal_execution_parameters_error
    ├── SnapshotAction                400 snapshot_action_error
    ├── DependentExists               400 dependent_exists_error
    ├── Unauthorized                  401 unauthorized_error
    ├── Forbidden                     403 forbidden_error
    ├── NotFound                      404 not_found_error
    ├── MethodNotAllowed              405 method_not_allowed_error
    ├── Conflict                      409 conflict_error
    ├── UnsupportedContentType        415 unsupported_content_type_error
    ├── InMaintenance                 503 maintenance_mode_active
    └── StorageFull                   507 storage_full_error
    Unavailable                       nothing was done: see ``refusals``
    OutcomeUnknown                    it may have been done: the connection is closed without an answer
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar


class RestError(Exception):
    """The request is answered with ``status`` and ``error_code``; the text of the error is the message."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    error_code: ClassVar[str] = "internal_server_error"
    headers: ClassVar[Mapping[str, str]] = {}


class BadParameters(RestError):
    """A field or a parameter is missing, unknown, or has a value that it does not take."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "bad_parameters_error"


class NoSuchIncludeField(BadParameters):
    """``_include`` names a field that the resource does not have."""

    error_code = "no_such_include_field_error"


class IllegalAction(RestError):
    """The request is well formed, but what it asks for is never allowed in this state."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "illegal_action_error"


class InvalidBlueprint(RestError):
    """The parser does not accept a blueprint, or its archive is not what an archive has to be."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "invalid_blueprint_error"


class MissingInput(RestError):
    """A deployment needs an input that was not given."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "missing_required_deployment_input_error"


class UnknownInput(RestError):
    """A deployment was given an input that its blueprint does not have."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "unknown_deployment_input_error"


class ExistingRunningExecution(RestError):
    """Other executions run, and this one would have to be alone."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "existing_running_execution_error"


class NonexistentWorkflow(RestError):
    """A deployment has no workflow of that name."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "nonexistent_workflow_error"


class IllegalExecutionParameters(RestError):
    """A workflow was not given what it needs, or was given what it does not know."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "illegal_execution_parameters_error"


class SnapshotAction(RestError):
    """This cannot be done with the snapshot as it is, or to the manager as it is."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "snapshot_action_error"


class DependentExists(RestError):
    """It cannot be deleted while something else needs it."""

    status = HTTPStatus.BAD_REQUEST
    error_code = "dependent_exists_error"


class Unauthorized(RestError):
    """Nobody was recognised by the credentials."""

    status = HTTPStatus.UNAUTHORIZED
    error_code = "unauthorized_error"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Basic realm="Cloudify Manager"'}


class Forbidden(RestError):
    """The caller is known, and may not do this."""

    status = HTTPStatus.FORBIDDEN
    error_code = "forbidden_error"


class NotFound(RestError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND
    error_code = "not_found_error"

    @classmethod
    def of(cls, kind: str, name: str) -> NotFound:
        """The contract's sentence for a thing of ``kind`` that does not exist."""
        return cls(f"Requested `{kind}` with ID `{name}` was not found")


class MethodNotAllowed(RestError):
    """The address exists, but not for this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    error_code = "method_not_allowed_error"


class Conflict(RestError):
    """It exists already, or its present state does not allow this."""

    status = HTTPStatus.CONFLICT
    error_code = "conflict_error"


class TooLarge(BadParameters):
    """The body is longer than any that makes sense."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedContentType(RestError):
    """The body is not JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    error_code = "unsupported_content_type_error"


class InMaintenance(RestError):
    """The manager is in maintenance mode, in which this is not done."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    error_code = "maintenance_mode_active"


class StorageFull(RestError):
    """There is no room on the disk for what was sent. Nothing of it was kept."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    error_code = "storage_full_error"


class Unavailable(Exception):
    """The database or the cluster's store did not answer. Nothing was done, so trying again is safe."""


class OutcomeUnknown(Exception):
    """A commit was sent and not confirmed: it may have been done, and may be lost by a failover or not."""


def body(message: str, error_code: str) -> dict[str, Any]:
    """An error as clients expect it. A traceback is for the log, where it stays on this machine."""
    return {"message": message, "error_code": error_code, "server_traceback": None}
