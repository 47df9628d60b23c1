"""An upload that arrives twice: one blueprint, or a conflict."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.archives import blueprint, tar_gz
from tests.support.rest import RestClient
from tests.support.uploads import address_of, error_of, head_of, rows, units, upload
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def test_a_repeat_after_a_dropped_connection_gives_the_same_blueprint(node, gateway, rest, name):
    working, left = threading.Event(), threading.Event()

    def hold() -> None:
        working.set()
        left.wait(60)

    gateway.protecting = hold
    content = blueprint()
    with socket.create_connection(address_of(rest)) as connection:
        connection.sendall(head_of(rest, name, f"Content-Length: {len(content)}") + content)
        assert working.wait(60)
    # Whoever is answered now was heard after the connection had dropped.
    assert RestClient(rest.base).get("/status").status_code == 200
    left.set()
    eventually(lambda: rest.get(f"/blueprints/{name}").status_code == 200)
    first = rest.get(f"/blueprints/{name}").json()
    again = upload(rest, name)
    assert (again.status_code, again.json()["created_at"]) == (201, first["created_at"])
    assert len(units(node)) == 1
    assert error_of(upload(rest, name)) == (409, "conflict_error")


def test_a_repeat_that_arrives_on_the_next_leader_gives_the_same_blueprint(node, rest, next_leader, name):
    first = upload(rest, name)
    again = upload(next_leader, name)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(units(node)) == 1
    assert error_of(upload(next_leader, name)) == (409, "conflict_error")


NO_REPEATS = {
    "after an answer": (upload, None),
    "of another archive": (
        lambda rest, name: upload(rest, name, tar_gz({"top/blueprint.yaml": b""})),
        "next",
    ),
    "of another main file": (
        lambda rest, name: upload(rest, name, query="?application_file_name=other.yaml"),
        "next",
    ),
    "from another user": (
        lambda rest, name: upload(rest.as_user(f"{name}-other", "a password"), name),
        "next",
    ),
    "too late": (upload, "late"),
}


@pytest.mark.parametrize("what", NO_REPEATS)
def test_what_is_no_repeat_is_a_conflict(node, rest, next_leader, name, what):
    again, where = NO_REPEATS[what]
    rest.put("/users", {"username": f"{name}-other", "password": "a password"})
    rest.put("/tenants/users", {"username": f"{name}-other", "tenant_name": "default_tenant", "role": "user"})
    upload(rest, name)
    if where == "late":
        rows(node, "UPDATE blueprints SET created_at = created_at - interval '10 minutes 1 second'")
    asked = next_leader if where else rest
    assert error_of(again(asked, name)) == (409, "conflict_error")
    assert len(units(node)) == 1
    rest.delete(f"/users/{name}-other")


def test_uploads_of_one_blueprint_at_the_same_time_make_one(node, rest, name):
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: upload(RestClient(rest.base), name), range(5)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["created_at"] for answer in answers if answer.ok}) == 1
    eventually(lambda: len(units(node)) == 1)
    assert rows(node, "SELECT count(*) FROM blueprints") == [(1,)]
