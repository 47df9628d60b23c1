"""Whoever is root on the manager lets a user in again, when no administrator can."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

FIRST, SECOND = "the first word", "the second word"


@pytest.fixture
def user(rest, name):
    assert rest.put("/users", {"username": name, "password": FIRST}).status_code == 201
    return name


def login(rest, user, password):
    return rest.as_user(user, password, tenant=None).get("/user").status_code


def rescue(node, verb, user, **variables):
    """What the program says."""
    environment = {**os.environ, "CLOUDIFY_CONFIG": str(node.file), **variables}
    command = [sys.executable, "-m", "manager.rescue", verb, user]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(told.stdout)


def test_a_locked_user_is_unlocked_and_his_password_stays(node, rest, user):
    for _ in range(4):
        login(rest, user, "wrong")
    assert login(rest, user, FIRST) == 401
    assert rescue(node, "unlock", user) == {"password": None}
    assert login(rest, user, FIRST) == 200


def test_a_new_password_lets_in_whatever_was_and_ends_the_token(node, rest, user):
    token = rest.as_user(user, FIRST, tenant=None).get("/tokens").json()["value"]
    rest.post(f"/users/active/{user}", {"action": "deactivate"})
    shown = rescue(node, "reset-password", user)["password"]
    assert login(rest, user, FIRST) == 401
    assert login(rest, user, shown) == 200
    bearer = rest.as_user(None, tenant=None, headers={"Authentication-Token": token})
    assert bearer.get("/user").status_code == 401


def test_a_password_that_is_given_is_not_shown_and_has_to_be_a_good_one(node, rest, user):
    poor = rescue(node, "reset-password", user, CLOUDIFY_ADMIN_PASSWORD="password")
    assert "tried first" in poor["error"]
    assert rescue(node, "reset-password", user, CLOUDIFY_ADMIN_PASSWORD=SECOND) == {"password": None}
    assert login(rest, user, SECOND) == 200


def test_somebody_who_is_not_there(node, name):
    assert rescue(node, "unlock", f"{name}-nobody") == {"error": f"There is no user '{name}-nobody'."}


def test_a_database_that_takes_no_writes_says_where_to_go(node, user, engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER DATABASE cloudify SET default_transaction_read_only = on")
    try:
        assert "on the one that leads" in rescue(node, "reset-password", user)["error"]
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET TRANSACTION READ WRITE")
            connection.exec_driver_sql("ALTER DATABASE cloudify RESET default_transaction_read_only")
