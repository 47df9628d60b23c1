"""Who gives wrong passwords in a row is locked out for a while, and learns nothing from it."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from manager import auth
from manager.gateway import Gateway
from manager.models import User
from manager.settings import LoginRules
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

RIGHT = "the right one"
SHORT = LoginRules(failures_before_lock=2, lock_s=0.3)


@pytest.fixture
def user(rest, name):
    """A user, and how he logs in with a password: what the answer was."""
    assert rest.put("/users", {"username": name, "password": RIGHT}).status_code == 201
    return User(username=name)


def login(rest, user, password):
    return rest.as_user(user.username, password, tenant=None).get("/user")


def fail(rest, user, times):
    for _ in range(times):
        assert login(rest, user, "a wrong one").status_code == 401


def locked(rest, user):
    return rest.get(f"/users/{user.username}").json()["is_locked"]


def test_four_wrong_passwords_in_a_row_lock_and_three_do_not(rest, user):
    fail(rest, user, 3)
    assert login(rest, user, RIGHT).status_code == 200
    fail(rest, user, 3)
    assert not locked(rest, user)
    fail(rest, user, 1)
    assert locked(rest, user)
    assert login(rest, user, RIGHT).status_code == 401


def test_the_count_and_the_lock_are_in_the_database_so_another_process_knows_them(rest, user, node):
    other = node.start_in_thread(Gateway(node.config))
    fail(rest, user, 3)
    fail(other, user, 1)
    assert locked(rest, user)
    assert locked(other, user)


def test_the_refusal_of_a_locked_user_says_what_that_of_nobody_says(rest, user):
    fail(rest, user, 4)
    nobody = User(username=f"{user.username}-nobody")
    assert login(rest, user, RIGHT).json() == login(rest, nobody, RIGHT).json()


def test_a_locks_end_comes_by_itself(rest, user, node):
    with node.serving(Gateway(node.config), logins=SHORT) as short:
        fail(short, user, 2)
        eventually(lambda: login(short, user, RIGHT).status_code == 200, 20, "the lock has ended")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/users/unlock/{}", None),
        ("/users/active/{}", {"action": "activate"}),
        ("/users/{}", {"password": RIGHT}),
    ],
)
def test_an_administrator_ends_a_lock(rest, user, path, body):
    fail(rest, user, 4)
    assert rest.post(path.format(user.username), body).json()["is_locked"] is False
    assert login(rest, user, RIGHT).status_code == 200


def test_a_token_goes_on_to_work_while_its_user_is_locked(rest, user):
    token = rest.as_user(user.username, RIGHT, tenant=None).get("/tokens").json()["value"]
    fail(rest, user, 4)
    bearer = rest.as_user(None, tenant=None, headers={"Authentication-Token": token})
    assert bearer.get("/user").status_code == 200


def test_more_wrong_passwords_neither_write_nor_make_a_lock_longer(rest, user, database):
    fail(rest, user, 4)
    # xmin names the transaction that wrote the row last.
    row = select(User.locked_until, text("users.xmin::text")).where(User.username == user.username)
    before = database.execute(row).one()
    fail(rest, user, 5)
    database.rollback()
    assert database.execute(row).one() == before


def test_nobody_costs_no_write(rest, database, name):
    written = select(func.max(text("users.xmin::text::bigint"))).select_from(User)
    before = database.scalar(written)
    fail(rest, User(username=f"{name}-nobody"), 3)
    database.rollback()
    assert database.scalar(written) == before


def test_a_locked_users_password_is_not_even_compared(rest, user, node, monkeypatch):
    """The time of the answer would tell whether it was right: one that was right lately is known at once."""
    here = node.start_in_thread(Gateway(node.config))
    assert login(here, user, RIGHT).status_code == 200
    fail(here, user, 4)
    monkeypatch.setattr(auth.Passwords, "remembered", lambda *_: pytest.fail("it was looked at"))
    compared = []
    monkeypatch.setattr(auth.Passwords, "verify", lambda _self, stored, _given: bool(compared.append(stored)))
    assert login(here, user, RIGHT).status_code == 401
    assert compared == [None]


def test_of_many_passwords_tried_at_once_a_right_one_after_the_lock_comes_too_late(
    rest, user, node, engine, monkeypatch
):
    """Each of them has read that the user is not locked, before the first was found wrong."""
    here = node.start_in_thread(Gateway(node.config))

    def verify_late(_self, _stored, _given):
        with engine.begin() as others:
            others.execute(
                text("UPDATE users SET locked_until = now() + interval '1 minute' WHERE username = :name"),
                {"name": user.username},
            )
        return True

    monkeypatch.setattr(auth.Passwords, "verify", verify_late)
    assert login(here, user, RIGHT).status_code == 401


def test_with_no_limit_nobody_is_locked_out(rest, user, node):
    open_door = LoginRules(failures_before_lock=0)
    with node.serving(Gateway(node.config), logins=open_door) as here:
        fail(here, user, 9)
        assert login(here, user, RIGHT).status_code == 200


REFUSED = {
    "seven c": "it has 7 characters, and 8 are needed",
    "Password1": "it is one of those that are tried first",
}


@pytest.mark.parametrize("password", REFUSED)
def test_a_poor_new_password_is_refused_with_why(rest, user, name, password):
    new = rest.put("/users", {"username": f"{name}-new", "password": password})
    changed = rest.post(f"/users/{user.username}", {"password": password})
    for answer in (new, changed):
        assert (answer.status_code, answer.json()["error_code"]) == (400, "bad_parameters_error")
        assert REFUSED[password] in answer.json()["message"]
    assert rest.get(f"/users/{name}-new").status_code == 404


def test_a_poor_password_that_is_there_already_goes_on_to_work(rest, user, node):
    lax = LoginRules(min_password_length=2)
    with node.serving(Gateway(node.config), logins=lax) as before:
        assert before.post(f"/users/{user.username}", {"password": "q97"}).status_code == 200
    assert login(rest, user, "q97").status_code == 200
