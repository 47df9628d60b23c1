"""Requests made up from the OpenAPI document: no answer is a crash, and none is another than it says.

They go to a manager of their own, as they make and delete whatever they can name.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from schemathesis import Case

from tests.support.made_up_requests import SCHEMA, ask, bounded
from tests.support.rest import RestClient, manager_node
from tests.support.shop import deploy, upload_shop

pytestmark = pytest.mark.integration

SOMEBODY = ("somebody", "somebody's password")


@pytest.fixture(scope="module")
def there() -> Iterator[RestClient]:
    """A manager with something of each kind."""
    with manager_node(protocol="http") as node:
        node.start_process()
        yield node.client()


@pytest.fixture
def known(there: RestClient) -> dict[str, str]:
    """What parameters of addresses can be called so that there is something. What is gone is made again."""
    there.post("/maintenance/deactivate")
    if not there.get("/blueprints/shop").ok:
        upload_shop(there, "shop")
    if not there.get("/deployments/shop").ok:
        deploy(there, "shop", "shop")
    if not there.get(f"/users/{SOMEBODY[0]}").ok:
        there.put("/users", {"username": SOMEBODY[0], "password": SOMEBODY[1]})
    there.post("/tenants/shop")
    return {"identifier": "shop", "username": SOMEBODY[0], "name": "shop"}


@SCHEMA.exclude(path_regex="/cluster").parametrize()
@bounded
def test_a_manager_that_is_alone(case: Case, there: RestClient, known: dict[str, str]):
    ask(case, there, known)
