"""Requests about the cluster that are made up from the OpenAPI document, to a leader."""

from __future__ import annotations

import pytest
from schemathesis import Case

from tests.support.made_up_requests import SCHEMA, ask, bounded
from tests.support.rest import RestClient

pytestmark = pytest.mark.integration


@SCHEMA.include(path_regex="/cluster").parametrize()
@bounded
def test_a_leader(case: Case, rest: RestClient):
    ask(case, rest, {"name": "n2"})
