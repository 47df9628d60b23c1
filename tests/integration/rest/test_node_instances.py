"""The state of node instances: changed by whoever knows the present one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.shop import ids, refusal

pytestmark = pytest.mark.integration

KEYS = {
    *("id", "deployment_id", "node_id", "host_id", "state", "version", "runtime_properties"),
    *("relationships", "scaling_groups", "tenant_name", "created_by", "visibility"),
}
NODE_KEYS = {
    *("id", "deployment_id", "blueprint_id", "type", "type_hierarchy", "properties", "operations"),
    *("relationships", "plugins", "plugins_to_install", "host_id", "number_of_instances"),
    *("planned_number_of_instances", "deploy_number_of_instances", "min_number_of_instances"),
    *("max_number_of_instances", "tenant_name", "created_by", "visibility"),
}


@pytest.fixture
def sign(rest, deployment) -> str:
    """The path of the only instance of a node."""
    (identifier,) = ids(rest.get(f"/node-instances?deployment_id={deployment}&node_name=sign"))
    return f"/node-instances/{identifier}"


def test_the_keys_that_clients_need(rest, sign, deployment):
    assert set(rest.get(sign).json()) >= KEYS
    (node,) = rest.get(f"/nodes?deployment_id={deployment}&node_id=sign").json()["items"]
    assert set(node) >= NODE_KEYS


def test_an_update_says_from_which_version_it_was_made(rest, sign):
    first = rest.patch(sign, {"version": 1, "state": "creating", "runtime_properties": {"a": [1, None]}})
    assert first.status_code == 200
    assert (first.json()["version"], first.json()["state"]) == (2, "creating")
    assert refusal(rest.patch(sign, {"version": 1, "state": "started"})) == (409, "conflict_error")
    assert refusal(rest.patch(sign, {"version": 3, "state": "started"})) == (409, "conflict_error")
    second = rest.patch(sign, {"version": 2, "state": "started"}).json()
    assert (second["version"], second["runtime_properties"]) == (3, {"a": [1, None]})
    assert rest.get(sign).json() == second


def test_version_nought_is_the_first_one(rest, sign):
    assert rest.patch(sign, {"version": 0, "state": "creating"}).status_code == 200
    assert refusal(rest.patch(sign, {"version": 0, "state": "started"})) == (409, "conflict_error")


def test_of_many_updates_at_once_one_succeeds(rest, sign):
    def write(number: int) -> int:
        body = {"version": 1, "runtime_properties": {"number": number}}
        return rest.as_user(*rest.user).patch(sign, body).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(write, range(8)))
    assert codes == [200] + 7 * [409]
    assert rest.get(sign).json()["version"] == 2


WRONG = [
    "{}",
    '{"version": -1}',
    '{"version": "one"}',
    '{"version": 99999999999999999999}',
    '{"version": 1, "state": 7}',
    '{"version": 1, "state": "a\\u0000b"}',
    '{"version": 1, "state": "\\ud800"}',
    '{"version": 1, "runtime_properties": []}',
    '{"version": 1, "runtime_properties": {"a": ["\\u0000"]}}',
    '{"version": 1, "runtime_properties": {"a\\u0000": 1}}',
    '{"version": 1, "runtime_properties": {"a": "\\ud800"}}',
    '{"version": 1, "runtime_properties": {"a": 1e999}}',
    '{"version": 1, "runtime_properties": {"a": NaN}}',
    '{"version": 1, "runtime_properties": ' + '{"a":' * 101 + "1" + "}" * 101 + "}",
    '{"version": 1, "runtime_properties": {"a": ' + "9" * 5000 + "}}",
]


@pytest.mark.parametrize("body", WRONG, ids=lambda body: body[:60])
def test_what_cannot_be_kept(rest, sign, body):
    assert refusal(rest.request("PATCH", sign, data=body)) == (400, "bad_parameters_error")
    assert rest.get(sign).json()["version"] == 1


def test_what_looks_like_a_nul_but_is_none_is_kept(rest, sign):
    assert rest.patch(sign, {"version": 1, "runtime_properties": {"a": "\\u0000"}}).status_code == 200
    assert rest.get(sign).json()["runtime_properties"] == {"a": "\\u0000"}


@pytest.mark.parametrize("identifier", ["nothing", "a%00b"])
def test_one_that_is_not_there(rest, identifier):
    where = f"/node-instances/{identifier}"
    assert refusal(rest.get(where)) == (404, "not_found_error")
    assert refusal(rest.patch(where, {"version": 1})) == (404, "not_found_error")


def test_lists_know_the_fields(rest, deployment):
    where = f"/node-instances?deployment_id={deployment}"
    assert len(ids(rest.get(where))) == 5
    assert len(ids(rest.get(f"{where}&node_id=till&node_id=sign&state=uninitialized"))) == 3
    assert rest.get(f"{where}&_sort=-node_id&_include=node_id&_size=1").json()["items"] == [
        {"node_id": "till"}
    ]
    nodes = f"/nodes?deployment_id={deployment}"
    assert ids(rest.get(f"{nodes}&_sort=-number_of_instances&_size=1")) == ["house"]
    assert ids(rest.get(f"{nodes}&type=cloudify.nodes.WebServer")) == ["till"]
    assert ids(rest.get(f"{nodes}&_search=OUS")) == ["house"]
    assert refusal(rest.get(f"{nodes}&_sort=properties")) == (400, "bad_parameters_error")
