"""What the manager was set up with, as installers write it and clients read it."""

from __future__ import annotations

import pytest

from tests.support.shop import refusal

pytestmark = pytest.mark.integration


@pytest.fixture
def context(rest):
    """What it was before; it is so again at the end."""
    before = rest.get("/provider/context").json()
    yield before
    rest.post("/provider/context?update=true", before)


def test_there_is_one_and_it_is_not_overwritten_by_chance(rest, context):
    answer = rest.post("/provider/context", {"name": "other", "context": {}})
    assert refusal(answer) == (409, "conflict_error")
    assert rest.get("/provider/context").json() == context


def test_it_can_be_changed(rest, context):
    new = {"name": "other", "context": {"cloudify": {"agent": [1, None]}}}
    changed = rest.post("/provider/context?update=True", new)
    assert (changed.status_code, changed.json()["status"]) == (200, "ok")
    assert rest.get("/provider/context").json() == new
    assert rest.get("/provider/context?_include=name").json() == {"name": "other"}


def test_who_may_not_and_what_cannot_be(rest, name, context):
    rest.put("/users", {"username": name, "password": "a password"})
    user = rest.as_user(name, "a password", tenant=None)
    assert refusal(user.post("/provider/context?update=true", context)) == (403, "forbidden_error")
    for body in ({}, {"name": "x"}, {"name": 7, "context": {}}, {"name": "x", "context": {"a": "\0"}}):
        assert refusal(rest.post("/provider/context?update=true", body)) == (400, "bad_parameters_error")
