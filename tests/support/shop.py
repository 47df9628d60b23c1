"""A blueprint with a bit of everything, and deployments of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.archives import tar_gz
from tests.support.rest import RestClient

SHOP = """\
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
description: A shop
inputs:
  host: {description: Where it is}
  port: {type: integer, default: 80}
node_templates:
  house:
    type: cloudify.nodes.Compute
    instances: {deploy: 2}
    properties: {ip: {get_input: host}}
  till:
    type: cloudify.nodes.WebServer
    properties: {port: {get_input: port}}
    relationships: [{type: cloudify.relationships.contained_in, target: house}]
  sign:
    type: cloudify.nodes.Root
outputs:
  address: {value: {concat: [{get_input: host}, ':', {get_input: port}]}}
  text: {value: {concat: ['It says ', {get_attribute: [sign, text]}]}}
  which: {value: {get_attribute: [house, ip]}}
capabilities:
  colour: {value: {get_attribute: [sign, colour]}}
"""
INPUTS = {"host": "here"}


def upload_shop(rest: RestClient, identifier: str, query: str = "") -> None:
    """Upload the blueprint."""
    content = tar_gz({"shop/blueprint.yaml": SHOP.encode()})
    answer = rest.request("PUT", f"/blueprints/{identifier}{query}", data=content)
    assert answer.status_code == 201, answer.text


@contextmanager
def shop(rest: RestClient, identifier: str, query: str = "") -> Iterator[str]:
    """The blueprint; at the end it is gone, and all deployments of it are."""
    upload_shop(rest, identifier, query)
    try:
        yield identifier
    finally:
        for item in rest.get("/deployments?_all_tenants=true").json()["items"]:
            if item["blueprint_id"] == identifier:
                path = f"/deployments/{item['id']}?ignore_live_nodes=true"
                rest.delete(path, headers={"Tenant": item["tenant_name"]})
        answer = rest.delete(f"/blueprints/{identifier}")
        assert answer.status_code == 200, answer.text


def deploy(rest: RestClient, blueprint: str, identifier: str, **more: Any) -> dict[str, Any]:
    """A deployment of it."""
    answer = rest.put(f"/deployments/{identifier}", {"blueprint_id": blueprint, "inputs": INPUTS, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def ids(answer: Any) -> list[str]:
    """The ids in a list."""
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def refusal(answer: Any) -> tuple[int, str]:
    """The status, and the error code."""
    return answer.status_code, answer.json()["error_code"]
