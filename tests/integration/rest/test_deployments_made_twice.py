"""A client whose connection dropped asks again, here or at another leader: there is one deployment."""

from __future__ import annotations

import json
import socket
import ssl
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from manager.deploying import add
from manager.gateway import Gateway
from manager.models import Deployment
from manager.routes import deployment_creation
from tests.support.rest import ADMIN
from tests.support.shop import INPUTS, deploy, ids, refusal
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def next_leader(node):
    """Another process on the same database, as after a failover."""
    return lambda: node.start_in_thread(Gateway(node.config))


def test_the_next_leader_answers_a_repeat_like_the_first_one(rest, next_leader, blueprint, name):
    made = deploy(rest, blueprint, name)
    there = next_leader()
    assert deploy(there, blueprint, name) == made
    # Answered here by now: whoever asks once more knows of it.
    again = there.put(f"/deployments/{name}", {"blueprint_id": blueprint, "inputs": INPUTS})
    assert refusal(again) == (409, "conflict_error")
    assert len(ids(rest.get(f"/node-instances?deployment_id={name}"))) == 5


def test_what_is_not_the_same_is_no_repeat(rest, next_leader, blueprint, name):
    deploy(rest, blueprint, name)
    there = next_leader()
    rest.put("/users", {"username": name, "password": "a password"})
    rest.put("/tenants/users", {"username": name, "tenant_name": "default_tenant", "role": "user"})
    other = there.as_user(name, "a password")
    same = {"blueprint_id": blueprint, "inputs": INPUTS}
    assert refusal(other.put(f"/deployments/{name}", same)) == (409, "conflict_error")
    changed = {**same, "inputs": {**INPUTS, "port": 81}}
    assert refusal(there.put(f"/deployments/{name}", changed)) == (409, "conflict_error")
    assert there.put(f"/deployments/{name}", same).status_code == 201


def test_what_was_made_long_ago_is_no_repeat(rest, next_leader, blueprint, name, database):
    deploy(rest, blueprint, name)
    earlier = Deployment.created_at - timedelta(minutes=11)
    database.execute(update(Deployment).where(Deployment.id == name).values(created_at=earlier))
    database.commit()
    again = next_leader().put(f"/deployments/{name}", {"blueprint_id": blueprint, "inputs": INPUTS})
    assert refusal(again) == (409, "conflict_error")


def test_a_client_that_hung_up_before_the_answer_may_ask_again(rest, node, blueprint, name):
    body = json.dumps({"blueprint_id": blueprint, "inputs": INPUTS}).encode()
    who = b64encode(":".join(ADMIN).encode()).decode()
    head = (
        f"PUT /api/v3.1/deployments/{name} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {who}\r\n"
        "Tenant: default_tenant\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    context = ssl.create_default_context(cafile=node.config.paths.ssl / "ca.pem")
    address = (node.config.host_ip, node.config.ports.rest)
    with (
        socket.create_connection(address, 10) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as connection,
    ):
        connection.sendall(head.encode() + body)
    eventually(lambda: rest.get(f"/deployments/{name}").status_code == 200, 30, "the deployment is made")
    assert deploy(rest, blueprint, name)["id"] == name


def test_of_many_at_once_one_is_made(rest, blueprint, name):
    body = {"blueprint_id": blueprint, "inputs": INPUTS}
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(rest.as_user(*rest.user).put, f"/deployments/{name}", body) for _ in range(6)]
        codes = {answer.result().status_code for answer in asked}
    assert 201 in codes
    assert codes <= {201, 409}
    assert len(ids(rest.get(f"/node-instances?deployment_id={name}"))) == 5


@contextmanager
def chance_gives_the_same_id_twice(monkeypatch, taken: str):
    """The first plan has an instance whose id is taken."""
    tries: list[int] = []

    def spoiled(session, deployment, plan):
        tries.append(len(plan.node_instances))
        if len(tries) == 1:
            plan.node_instances[0]["id"] = taken
        add(session, deployment, plan)

    monkeypatch.setattr(deployment_creation.deploying, "add", spoiled)
    yield tries


def test_ids_of_instances_that_are_taken_are_made_anew(next_leader, rest, deployment, blueprint, monkeypatch):
    taken = ids(rest.get(f"/node-instances?deployment_id={deployment}"))[0]
    with chance_gives_the_same_id_twice(monkeypatch, taken) as tries:
        deploy(next_leader(), blueprint, f"{deployment}-2")
    assert len(tries) == 2
    assert len(ids(rest.get(f"/node-instances?deployment_id={deployment}-2"))) == 5


def test_nothing_of_a_deployment_is_seen_before_all_of_it(rest, blueprint, name, database):
    """A commit that waits, as for a replica."""
    database.execute(text("LOCK TABLE events IN SHARE MODE"))
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(deploy, rest.as_user(*rest.user), blueprint, name)
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        eventually(lambda: database.scalar(waiting), 30, "the rows are written, but for the events")
        assert rest.get(f"/deployments/{name}").status_code == 404
        assert ids(rest.get(f"/nodes?deployment_id={name}")) == []
        database.rollback()
        assert making.result(60)["id"] == name
