"""Requests made up from the OpenAPI document, and what every answer to one has to be."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from itertools import count

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from requests import Response
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from manager.app import create
from manager.gateway import Gateway, settings_of
from orchestrator.config import NodeConfig
from tests.support.rest import ADMIN, TENANT, TIMEOUT_S, RestClient

EXAMPLES = 12
"""For each operation: all of them together take about two minutes."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
TURNS = count()

_nowhere = NodeConfig(host_ip="127.93.1.9")
SCHEMA = schemathesis.openapi.from_dict(create(settings_of(_nowhere), Gateway(_nowhere)).openapi())
"""The document is made without any manager: tests are listed before one runs."""

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def ask(case: Case, there: RestClient, known: Mapping[str, str]) -> Response:
    """Send it as the administrator; every second time to what is there (``known``), and check the answer."""
    if next(TURNS) % 2:
        case.path_parameters.update({key: known[key] for key in case.path_parameters if key in known})
    name_and_password = base64.b64encode(":".join(ADMIN).encode()).decode()
    headers = {"Authorization": f"Basic {name_and_password}", "Tenant": TENANT}
    response = case.call(base_url=there.base, headers=headers, timeout=TIMEOUT_S)
    case.validate_response(response, checks=CHECKS)
    return response
